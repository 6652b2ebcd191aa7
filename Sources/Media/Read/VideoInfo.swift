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
    /// Breaks in the time line that were closed.
    public var timeBreaks = 0
    /// Pictures whose size or layout differs from the one before.
    public var shapeChanges = 0
    /// Pictures converted because their stored format is not planar 8 bit.
    public var converted = 0
    /// Rounds of a loop begun after the first.
    public var loops = 0
    /// Why reading ended before the end of the file, where it did (a truncated file, a lost connection).
    public var endedEarly: MediaError?
}
