// SPDX-License-Identifier: Apache-2.0

/// What an opened input says about its video stream.
///
/// Pictures may differ where the file does not keep its word.
public struct VideoInfo: Sendable, Hashable {
    /// Container, by FFmpeg's short name.
    public var container: String
    /// Codec, by FFmpeg's short name.
    public var codec: String
    /// Width of an upright picture in pixels; 0 where the headers do not say.
    public var width: Int
    /// Height of an upright picture in pixels; 0 where the headers do not say.
    public var height: Int
    /// FFmpeg's name of the stored pixel format.
    public var storedFormat: String
    /// Layout of the pictures that will come.
    public var format: PixelFormat
    /// Width over height of a pixel; 0/1 unknown.
    public var pixelAspect: Rational
    /// Seconds per tick of the timestamps.
    public var timeBase: Rational
    /// Nominal frame rate; 0/1 unknown.
    public var frameRate: Rational
    /// Length in seconds; nil where unknown.
    public var duration: Double?
    /// Frames in the file, as counted by the container or estimated from its length; nil where unknown.
    public var frameCount: Int?
    /// When the input starts on its own clock, in seconds; timestamps handed out are relative to it.
    public var startTime: Double
    /// How stored pixels are turned to stand upright.
    public var orientation: Orientation
    /// Whether frames come at their own pace.
    public var isLive: Bool
    /// What the input holds beside pictures and sound and nobody reads: `2 subtitle streams`, `12 chapters`, `the title`.
    public var unread: [String] = []
    /// The audio streams, which an `AudioTap` can carry over.
    public var audio: [AudioStreamInfo]

    /// The part that travels with every frame.
    public func streamInfo(source: String) -> StreamInfo {
        StreamInfo(source: source, frameRate: frameRate, duration: duration, isLive: isLive)
    }
}

/// What an input says about one audio stream.
public struct AudioStreamInfo: Sendable, Hashable {
    /// Codec, by FFmpeg's short name.
    public var codec: String
    /// Samples per second.
    public var sampleRate: Int
    /// Language tag of the container, or empty.
    public var language: String
}

/// One decoded picture and its time.
public struct DecodedPicture: Sendable {
    /// The image.
    public let picture: Picture
    /// Presentation time in the stream's base, relative to the start of the input; strictly increasing.
    public let pts: MediaTime
    /// How long it shows.
    public let duration: MediaTime

    package init(picture: Picture, pts: MediaTime, duration: MediaTime) {
        self.picture = picture
        self.pts = pts
        self.duration = duration
    }
}

/// What a reader has done so far.
public struct ReaderStatistics: Sendable, Hashable {
    /// Video packets read.
    public var packets = 0
    /// Pictures handed out.
    public var frames = 0
    /// Video packets the decoder refused, skipped; and pictures it could only patch up, handed out.
    public var corrupt = 0
    /// Timestamps that were missing or stepped back.
    public var repairedTimestamps = 0
    /// Breaks in the time line that were closed: steps back by more than a second, jumps ahead, wraps of the counter.
    public var timeBreaks = 0
    /// Jumps ahead among the breaks.
    public var timeJumps = 0
    /// Wraps of the input's counter among the breaks.
    public var timeWraps = 0
    /// Pictures whose size or layout differs from the one before.
    public var shapeChanges = 0
    /// Pictures of two fields taken at different instants.
    public var interlaced = 0
    /// Pictures converted because their stored format is not planar 8 bit.
    public var converted = 0
    /// Rounds of a loop begun after the first.
    public var loops = 0
    /// Why reading ended before the end of the file, where it did (a truncated file, a lost connection).
    public var endedEarly: MediaError?

    /// The sum of what two readers of one source did; of why reading ended, the later's word counts.
    func adding(_ later: ReaderStatistics) -> ReaderStatistics {
        var sum = later
        sum.packets += packets
        sum.frames += frames
        sum.corrupt += corrupt
        sum.repairedTimestamps += repairedTimestamps
        sum.timeBreaks += timeBreaks
        sum.timeJumps += timeJumps
        sum.timeWraps += timeWraps
        sum.shapeChanges += shapeChanges
        sum.converted += converted
        sum.interlaced += interlaced
        sum.loops += loops
        return sum
    }

    /// One sentence for each fault that was survived.
    public var notes: [String] {
        var notes: [String] = []
        if corrupt > 0 { notes.append("\(corrupt) damaged packets or pictures") }
        if repairedTimestamps > 0 {
            notes.append("\(repairedTimestamps) timestamps repaired: missing, or not after the last")
        }
        if timeBreaks > 0 {
            let kinds = [
                (timeBreaks - timeJumps - timeWraps, "steps back"), (timeJumps, "jumps ahead"),
                (timeWraps, "wraps of the counter"),
            ].filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
            notes.append("\(timeBreaks) breaks in the time line closed (\(kinds.joined(separator: ", ")))")
        }
        if interlaced > 0 {
            notes.append("\(interlaced) interlaced pictures, which go on as they are and are called progressive")
        }
        if shapeChanges > 0 { notes.append("\(shapeChanges) changes of picture size or layout") }
        return notes
    }
}
