// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import CFFmpeg

/// Encodes pictures with little delay and pushes them, with copied audio, to a peer that may come and go.
///
///     pictures --> shape --> encoder --> a short list of packets --> thread of the link --> peer
///                                                      audio tap ----^
///
/// The network never holds the caller up, but for a moment at the start: while the peer is away, or takes less than comes,
/// pictures are not taken. The first picture after a connection is a keyframe. Confined: one queue writes.
public final class StreamWriter {
    /// What is pushed and how.
    public struct Settings: Sendable {
        /// How pictures are encoded; low latency is always asked for.
        public var encoding = WriterSettings()
        /// Seconds until a connection must stand.
        public var connectSeconds = 10.0
        /// Seconds that the peer may take nothing.
        public var silenceSeconds = 10.0
        /// The longest wait between attempts to connect, in nanoseconds.
        public var longestRetryNanoseconds: UInt64 = 5_000_000_000
        /// Nanoseconds without a peer after which writing fails; nil never gives up.
        public var giveUpNanoseconds: UInt64?

        /// The defaults.
        public init() {}
    }

    /// What became of a picture.
    public enum Outcome: Sendable {
        /// On its way.
        case sent
        /// Not taken: nobody is connected.
        case away
        /// Not taken: the peer is slower than the pictures.
        case slow
    }

    /// Where the stream goes.
    public let target: StreamTarget
    private let settings: Settings
    private let codec: VideoCodec
    private let encoderName: String
    private var tap: AudioTap?
    private var session: (encoder: VideoEncoder, shaper: PictureShaper, link: StreamLink)?
    private let packet: UnsafeMutablePointer<AVPacket>
    private var base = Rational(1, 1_000_000)
    private var connection = 0
    private var lastPts: Int64?

    /// Checks what can be checked before the first picture.
    ///
    /// - Throws: `unsupportedCodec`, `unsupportedFormat`.
    public init(_ target: StreamTarget, settings: Settings = Settings(), audio: AudioTap? = nil) throws(MediaError) {
        let codec = settings.encoding.codec ?? .h264
        guard let encoder = codec.encoder else {
            throw MediaError(
                .unsupportedCodec, operation: "encoder", detail: "no \(codec.rawValue) encoder is built into FFmpeg")
        }
        guard target.holds(encoder == "mpeg4" ? AV_CODEC_ID_MPEG4 : codec.id) else {
            throw MediaError(
                .unsupportedFormat, operation: "stream",
                detail: "\(redacted(target.url)): \(target.format) cannot carry \(codec.rawValue)")
        }
        guard let packet = av_packet_alloc() else {
            throw MediaError(status: vpipe_averror(12), operation: "av_packet_alloc")
        }
        self.packet = packet
        self.target = target
        self.settings = settings
        self.codec = codec
        encoderName = encoder
        tap = audio
    }

    deinit {
        session?.link.cancel()
        AudioTap.free(packet)
        tap?.close()
    }

    /// Counts so far.
    public var statistics: StreamStatistics {
        var result = session?.link.statistics ?? StreamStatistics()
        result.encoder = encoderName
        if let warning = session?.shaper.warning { result.warnings.append(warning) }
        return result
    }

    /// How often the peer has come or gone: tells cheaply whether there is news in `statistics`.
    public var turns: Int { session?.link.turns ?? 0 }

    /// Encodes a picture and puts it on its way, if the peer is there.
    ///
    /// The first one waits for an answer from the peer, a second at most.
    ///
    /// - Throws: what no waiting cures: encoding fails, or the peer has been away for too long.
    public func write(_ picture: Picture, pts time: MediaTime, duration: MediaTime) throws(MediaError) -> Outcome {
        do throws(MediaError) {
            if session == nil { try open(for: picture, base: time.base) }
            guard let (encoder, shaper, link) = session else { return .away }
            switch try link.readiness() {
            case .away:
                // What was heard while nobody listened is not news when they do.
                tap?.discard(until: time.seconds)
                return .away
            case .slow: return .slow
            case .ready(let current):
                var pts = time.base == base ? time.ticks : av_rescale_q(time.ticks, time.base.av, base.av)
                if let lastPts, pts <= lastPts { pts = lastPts &+ 1 }
                lastPts = pts
                try encoder.send(try shaper.shaped(picture), pts: pts, isKey: current != connection)
                connection = current
                try drain(encoder, into: link)
                return .sent
            }
        } catch {
            throw error.of(target.url)
        }
    }

    /// Sends what is on its way, for a moment, and says goodbye to the peer.
    public func finish() {
        guard let (encoder, _, link) = session else { return }
        do throws(MediaError) {
            if case .ready = try link.readiness() {
                try encoder.send(nil, pts: 0)
                try drain(encoder, into: link)
            }
        } catch {
            // The end is all that is lost, and the link counts what it could not send.
        }
        link.finish()
    }

    /// Drops what is on its way.
    public func cancel() { session?.link.cancel() }

    private func drain(_ encoder: VideoEncoder, into link: StreamLink) throws(MediaError) {
        while try encoder.receive(into: packet) {
            defer { av_packet_unref(packet) }
            guard let copy = av_packet_clone(packet) else { continue }
            link.put(copy, of: connection)
        }
    }

    private func open(for picture: Picture, base: Rational) throws(MediaError) {
        guard base.num > 0, base.den > 0 else {
            throw MediaError(.invalidSetting, operation: "write", detail: "the time base \(base) is not a time")
        }
        var encoding = settings.encoding
        encoding.hasLowLatency = true
        let rate = encoding.frameRate.value ?? 25
        // A peer that comes late sees something after this time; HLS cuts its segments there.
        encoding.keyframeInterval =
            encoding.keyframeInterval ?? Int(max(1, rate * Double(StreamTarget.segmentSeconds)).rounded())
        self.base = encoderName == "mpeg4" ? Rational(1, 60_000) : base
        let shaper = try PictureShaper(picture, codec: codec, encoder: encoderName, format: encoding.format)
        let encoder = try VideoEncoder(
            codec, name: encoderName, shape: shaper.shape, settings: encoding, timeBase: self.base,
            needsGlobalHeader: target.needsGlobalHeader)
        let link = try StreamLink(
            target, settings, video: encoder.context, base: self.base, frameRate: encoding.frameRate, tap: tap)
        session = (encoder, shaper, link)
        link.greet()
    }
}
