// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg
internal import Dataflow
internal import Synchronization

/// What pushing a stream has come to so far.
public struct StreamStatistics: Sendable, Hashable {
    /// FFmpeg's name of the encoder used.
    public internal(set) var encoder = ""
    /// Pictures the peer was sent.
    public internal(set) var packets = 0
    /// Bytes of video sent.
    public internal(set) var videoBytes = 0
    /// Audio packets sent.
    public internal(set) var audioPackets = 0
    /// Encoded pictures that were on their way when the connection broke.
    public internal(set) var lostPackets = 0
    /// Connections made.
    public internal(set) var connections = 0
    /// Losses and returns.
    public internal(set) var outages = Outages<StreamFault>()
    /// Attempts to connect that failed, by cause.
    public internal(set) var failedAttempts: [StreamFault: Int] = [:]
    /// Things the user should know.
    public internal(set) var warnings: [String] = []
}

/// The connection to the peer of a stream: made, fed and made again by a thread of its own.
///
///     away --connect--> connected --fault--> away --wait, try again--> connected
///
/// Thread-safe: one queue puts packets in, the thread takes them out. Every connection's times begin at zero.
final class StreamLink: Sendable {
    /// Whether a picture can be taken.
    enum Readiness: Equatable {
        case away
        case slow
        /// Connected, for the n-th time.
        case ready(connection: Int)
    }

    /// A packet on its way. `@unchecked Sendable`: it has one owner at a time.
    private struct Entry: @unchecked Sendable {
        let packet: UnsafeMutablePointer<AVPacket>
    }

    private struct State: Sendable {
        var entries: [Entry] = []
        var connection = 0
        var isConnected = false
        /// When the thread has to be done; nil until the end is near.
        var farewellAt: UInt64?
        var failure: MediaError?
        var statistics = StreamStatistics()
    }

    /// Packets that wait at most: a second of usual video. More would be delay.
    private static let capacity = 30
    /// How long the end may take.
    private static let farewellNanoseconds: UInt64 = 2_000_000_000

    private let state = Mutex(State())
    private let bell = Bell()
    private let interrupt = Interrupt()
    private let worker = Mutex(Worker?.none)

    /// Starts to connect. `video` describes the stream, with times in ticks of `base`.
    init(
        _ target: StreamTarget, _ settings: StreamWriter.Settings, video: UnsafePointer<AVCodecContext>,
        base: Rational, frameRate: Rational, tap: AudioTap?
    ) throws(MediaError) {
        let sender = try Sender(target, settings, video: video, base: base, frameRate: frameRate, tap: tap)
        let thread = try Worker { [self] in
            while sender.step(self) {}
            sender.hangUp()
        }
        worker.withLock { $0 = thread }
    }

    deinit { for entry in state.withLock({ $0.entries }) { AudioTap.free(entry.packet) } }

    var statistics: StreamStatistics { state.withLock { $0.statistics } }

    /// Whether a picture can be taken now.
    ///
    /// - Throws: why there will be no connection any more.
    func readiness() throws(MediaError) -> Readiness {
        let (failure, result) = state.withLock { state -> (MediaError?, Readiness) in
            guard state.isConnected else { return (state.failure, .away) }
            return (nil, state.entries.count < Self.capacity ? .ready(connection: state.connection) : .slow)
        }
        if let failure { throw failure }
        return result
    }

    /// Takes over a packet that was made for a connection; one for another than the present is lost.
    func put(_ packet: UnsafeMutablePointer<AVPacket>, of connection: Int) {
        let isTaken = state.withLock { state in
            guard state.isConnected, state.connection == connection else {
                state.statistics.lostPackets += 1
                return false
            }
            state.entries.append(Entry(packet: packet))
            return true
        }
        if isTaken { bell.ring() } else { AudioTap.free(packet) }
    }

    /// Sends what waits, says goodbye and waits for the thread, for a moment.
    func finish() {
        state.withLock { $0.farewellAt = MonotonicClock.system.now() &+ Self.farewellNanoseconds }
        // A call under way has no longer than that either.
        interrupt.allow(Double(Self.farewellNanoseconds) / 1e9)
        join()
    }

    /// Breaks off and waits for the thread.
    func cancel() {
        state.withLock { $0.farewellAt = MonotonicClock.system.now() }
        interrupt.cancel()
        join()
    }

    /// Limits the call to come to `seconds`, and to what is left before the end; false when nothing is.
    private func allow(_ seconds: Double) -> Bool {
        // The limit is set before the end is looked at, so that `finish` shortens it or is seen here.
        interrupt.allow(seconds)
        guard let end = state.withLock({ $0.farewellAt }) else { return true }
        let now = MonotonicClock.system.now()
        guard end > now else { return false }
        interrupt.allow(min(seconds, Double(end &- now) / 1e9))
        return true
    }

    private func join() {
        bell.ring()
        let thread = worker.withLock { worker in
            defer { worker = nil }
            return worker
        }
        thread?.join()
    }

    /// What the thread works with; made on the caller's queue, used by the thread alone.
    private final class Sender: @unchecked Sendable {
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
                let (entry, isFinishing) = link.state.withLock { state in
                    (state.entries.isEmpty ? nil : state.entries.removeFirst(), state.farewellAt != nil)
                }
                guard let entry else {
                    if isFinishing { return false }
                    link.bell.wait(until: nil)
                    return true
                }
                defer { AudioTap.free(entry.packet) }
                guard link.allow(settings.silenceSeconds) else { return false }
                try send(entry.packet, through: muxer, link)
                return true
            } catch {
                return lose(error, link)
            }
        }

        /// Closes what is open.
        func hangUp() {
            guard let muxer else { return }
            try? audio?.finish(into: muxer)
            audio = nil
            // The muxer writes its trailer when it goes.
            self.muxer = nil
        }

        private func connect(_ link: StreamLink) throws(MediaError) -> Bool {
            if link.state.withLock({ $0.farewellAt != nil }) { return false }
            if MonotonicClock.system.now() < retryAt {
                link.bell.wait(until: retryAt)
                return true
            }
            guard link.allow(settings.connectSeconds) else { return false }
            let muxer = try Muxer(pushingTo: target, interrupt: link.interrupt)
            let stream = try muxer.addStream(timeBase: base)
            try check(avcodec_parameters_copy(stream.pointee.codecpar, parameters), operation: "avcodec_parameters_copy")
            stream.pointee.codecpar.pointee.codec_tag = 0
            if frameRate.value != nil { stream.pointee.avg_frame_rate = frameRate.av }
            var warnings: [String] = []
            var audio: AudioCopy?
            if let tap { audio = try AudioCopy(tap, muxer: muxer, into: target.audio) { warnings.append($0) } }
            try muxer.writeHeader(target.muxerOptions)
            (self.muxer, self.stream, self.audio, origin) = (muxer, stream, audio, nil)
            let now = MonotonicClock.system.now()
            schedule.succeeded(at: now)
            link.state.withLock { state in
                state.connection += 1
                state.isConnected = true
                state.statistics.connections += 1
                state.statistics.outages.returned(at: now)
                state.statistics.warnings = warnings
            }
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
            let size = Int(packet.pointee.size)
            try muxer.write(packet)
            let heard = audio?.packets ?? 0
            link.state.withLock { state in
                state.statistics.packets += 1
                state.statistics.videoBytes += size
                state.statistics.audioPackets = max(state.statistics.audioPackets, heard)
            }
        }

        private func lose(_ error: MediaError, _ link: StreamLink) -> Bool {
            let now = MonotonicClock.system.now()
            let wasConnected = muxer != nil
            let fault = StreamFault(error, isConnected: wasConnected)
            // Closing tells a peer that may be gone; it must not take long.
            _ = link.allow(0.5)
            audio = nil
            muxer = nil
            if wasConnected { awaySince = now }
            retryAt = schedule.failed(at: now)
            let isOver = settings.giveUpNanoseconds.map { now &- awaySince >= $0 } ?? false
            let lost = link.state.withLock { state in
                state.isConnected = false
                if wasConnected {
                    state.statistics.outages.lost(fault, error.detail, at: now)
                } else {
                    state.statistics.failedAttempts[fault, default: 0] += 1
                    if state.statistics.outages.lastLoss == nil { state.statistics.outages.lastLoss = error.detail }
                }
                // The packet that failed is lost with those behind it.
                state.statistics.lostPackets += state.entries.count + (wasConnected ? 1 : 0)
                if isOver { state.failure = error }
                defer { state.entries = [] }
                return state.entries
            }
            for entry in lost { AudioTap.free(entry.packet) }
            return !isOver
        }
    }
}
