// SPDX-License-Identifier: Apache-2.0
public import Basics
internal import CFFmpeg
internal import Glibc

/// Encodes pictures, or copies the source's own packets, and stores them, with copied audio, in a file that survives whatever happens to the process.
///
///     pictures --> shape --> encoder --> fragments under the file's own name --> (finish) index at the front
///                                 audio tap --^
///
/// mp4 and mov are written in movie fragments, mkv and webm in clusters, each handed to the system as it is complete; a
/// finished mp4 or mov is rewritten beside itself as an ordinary one and renamed into place. Frames out = frames in.
/// Confined: one queue writes.
public final class VideoWriter {
    /// The file; one with a number where its name was taken.
    public private(set) var path: String
    /// The container.
    public let container: Container
    /// The codec asked for; `statistics.encoder` says what encodes it.
    public let codec: VideoCodec
    /// Whether the source's packets are stored as they are, by ``copy(_:pts:duration:)``.
    public var isCopy: Bool { copied != nil }

    /// When the first picture was taken, stored as the file's creation time; nil leaves it out.
    ///
    /// Taken into account up to the first picture.
    public var createdAt: WallTime?

    private let settings: WriterSettings
    private let calls: OutputCalls
    private let encoderName: String
    private var tap: AudioTap?
    private let copied: VideoTap?
    private let start: MediaTime?
    /// Whether another file may go on with the tap.
    private let sharesTap: Bool
    private var file: OutputFile?
    private var session: WriterSession?
    private var failure: MediaError?
    private var isFinished = false
    private var counts = WriterStatistics()

    /// Creates the file, and its folder, and checks everything that can be checked before the first picture.
    ///
    /// - Parameter copied: packets to store as they are; nothing is encoded then.
    /// - Throws: `alreadyExists`, `unsupportedFormat`, `unsupportedCodec`, `invalidSetting`, or why the file cannot
    /// be made.
    public convenience init(
        _ path: String, settings: WriterSettings = WriterSettings(), audio: AudioTap? = nil,
        copying copied: VideoTap? = nil
    ) throws(MediaError) {
        try self.init(path, settings: settings, audio: audio, copying: copied, calls: OutputCalls())
    }

    /// - Parameters:
    ///   - start: what the times of the file count from; the start of the source when absent.
    ///   - sharesTap: whether the taps stay open for the next file.
    package init(
        _ path: String, settings: WriterSettings, audio: AudioTap?, copying copied: VideoTap? = nil, calls: OutputCalls,
        start: MediaTime? = nil, sharesTap: Bool = false
    ) throws(MediaError) {
        self.copied = copied
        self.start = start
        self.sharesTap = sharesTap
        do throws(MediaError) {
            if let asked = settings.container { container = asked } else { container = try Container(path: path) }
            codec = settings.codec ?? container.defaultCodec
            if let copied {
                encoderName = try Self.validate(copied, container)
            } else {
                encoderName = try Self.validate(settings, container, codec)
            }
            self.settings = settings
            self.calls = calls
            tap = audio
            let target = Self.resolved(path)
            self.path = target
            try OutputFolder.make(for: target)
            if target != "-" { TemporaryName.sweep(beside: target) }
            let file = try OutputFile(target, ifExists: settings.ifExists, calls: calls)
            self.path = file.path
            self.file = file
        } catch {
            if !sharesTap {
                audio?.close()
                copied?.close()
            }
            throw error.of(path)
        }
        counts.encoder = encoderName
        if copied == nil, encoderName != codec.encoders[0] {
            counts.warnings.append("\(codec.encoders[0]) is not built into FFmpeg; encoding with \(encoderName)")
        }
    }

    deinit { closeTap() }

    private func closeTap() {
        if !sharesTap {
            tap?.close()
            copied?.close()
        }
        tap = nil
    }

    /// Ends what the file takes of the source's packets at `seconds` of the pictures' clock, so that the next file can go
    /// on with them.
    ///
    /// - Throws: as writing a picture does.
    package func seal(before seconds: Double) throws(MediaError) {
        do throws(MediaError) {
            try session?.seal(before: seconds)
        } catch {
            throw fail(error)
        }
    }

    /// Bytes that the file will have about, if it ends here.
    package var expectedBytes: Int { session?.expectedBytes ?? 0 }

    /// Checks settings that do not depend on pictures or on what is on disk.
    package static func check(
        _ settings: WriterSettings, path: String, copying copied: VideoTap? = nil
    ) throws(MediaError) {
        do throws(MediaError) {
            let container: Container
            if let asked = settings.container { container = asked } else { container = try Container(path: path) }
            if let copied {
                _ = try validate(copied, container)
            } else {
                _ = try validate(settings, container, settings.codec ?? container.defaultCodec)
            }
        } catch {
            throw error.of(path)
        }
    }

    /// What was written so far.
    public var statistics: WriterStatistics {
        var result = counts
        session?.report(&result)
        return result
    }

    /// Encodes one picture.
    ///
    /// `pts` counts from the start of the source and has the same base for every picture.
    ///
    /// - Throws: `diskFull` and other failures; the file then ends with its last whole fragment and stays playable, and
    ///   every later call throws the same.
    public func write(_ picture: Picture, pts: MediaTime, duration: MediaTime) throws(MediaError) {
        try append(picture, base: pts.base) { session throws(MediaError) in
            try session.write(picture, pts: pts, duration: duration)
        }
    }

    /// Stores the source's packets up to those of a frame; where frames are missing, packets are left out up to a keyframe.
    ///
    /// - Parameters:
    ///   - picture: the frame's, for its extent alone.
    ///   - sequence: the frame's number in its source, from 0.
    /// - Throws: `invalidSetting` where what follows missing frames is no keyframe, or packets cannot be stored as they
    ///   are; others as ``write(_:pts:duration:)``.
    public func copy(_ picture: Picture, sequence: UInt64, pts: MediaTime, duration: MediaTime) throws(MediaError) {
        try append(picture, base: pts.base) { session throws(MediaError) in
            try session.copy(sequence, pts: pts, duration: duration)
        }
    }

    /// Stores every packet that waits in the tap, whatever frames came.
    ///
    /// - Throws: as ``copy(_:sequence:pts:duration:)``.
    package func copyWaiting() throws(MediaError) {
        guard let copied else { preconditionFailure("packets are copied from a tap") }
        try append(nil, base: copied.timeBase) { session throws(MediaError) in try session.copyWaiting() }
    }

    private func append(
        _ picture: Picture?, base: Rational, _ body: (WriterSession) throws(MediaError) -> Void
    ) throws(MediaError) {
        precondition(!isFinished, "writing after finish")
        if let failure { throw failure }
        do throws(MediaError) {
            if session == nil { try open(for: picture, base: base) }
            if let session { try body(session) }
        } catch {
            throw fail(error)
        }
    }

    /// Encodes what the encoder holds back, writes the rest of the audio and finalises the file.
    ///
    /// - Throws: what kept frames from being written. A failure to finalise is a warning: the file is whole without.
    public func finish() throws(MediaError) -> WriterStatistics {
        if let failure { throw failure }
        guard !isFinished else { return statistics }
        isFinished = true
        defer { closeTap() }
        guard let session, let file else {
            file = nil
            throw MediaError(
                .noPicture, operation: "finish", detail: "\(path): no picture to write, so no file is made")
        }
        do throws(MediaError) {
            try session.finish()
        } catch {
            throw fail(error)
        }
        if let dropped = tap?.droppedPackets, dropped > 0 {
            counts.warnings.append("\(dropped) audio packets were dropped: the file fell too far behind its source")
        }
        switch file.whereabouts {
        case .inPlace: path = file.path
        case .moved(let name):
            counts.warnings.append("\(path) was moved while it was written, to \(name)")
            path = name
        case .deleted:
            throw fail(MediaError(.notFound, operation: "finish", detail: "was deleted while it was written"))
        }
        if container.isFragmented && settings.finalises && file.isRegular {
            do throws(MediaError) {
                try session.finalise(file, container)
            } catch {
                counts.warnings.append("\(path) stays in fragments, playable: moving its index failed: \(error.detail)")
            }
        }
        let result = statistics
        counts = result
        self.session = nil
        self.file = nil
        return result
    }

    // MARK: Opening

    /// Checks what does not depend on pictures; the name of the encoder.
    private static func validate(
        _ settings: WriterSettings, _ container: Container, _ codec: VideoCodec
    ) throws(MediaError) -> String {
        func refuse(_ detail: String) -> MediaError {
            MediaError(.invalidSetting, operation: "settings", detail: detail)
        }
        guard let encoder = codec.encoder else {
            throw MediaError(
                .unsupportedCodec, operation: "encoder",
                detail: "no \(codec.rawValue) encoder is built into FFmpeg (\(codec.encoders.joined(separator: ", ")))")
        }
        guard container.holds(encoder == "mpeg4" ? AV_CODEC_ID_MPEG4 : codec.id) else {
            let fitting = VideoCodec.allCases.filter { container.holds($0) }.map(\.rawValue)
            throw MediaError(
                .unsupportedFormat, operation: "container",
                detail: "\(container.rawValue) cannot hold \(codec.rawValue); use \(fitting.joined(separator: ", "))")
        }
        if let quality = settings.quality, codec != .ffv1, !codec.qualityRange.contains(quality) {
            let range = codec.qualityRange
            throw refuse(
                "quality of \(codec.rawValue) must be \(range.lowerBound)...\(range.upperBound) (got \(quality))")
        }
        if let rate = settings.bitRate, !(1000...2_000_000_000).contains(rate) {
            throw refuse("bit rate must be 1000...2000000000 bits per second (got \(rate))")
        }
        if let preset = settings.preset, !VideoCodec.presets.contains(preset) {
            throw refuse("there is no preset \"\(preset)\"; use \(VideoCodec.presets.joined(separator: ", "))")
        }
        if let interval = settings.keyframeInterval, !(1...100_000).contains(interval) {
            throw refuse("keyframe interval must be 1...100000 frames (got \(interval))")
        }
        if let format = settings.format, !codec.storable(by: encoder).contains(format) {
            throw refuse("\(encoder) cannot store the layout \(format)")
        }
        return encoder
    }

    /// Checks that packets fit in; what they are, in words.
    private static func validate(_ tap: VideoTap, _ container: Container) throws(MediaError) -> String {
        guard container.holds(tap.about.codec) else {
            let fitting = Container.allCases.filter { $0.holds(tap.about.codec) }.map { ".\($0.rawValue)" }
            throw MediaError(
                .unsupportedFormat, operation: "container",
                detail: "\(container.rawValue) cannot hold the source's \(tap.codecName); use "
                    + (fitting.isEmpty ? "a codec in place of \"copy\"" : fitting.joined(separator: ", ")))
        }
        return "copied \(tap.codecName)"
    }

    /// Where a link leads, so that the file and not the link is replaced at the end.
    private static func resolved(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }

    private func open(for picture: Picture?, base: Rational) throws(MediaError) {
        guard let file else { preconditionFailure("a file is open until finish") }
        session = try WriterSession(
            file: file, container: container, codec: codec, encoderName: encoderName, settings: settings,
            first: picture, base: base, start: start, createdAt: createdAt, tap: tap, copying: copied)
    }

    private func fail(_ error: MediaError) -> MediaError {
        file?.truncateToWhole()
        let sentence: MediaError
        if let file, file.whereabouts == .deleted {
            sentence = MediaError(.notFound, operation: "write", detail: "\(path): was deleted while it was written")
        } else if let file, file.failure < 0 {
            let cause = MediaError(status: file.failure, operation: "write")
            let rest = file.wholeLength > 0 ? "; what was written before stays playable" : ""
            sentence = MediaError(
                cause.code, operation: "write", detail: "\(path): \(cause.detail)\(rest)", underlying: file.failure)
        } else {
            sentence = error.of(path)
        }
        failure = sentence
        counts = statistics
        session?.reportWhole(&counts)
        closeTap()
        session = nil
        file = nil
        return sentence
    }
}

extension VideoCodec {
    /// Every layout that can be asked for.
    func storable(by encoder: String) -> [PixelFormat] {
        switch encoder {
        case "libx264": [.i420, .i422, .i444, .nv12, .gray8]
        case "libx265": [.i420, .i422, .i444, .gray8]
        case "libvpx-vp9": [.i420, .i422, .i444]
        default: layouts(of: encoder)
        }
    }
}
