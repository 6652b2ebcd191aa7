// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg
internal import Dataflow

/// What the thread of a `StreamLink` works with: connects, sends, and connects again.
///
/// `@unchecked Sendable`: made on the caller's queue, used by the thread alone.
final class StreamSender: @unchecked Sendable {
    private let target: StreamTarget
    private let settings: StreamWriter.Settings
    private let parameters: UnsafeMutablePointer<AVCodecParameters>
    private let base: Rational
    private let frameRate: Rational
    private let tap: AudioTap?
    private var muxer: Muxer?
    private var stream: UnsafeMutablePointer<AVStream>?
    private var audio: AudioCopy?
    /// Time of the connection's first packet.
    private var origin: Int64?
    /// The last decoding time sent, in the muxer's ticks, which may be coarser than ours.
    private var lastDts: Int64?
    private var connections = 0
    /// What was written to a segment that has not arrived yet.
    private var unconfirmed = (packets: 0, bytes: 0, segments: 0)
    /// Packets of sound that this connection's share in the count holds.
    private var heard = 0
    private var schedule: RetrySchedule
    private var retryAt: UInt64 = 0
    private var awaySince: UInt64

    init(
        _ target: StreamTarget, _ settings: StreamWriter.Settings, video: UnsafePointer<AVCodecContext>,
        base: Rational, frameRate: Rational, tap: AudioTap?
    ) throws(MediaError) {
        guard let parameters = avcodec_parameters_alloc() else {
            throw MediaError(status: vpipe_averror(12), operation: "avcodec_parameters_alloc")
        }
        self.parameters = parameters
        self.target = target
        self.settings = settings
        self.base = base
        self.frameRate = frameRate
        self.tap = tap
        let now = MonotonicClock.system.now()
        awaySince = now
        schedule = RetrySchedule(
            first: 200_000_000, longest: settings.longestRetryNanoseconds, seed: now)
        try check(
            avcodec_parameters_from_context(parameters, video), operation: "avcodec_parameters_from_context")
    }

    deinit {
        var parameters: UnsafeMutablePointer<AVCodecParameters>? = parameters
        avcodec_parameters_free(&parameters)
    }

    /// Takes one step; false at the end.
    func step(_ link: StreamLink) -> Bool {
        guard !link.interrupt.isCancelled else { return false }
        do throws(MediaError) {
            guard let muxer else { return try connect(link) }
            // Before the packets: those that were put in before the end are not missed.
            let isFinishing = link.farewellAt.load(ordering: .acquiring) != 0
            guard let parcel = link.parcels.pop() as? StreamLink.Parcel else {
                if isFinishing { return false }
                link.bell.wait(until: nil)
                return true
            }
            guard parcel.connection == connections else {
                link.counts.lost.wrappingAdd(1, ordering: .relaxed)
                return true
            }
            guard link.allow(settings.silenceSeconds) else {
                link.loseWaiting(besides: 1)
                return false
            }
            try send(parcel.packet, through: muxer, link)
            return true
        } catch {
            return lose(error, link)
        }
    }

    /// Says goodbye and closes what is open; what did not arrive any more is in the books.
    func hangUp(_ link: StreamLink) {
        guard let muxer else { return }
        do throws(MediaError) {
            try audio?.finish(into: muxer)
            try muxer.writeTrailer()
            confirm(link, isComplete: true)
        } catch {
            if unconfirmed.packets > 0 {
                let now = MonotonicClock.system.now()
                link.counts.lost.wrappingAdd(unconfirmed.packets, ordering: .relaxed)
                link.book.withLock {
                    $0.statistics.outages.lost(StreamFault(error, isConnected: true), error.detail, at: now)
                }
                unconfirmed = (0, 0, 0)
                link.turn(StreamLink.away)
            }
        }
        audio = nil
        self.muxer = nil
    }

    /// Books what has arrived: at once, or with the segment that it is in.
    private func confirm(_ link: StreamLink, isComplete: Bool = false) {
        guard let muxer, unconfirmed.packets > 0 else { return }
        if let segments = muxer.segments, !isComplete {
            guard segments > unconfirmed.segments else { return }
            unconfirmed.segments = segments
        }
        link.counts.packets.wrappingAdd(unconfirmed.packets, ordering: .relaxed)
        link.counts.videoBytes.wrappingAdd(unconfirmed.bytes, ordering: .relaxed)
        (unconfirmed.packets, unconfirmed.bytes) = (0, 0)
    }

    private func connect(_ link: StreamLink) throws(MediaError) -> Bool {
        if link.farewellAt.load(ordering: .acquiring) != 0 { return false }
        if MonotonicClock.system.now() < retryAt {
            link.bell.wait(until: retryAt)
            return true
        }
        guard link.allow(settings.connectSeconds) else { return false }
        let muxer = try Muxer(pushingTo: target, interrupt: link.interrupt)
        let stream = try muxer.addStream(timeBase: base)
        try check(
            avcodec_parameters_copy(stream.pointee.codecpar, parameters), operation: "avcodec_parameters_copy")
        stream.pointee.codecpar.pointee.codec_tag = 0
        if frameRate.value != nil { stream.pointee.avg_frame_rate = frameRate.av }
        var warnings: [String] = []
        var audio: AudioCopy?
        if let tap { audio = try AudioCopy(tap, muxer: muxer, into: target.audio) { warnings.append($0) } }
        try muxer.writeHeader(target.muxerOptions)
        (self.muxer, self.stream, self.audio, origin, lastDts) = (muxer, stream, audio, nil, nil)
        heard = 0
        unconfirmed = (0, 0, muxer.segments ?? 0)
        let now = MonotonicClock.system.now()
        schedule.succeeded(at: now)
        connections += 1
        link.book.withLock { book in
            book.statistics.connections = connections
            book.statistics.outages.returned(at: now)
            book.statistics.warnings = warnings
        }
        link.turn(connections)
        return true
    }

    private func send(
        _ packet: UnsafeMutablePointer<AVPacket>, through muxer: Muxer, _ link: StreamLink
    ) throws(MediaError) {
        guard let stream else { return }
        let time = packet.pointee.dts.isTime ? packet.pointee.dts : packet.pointee.pts
        let seconds = MediaTime(ticks: time, base: base).seconds
        if origin == nil {
            origin = time
            tap?.discard(until: seconds)
        }
        let shift = -(origin ?? 0)
        try audio?.drain(until: seconds, into: muxer, shift: shift, base: base)
        packet.pointee.pts &+= shift
        packet.pointee.dts &+= shift
        if packet.pointee.duration <= 0, let rate = frameRate.value {
            packet.pointee.duration = Int64(Double(base.den) / (Double(base.num) * rate))
        }
        av_packet_rescale_ts(packet, base.av, stream.pointee.time_base)
        packet.pointee.stream_index = stream.pointee.index
        if let lastDts, packet.pointee.dts <= lastDts { packet.pointee.dts = lastDts &+ 1 }
        packet.pointee.pts = max(packet.pointee.pts, packet.pointee.dts)
        lastDts = packet.pointee.dts
        let size = Int(packet.pointee.size)
        try muxer.write(packet)
        // The packet that begins a segment is written after the one before has arrived.
        if muxer.segments != nil { confirm(link) }
        unconfirmed.packets += 1
        unconfirmed.bytes += size
        if muxer.segments == nil { confirm(link) }
        if let audio {
            link.counts.audioPackets.wrappingAdd(audio.packets - heard, ordering: .relaxed)
            heard = audio.packets
        }
    }

    private func lose(_ error: MediaError, _ link: StreamLink) -> Bool {
        let now = MonotonicClock.system.now()
        let wasConnected = muxer != nil
        // The packet that failed is lost with those behind it, and with those of its segment.
        let unsent = unconfirmed.packets
        unconfirmed = (0, 0, 0)
        defer { link.loseWaiting(besides: wasConnected ? 1 + unsent : 0) }
        // Broken off by ourselves, which is no fault of the peer.
        guard !link.interrupt.isCancelled else { return false }
        let fault = StreamFault(error, isConnected: wasConnected)
        // Closing tells a peer that may be gone; it must not take long.
        _ = link.allow(0.5)
        audio = nil
        muxer = nil
        if wasConnected { awaySince = now }
        retryAt = schedule.failed(at: now)
        let isOver = settings.giveUpNanoseconds.map { now &- awaySince >= $0 } ?? false
        link.book.withLock { book in
            if wasConnected {
                book.statistics.outages.lost(fault, error.detail, at: now)
            } else {
                book.statistics.failedAttempts[fault, default: 0] += 1
                if book.statistics.outages.lastLoss == nil { book.statistics.outages.lastLoss = error.detail }
            }
            if isOver { book.failure = error }
        }
        link.turn(isOver ? StreamLink.over : StreamLink.away)
        return !isOver
    }
}
