// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg
internal import Dataflow
internal import Glibc

/// Demuxes and decodes the video of a file, a URL or a device.
///
/// Confined: one queue opens and reads; `interrupt` may be thrown from any thread. A file that ends early plays to its
/// last good frame; see `statistics`. Pictures may change size in the middle where the stream does.
public final class VideoReader {
    /// How an input is opened.
    public struct Options: Sendable {
        /// Input format by FFmpeg's name (`v4l2`, `rawvideo`); nil probes.
        public var format: String?
        /// Options of the format and the protocol by FFmpeg's names; unknown ones are an error.
        public var options: [String: String] = [:]
        /// Whom connections over TLS believe.
        public var security = TransportSecurity()
        /// Decoder threads; nil chooses such that decoding does not fight inference for cores.
        public var decoderThreads: Int?
        /// Whether rotation and mirroring that the container asks for are applied.
        public var appliesRotation = true
        /// How pictures lie where the input does not say.
        var fallbackOrientation: Orientation?
        /// Whether to start over at the end, with timestamps that go on.
        public var isLooping = false
        /// Seconds without data after which opening or a read fails; nil waits for ever.
        public var timeout: Double?
        /// Seconds that opening may take, where it is not `timeout`.
        var openTimeout: Double?
        /// Whether audio taps outlive this reader, because another one goes on with the same source.
        var isContinued = false

        /// The defaults.
        public init() {}
    }

    /// What the input says of itself.
    public let info: VideoInfo
    /// Unblocks and ends a read or an open from another thread.
    public let interrupt: Interrupt

    private let location: String
    private let options: Options
    private let packet: UnsafeMutablePointer<AVPacket>
    private let converter = PictureConverter()
    private let orientation: Orientation
    private let grayIsFull: Bool
    private let isJPEG: Bool
    private var demuxer: Demuxer
    private var decoder: Decoder
    private var stream: UnsafeMutablePointer<AVStream>
    private var times: TimestampRepair
    private var counts = ReaderStatistics()
    private var audio = AudioRoutes()
    private var videoTaps: [VideoTap] = []
    private var rings: [PacketRing] = []
    private var lastFrameAt: UInt64 = 0
    /// When the first packet came, of those that are stamped by their arrival.
    private var firstArrival: UInt64?
    /// Of the last packet; decoding times only rise, but where one recording was appended to another.
    private var lastDts: Int64?
    private var hasStarted = false
    private var framesThisRound = 0
    private var isDraining = false
    private var hasEnded = false
    private var shape: (Int, Int, PixelFormat)?

    /// Opens `location`: a path, a URL, or a device with `options.format`.
    ///
    /// - Throws: `MediaError` with a sentence that begins with `location`.
    public init(_ location: String, options: Options = Options(), interrupt: Interrupt = Interrupt()) throws(MediaError)
    {
        do throws(MediaError) {
            interrupt.allow(options.openTimeout ?? options.timeout)
            defer { interrupt.allow(nil) }
            self.interrupt = interrupt
            self.location = location
            self.options = options
            demuxer = try Demuxer(
                location, format: options.format, options: options.options, security: options.security,
                interrupt: interrupt)
            stream = try demuxer.bestVideo()
            decoder = try Decoder(stream, threads: options.decoderThreads)
            var turn = options.fallbackOrientation ?? .upright
            if options.appliesRotation, let matrix = vpipe_stream_display_matrix(stream) {
                turn = Orientation(matrix: matrix) ?? .upright
            }
            orientation = turn
            var seen = VideoInfo(demuxer.context, stream, orientation: turn)
            seen.audio = demuxer.audio(beside: stream).map(AudioStreamInfo.init)
            if demuxer.stampsByArrival {
                // The demuxer claims 25 of a camera that says nothing.
                (seen.timeBase, seen.frameRate) = (Rational(1, 1_000_000), Rational(0, 1))
                decoder.context.pointee.pkt_timebase = seen.timeBase.av
            }
            info = seen
            switch stream.pointee.codecpar.pointee.codec_id {
            case AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_AV1, AV_CODEC_ID_VP9: grayIsFull = false
            default: grayIsFull = true
            }
            isJPEG = stream.pointee.codecpar.pointee.codec_id == AV_CODEC_ID_MJPEG
            let base = info.timeBase
            let perFrame = info.frameRate.value.map { 1 / $0 } ?? 0.04
            let tick = Double(base.num) / Double(base.den)
            times = TimestampRepair(
                ticksPerSecond: Int64(max(1, 1 / tick)), nominalDuration: Int64(max(1, (perFrame / tick).rounded())),
                origin: av_rescale_q(demuxer.context.pointee.start_time.orZero, Self.microseconds, base.av),
                bits: stream.pointee.pts_wrap_bits)
            guard let packet = av_packet_alloc() else {
                throw MediaError(status: vpipe_averror(ENOMEM), operation: "av_packet_alloc")
            }
            self.packet = packet
        } catch {
            throw error.of(location)
        }
    }

    deinit {
        var packet: UnsafeMutablePointer<AVPacket>? = packet
        av_packet_free(&packet)
    }

    /// What has been read so far.
    public var statistics: ReaderStatistics {
        var result = counts
        result.repairedTimestamps = times.repaired
        result.timeBreaks = times.breaks
        result.timeJumps = times.jumps
        result.timeWraps = times.wraps
        result.converted = converter.converted
        return result
    }

    /// A tap of all audio streams for one writer; nil where the input has none.
    ///
    /// Call it before the first `read`.
    public func makeAudioTap(capacityBytes: Int = 64 << 20) throws(MediaError) -> AudioTap? {
        precondition(!hasStarted, "audio taps are made before reading begins")
        return try audio.makeTap(of: demuxer, beside: stream, capacityBytes: capacityBytes)
    }

    /// A tap of the video's packets for one writer that stores them as they are.
    ///
    /// Call it before the first `read`, once for each writer.
    public func makeVideoTap(capacityBytes: Int = 256 << 20) throws(MediaError) -> VideoTap {
        precondition(!hasStarted, "video taps are made before reading begins")
        let tap = VideoTap(try VideoDescription(stream), capacityBytes: capacityBytes)
        videoTaps.append(tap)
        return tap
    }

    /// A ring that holds the newest of the video's packets.
    ///
    /// Call it before the first `read`, once for each writer.
    package func makePacketRing(capacityBytes: Int) throws(MediaError) -> PacketRing {
        let ring = PacketRing(capacityBytes: capacityBytes)
        try feed(rings + [ring])
        return ring
    }

    /// Has rings, also those of the reader before this one, take the video's packets.
    ///
    /// Call it before the first `read`.
    func feed(_ rings: [PacketRing]) throws(MediaError) {
        precondition(!hasStarted, "rings are filled from the first packet on")
        self.rings = rings
        try describe()
    }

    /// Says to the rings what the packets to come are.
    private func describe() throws(MediaError) {
        guard !rings.isEmpty else { return }
        let about = try VideoDescription(stream, timeBase: info.timeBase)
        for ring in rings { ring.begin(about) }
    }

    /// Hands audio on to the taps of the reader before this one, at the times that `begin(at:)` sets.
    func takeOver(_ taps: [AudioTap]) { audio.takeOver(taps, of: demuxer, beside: stream) }

    /// The taps made so far.
    var audioTaps: [AudioTap] { audio.taps }

    /// Has the first picture come at `seconds` rather than at zero.
    ///
    /// Audio from before zero is left out.
    func begin(at seconds: Double) {
        let base = info.timeBase
        times.advance(by: Int64(max(-1e9, min(1e9, seconds)) * Double(base.den) / Double(base.num)))
        audio.startsAtZero = true
    }

    /// The next picture, or nil at the end.
    ///
    /// - Throws: `noPicture` when the input ends without a single picture, `timedOut`, `interrupted`; of a live
    /// input also
    ///   what broke the connection.
    public func read() throws(MediaError) -> DecodedPicture? {
        if hasEnded { return nil }
        if !hasStarted { start() }
        interrupt.allow(options.timeout)
        defer { interrupt.allow(nil) }
        do throws(MediaError) {
            while true {
                let frame = AVFramePool.take()
                let status = avcodec_receive_frame(decoder.context, frame)
                if status >= 0 { return try deliver(frame) }
                AVFramePool.give(frame)
                if status == vpipe_averror_eof() {
                    if try startOver() { continue }
                    finish()
                    if counts.frames > 0 { return nil }
                    throw counts.endedEarly
                        ?? MediaError(
                            .noPicture, operation: "decode", detail: "holds no picture that can be decoded")
                }
                // Anything but "feed me" is about a packet that is used up: go on with the next.
                if status != vpipe_averror(EAGAIN) { counts.corrupt += 1 }
                try feed()
            }
        } catch {
            if error.code == .interrupted || error.code == .timedOut { finish() }
            throw error.of(location)
        }
    }

    // MARK: Demuxing

    private static let microseconds = AVRational(num: 1, den: 1_000_000)

    private func start() {
        hasStarted = true
        for case let other? in demuxer.streams where other != stream {
            other.pointee.discard = audio.wants(other.pointee.index) ? AVDISCARD_DEFAULT : AVDISCARD_ALL
        }
    }

    /// Gives the decoder the next packet of the video stream, or says that there are no more.
    private func feed() throws(MediaError) {
        if isDraining { return }
        let wanted = stream.pointee.index
        while true {
            interrupt.beginPacket()
            let status = av_read_frame(demuxer.context, packet)
            // What a packet without an end has brought so far is none.
            if interrupt.hasOverflown {
                throw interrupt.explain(MediaError(status: status, operation: "av_read_frame"))
            }
            if status < 0 {
                if status == vpipe_averror(EAGAIN), !interrupt.isCancelled, !interrupt.isExpired {
                    usleep(1000)
                    continue
                }
                try endOfInput(status)
                return
            }
            defer { av_packet_unref(packet) }
            if packet.pointee.stream_index == wanted {
                counts.packets += 1
                if isJPEG, !packet.endsJPEG { counts.corrupt += 1 }
                if demuxer.stampsByArrival { stamp() } else { watchDecodingTime() }
                let shift = times.isNewRound ? nil : times.shift
                for tap in videoTaps { tap.put(packet, shift: shift) }
                for ring in rings { ring.put(packet, shift: shift) }
                let status = avcodec_send_packet(decoder.context, packet)
                if status < 0 { counts.corrupt += 1 }
                return
            }
            if !times.isBreakDue, audio.leads(packet, breaks: times.breaks) { times.expectBreak() }
            audio.put(packet, times: times, base: info.timeBase)
        }
    }

    /// Notices that another time line begins, however short a step back it is.
    private func watchDecodingTime() {
        let dts = packet.pointee.dts
        guard dts.isTime else { return }
        // A tenth of a second is more than damaged or careless times differ by.
        if let lastDts, dts < lastDts &- times.ticksPerSecond / 10 { times.expectBreak() }
        lastDts = dts
    }

    /// Pictures of an HTTP camera carry no times of their own; the wall's clock, which FFmpeg would take, may step.
    private func stamp() {
        let now = MonotonicClock.system.now()
        let first = firstArrival ?? now
        firstArrival = first
        packet.pointee.pts = Int64(clamping: (now &- first) / 1000)
        packet.pointee.dts = packet.pointee.pts
        packet.pointee.duration = 0
    }

    private func endOfInput(_ status: Int32) throws(MediaError) {
        let seen = MediaError(status: status, operation: "av_read_frame").withHint()
        if status != vpipe_averror_eof(), seen.code != .ended || interrupt.isCancelled {
            let error = interrupt.explain(seen)
            if info.isLive || error.code == .interrupted || error.code == .timedOut { throw error }
            counts.endedEarly = error
        } else if seen.code != .ended, let output = demuxer.context.pointee.pb, output.pointee.error < 0,
            output.pointee.error != vpipe_averror_eof()
        {
            counts.endedEarly = interrupt.explain(MediaError(status: output.pointee.error, operation: "av_read_frame"))
        }
        isDraining = true
        _ = avcodec_send_packet(decoder.context, nil)
    }

    /// Begins another round of a loop; false where there is none.
    private func startOver() throws(MediaError) -> Bool {
        guard options.isLooping, framesThisRound > 0, counts.endedEarly == nil, !interrupt.isCancelled else {
            return false
        }
        if demuxer.rewind() {
            avcodec_flush_buffers(decoder.context)
        } else {
            let fresh = try Demuxer(
                location, format: options.format, options: options.options, security: options.security,
                interrupt: interrupt)
            stream = try fresh.bestVideo()
            decoder = try Decoder(stream, threads: options.decoderThreads)
            demuxer = fresh
            try describe()
            start()
        }
        isDraining = false
        lastDts = nil
        audio.startRound()
        framesThisRound = 0
        counts.loops += 1
        times.startRound()
        return true
    }

    private func finish() {
        hasEnded = true
        // The container's own count: what an index promises that the file does not hold.
        let promised = stream.pointee.nb_frames
        if counts.endedEarly == nil, !info.isLive, counts.loops == 0, promised > Int64(counts.packets) + 1 {
            counts.endedEarly = MediaError(
                .notMedia, operation: "read", detail: "the file is cut short: \(counts.packets) of \(promised) pictures"
            )
        }
        audio.flush(times, base: info.timeBase)
        if !options.isContinued { audio.end() }
    }

    // MARK: Pictures

    /// Ticks that may lie between two frames of one time line.
    ///
    /// Transport streams say that theirs may break, and a live stream's clock cannot run ahead of the world's; other
    /// files are believed up to a day and a quarter, as FFmpeg does.
    private func longestGap() -> Int64 {
        let mayBreak = demuxer.context.pointee.iformat.map { $0.pointee.flags & AVFMT_TS_DISCONT != 0 } ?? false
        guard info.isLive || mayBreak else { return 108_000 &* times.ticksPerSecond }
        guard info.isLive else { return 10 &* times.ticksPerSecond }
        let now = MonotonicClock.system.now()
        let elapsed = lastFrameAt == 0 ? 0 : Int64(clamping: (now &- lastFrameAt) / 1_000_000_000)
        lastFrameAt = now
        return (10 &+ 2 &* min(elapsed, 1_000_000)) &* times.ticksPerSecond
    }

    private func deliver(_ frame: UnsafeMutablePointer<AVFrame>) throws(MediaError) -> DecodedPicture {
        if frame.pointee.decode_error_flags != 0 || frame.pointee.flags & AV_FRAME_FLAG_CORRUPT != 0 {
            counts.corrupt += 1
        }
        if vpipe_frame_is_interlaced(frame) != 0 { counts.interlaced += 1 }
        let guess = frame.pointee.best_effort_timestamp
        let (breaks, shift) = (times.breaks, times.shift)
        let time = times.next(
            guess.isTime ? guess : nil, duration: vpipe_frame_duration(frame), longestGap: longestGap())
        audio.release(times: times, base: info.timeBase)
        for tap in videoTaps {
            tap.release(shift: times.shift)
            if times.breaks > breaks { tap.noteBrokenTimes() }
        }
        for ring in rings {
            ring.release(shift: times.shift)
            if times.breaks > breaks {
                ring.rebase(at: guess.isTime ? guess &+ shift : nil, by: times.shift &- shift)
            }
        }
        var turn = orientation
        if options.appliesRotation, let matrix = vpipe_frame_display_matrix(frame) {
            turn = Orientation(matrix: matrix) ?? orientation
        }
        let aspect = av_guess_sample_aspect_ratio(demuxer.context, stream, frame)
        let picture = try converter.picture(adopting: frame, aspect: aspect, turn: turn, grayIsFull: grayIsFull)
        if let shape, shape != (picture.width, picture.height, picture.format) { counts.shapeChanges += 1 }
        shape = (picture.width, picture.height, picture.format)
        counts.frames += 1
        framesThisRound += 1
        return DecodedPicture(
            picture: picture, pts: MediaTime(ticks: time.pts, base: info.timeBase),
            duration: MediaTime(ticks: time.duration, base: info.timeBase))
    }
}

extension UnsafeMutablePointer where Pointee == AVPacket {
    /// Whether a JPEG picture is whole: its end is marked, but for some bytes that cameras add.
    ///
    /// The decoder makes up what is missing and says nothing of it.
    fileprivate var endsJPEG: Bool {
        guard let data = pointee.data else { return true }
        let size = Int(pointee.size)
        var place = size - 2
        while place >= 0, place > size - 4096 {
            if data[place] == 0xFF, data[place + 1] == 0xD9 { return true }
            place -= 1
        }
        return false
    }
}
