// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg
internal import Dataflow
internal import Synchronization

/// The connection to the peer of a stream: made, fed and made again by a thread of its own.
///
///     away --connect--> connected --fault--> away --wait, try again--> connected
///
/// Thread-safe: one queue puts packets in, the thread takes them out; they meet at a lock-free ring. Every connection's
/// times begin at zero.
final class StreamLink: Sendable {
    /// Whether a picture can be taken.
    enum Readiness: Equatable {
        case away
        case slow
        /// Connected, for the n-th time.
        case ready(connection: Int)
    }

    /// A packet on its way, freed with its last owner.
    final class Parcel: Item, @unchecked Sendable {
        let packet: UnsafeMutablePointer<AVPacket>
        let connection: Int

        init(_ packet: UnsafeMutablePointer<AVPacket>, of connection: Int) {
            self.packet = packet
            self.connection = connection
            super.init(ticket: Ticket(source: 0, sequence: 0, capturedAt: 0))
        }

        deinit { AudioTap.free(packet) }
    }

    /// Counts of packets, which cost no lock.
    struct Counts: ~Copyable, Sendable {
        let packets = Atomic<Int>(0)
        let videoBytes = Atomic<Int>(0)
        let audioPackets = Atomic<Int>(0)
        let lost = Atomic<Int>(0)
    }

    /// What changes when the peer comes or goes.
    struct Book: Sendable {
        var failure: MediaError?
        var statistics = StreamStatistics()
    }

    /// How long the end may take, and a peer's first answer be waited for.
    private static let farewellNanoseconds: UInt64 = 2_000_000_000
    private static let greetingNanoseconds: UInt64 = 1_000_000_000
    /// In place of a connection's number: nobody is connected now, or will ever be.
    static let away = 0
    static let over = -1

    /// A second of usual video; more would be delay.
    let parcels = Ring(capacity: 30, policy: .dropNewest)
    let connection = Atomic<Int>(away)
    let counts = Counts()
    let book = Mutex(Book())
    /// When the thread has to be done, in monotonic nanoseconds; 0 until the end is near.
    let farewellAt = Atomic<UInt64>(0)
    /// Wakes the thread.
    let bell = Bell()
    /// Rung when an attempt to connect has come to something.
    let answer = Bell()
    let interrupt = Interrupt()
    private let turnCount = Atomic<Int>(0)
    private let worker = Mutex(Worker?.none)

    /// Starts to connect.
    ///
    /// `video` describes the stream, with times in ticks of `base`.
    init(
        _ target: StreamTarget, _ settings: StreamWriter.Settings, video: UnsafePointer<AVCodecContext>,
        base: Rational, frameRate: Rational, tap: AudioTap?
    ) throws(MediaError) {
        let sender = try StreamSender(target, settings, video: video, base: base, frameRate: frameRate, tap: tap)
        let thread = try Worker { [self] in
            while sender.step(self) {}
            sender.hangUp(self)
        }
        worker.withLock { $0 = thread }
    }

    var statistics: StreamStatistics {
        var result = book.withLock { $0.statistics }
        result.packets = counts.packets.load(ordering: .relaxed)
        result.videoBytes = counts.videoBytes.load(ordering: .relaxed)
        result.audioPackets = counts.audioPackets.load(ordering: .relaxed)
        result.lostPackets = counts.lost.load(ordering: .relaxed)
        return result
    }

    /// How often the peer has come or gone.
    var turns: Int { turnCount.load(ordering: .acquiring) }

    /// Waits for the first attempt to connect, for a moment: a stream does not begin with a loss.
    func greet() { answer.wait(until: MonotonicClock.system.now() &+ Self.greetingNanoseconds) }

    /// Whether a picture can be taken now.
    ///
    /// - Throws: why there will be no connection any more.
    func readiness() throws(MediaError) -> Readiness {
        let connection = connection.load(ordering: .acquiring)
        if connection == Self.over, let failure = book.withLock({ $0.failure }) { throw failure }
        guard connection > Self.away else { return .away }
        return parcels.count < parcels.capacity ? .ready(connection: connection) : .slow
    }

    /// Takes over a packet that was made for a connection; one for another than the present is lost.
    func put(_ packet: UnsafeMutablePointer<AVPacket>, of connection: Int) {
        guard case .stored = parcels.push(Parcel(packet, of: connection)) else {
            counts.lost.wrappingAdd(1, ordering: .relaxed)
            return
        }
        bell.ring()
    }

    /// Sends what waits, says goodbye and waits for the thread, for a moment.
    func finish() {
        farewellAt.store(MonotonicClock.system.now() &+ Self.farewellNanoseconds, ordering: .releasing)
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        // A call under way has no longer than that either.
        interrupt.allow(Double(Self.farewellNanoseconds) / 1e9)
        join()
    }

    /// Breaks off and waits for the thread.
    func cancel() {
        farewellAt.store(MonotonicClock.system.now(), ordering: .releasing)
        interrupt.cancel()
        join()
    }

    /// Limits the call to come to `seconds`, and to what is left before the end; false when nothing is.
    func allow(_ seconds: Double) -> Bool {
        // The limit is set before the end is looked at, so that `finish` shortens it or is seen here.
        interrupt.allow(seconds)
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        let end = farewellAt.load(ordering: .acquiring)
        guard end != 0 else { return true }
        let now = MonotonicClock.system.now()
        guard end > now else { return false }
        interrupt.allow(min(seconds, Double(end &- now) / 1e9))
        return true
    }

    /// Says that the peer has come (the number of its connection) or gone, after the book was written.
    func turn(_ new: Int) {
        connection.store(new, ordering: .releasing)
        turnCount.wrappingAdd(1, ordering: .acquiringAndReleasing)
        answer.ring()
    }

    private func join() {
        bell.ring()
        let thread = worker.withLock { worker in
            defer { worker = nil }
            return worker
        }
        thread?.join()
        // The thread was the only one to take packets.
        loseWaiting()
    }

    /// Throws away what waits and counts it as lost, with `taken` packets that did not wait any more.
    ///
    /// Called where packets are taken: by the thread, or after its end.
    func loseWaiting(besides taken: Int = 0) {
        var lost = taken
        while parcels.pop() != nil { lost += 1 }
        counts.lost.wrappingAdd(lost, ordering: .relaxed)
    }
}
