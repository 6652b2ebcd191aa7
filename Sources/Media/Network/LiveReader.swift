// SPDX-License-Identifier: Apache-2.0
internal import Dataflow
internal import Synchronization

/// A stream of the network that comes back: connected, decoded, and connected again after every loss.
///
///     connect --> streaming --fault--> lost --wait, try again--> streaming
///                     |                  \--`giveUpNanoseconds` over--> failed
///                     \--a recording ends--> ended
///
/// A thread of its own connects, reads and decodes, so that the socket never fills up behind a slow consumer; the newest
/// pictures wait in a short lock-free ring. Times go on over every loss: a picture's is the stream's own since the
/// connection, which begins where the world's clock stands. Thread-safe: `next` is called from one queue.
public final class LiveReader: Sendable {
    /// What to connect to and how.
    public struct Settings: Sendable {
        /// Where the stream is.
        public var address: StreamAddress
        /// What carries RTSP's media.
        public var transport = StreamAddress.Transport.tcp
        /// Seconds until a connection must stand and its streams be known.
        public var connectSeconds = 10.0
        /// Seconds without data that count as a loss.
        public var silenceSeconds = 10.0
        /// Age beyond which a picture is dropped for a newer one, in nanoseconds.
        public var staleNanoseconds: UInt64 = 1_000_000_000
        /// Nanoseconds before the first attempt to come back.
        public var firstRetryNanoseconds: UInt64 = 200_000_000
        /// The longest wait between attempts, in nanoseconds.
        public var longestRetryNanoseconds: UInt64 = 5_000_000_000
        /// Nanoseconds of absence after which reading fails; nil never gives up.
        public var giveUpNanoseconds: UInt64?
        /// Whether `next` says once a frame interval that there is no signal, rather than once.
        public var pacesNoSignal = false
        /// Whether a stream that ends or breaks is the end, rather than a loss.
        public var endsWithStream = false
        /// How pictures are read.
        public var reading = VideoReader.Options()

        /// The defaults for an address.
        public init(_ address: StreamAddress) { self.address = address }
    }

    /// One picture and when it was taken.
    public struct Shot: Sendable {
        /// The image.
        public let picture: Picture
        /// Microseconds since `start`; strictly increasing.
        public let time: Int64
        /// How long it shows, in microseconds; 0 where unknown.
        public let duration: Int64
        /// When it left the camera, as near as the network lets us know: monotonic nanoseconds.
        public let capturedAt: UInt64
    }

    /// What `next` has to say.
    public enum Event: Sendable {
        /// A picture.
        case picture(Shot)
        /// The stream is away, for this reason; said at the pace of its frames, or once.
        case noSignal(StreamFault)
        /// The recording is over, or `interrupt` was called.
        case ended
    }

    /// Where the stream stands, for the consumer to know at a glance.
    enum Standing: UInt8, AtomicRepresentable { case flowing, away, over }

    /// What is known of the stream; the lock is taken when it comes or goes and a few times a second, not for pictures.
    struct Book: Sendable {
        /// Why the stream is away; nil while it is there, and until it was there for the first time.
        var fault: StreamFault?
        /// Whether `next` has said so.
        var isFaultSaid = false
        var failure: MediaError?
        var statistics = LiveStatistics()
        var info: VideoInfo?
        /// Of the last picture before a loss.
        var shape: Shape?
        var pace = NoSignalPace(startingAt: 0)
        var startedAt: UInt64?
        /// Pictures that the consumer had no room for.
        var skipped = 0
    }

    /// Size and layout of pictures.
    public typealias Shape = (width: Int, height: Int, format: PixelFormat, color: ColorSpec)

    /// A picture on its way to the consumer.
    final class Arrival: Item, @unchecked Sendable {
        let shot: Shot

        init(_ shot: Shot) {
            self.shot = shot
            super.init(ticket: Ticket(source: 0, sequence: 0, capturedAt: shot.capturedAt))
        }
    }

    let settings: Settings
    let interruption = Interrupt()
    /// The newest pictures: enough for the consumer to be late once, too few to be a delay.
    let arrivals = Ring(capacity: 8, policy: .dropOldest)
    let standing = Atomic<Standing>(.flowing)
    let book = Mutex(Book())
    /// Wakes the consumer.
    let bell = Bell()
    /// Wakes the reading thread out of its pauses.
    let halt = Bell()
    private let turnCount = Atomic<Int>(0)
    /// What `connect` made, for the thread to take over; the thread.
    private let parts = Mutex(
        (connection: LiveConnection?.none, worker: Worker?.none, rings: [PacketRing]()))

    /// Makes a stream that is not connected yet.
    public init(_ settings: Settings) { self.settings = settings }

    deinit { interrupt() }

    /// Connects now.
    ///
    /// - Throws: a sentence that names the address, without its secrets.
    public func connect() throws(MediaError) {
        let connection = try open()
        parts.withLock { $0.connection = connection }
    }

    /// What the stream says of itself; nil until it was there.
    public var info: VideoInfo? { book.withLock { $0.info } }

    /// Size and layout of the last picture before the stream went; nil before it ever did.
    public var shape: Shape? { book.withLock { $0.shape } }

    /// The present on the clock of the pictures' times: microseconds since `start`.
    public var present: Int64 {
        let startedAt = book.withLock { $0.startedAt }
        return startedAt.map { Int64(clamping: (Self.now &- $0) / 1000) } ?? 0
    }

    /// How often the stream has gone or come back: tells cheaply whether there is news in `statistics`.
    public var turns: Int { turnCount.load(ordering: .acquiring) }

    /// Counts so far; those of pictures are a quarter of a second old at most.
    public var statistics: LiveStatistics {
        book.withLock { book in
            var statistics = book.statistics
            statistics.overtaken += book.skipped
            statistics.securityNote = settings.reading.security.note(on: settings.address)
            return statistics
        }
    }

    /// A tap of all audio streams for one writer; nil where there are none, or nothing is connected.
    ///
    /// Before `start`.
    public func makeAudioTap() throws(MediaError) -> AudioTap? {
        try parts.withLock { parts throws(MediaError) in try parts.connection?.reader.makeAudioTap() }
    }

    /// A ring that holds the newest of the video's packets, of all connections.
    ///
    /// Before `start`.
    package func makePacketRing(capacityBytes: Int) throws(MediaError) -> PacketRing {
        let ring = PacketRing(capacityBytes: capacityBytes)
        try parts.withLock { parts throws(MediaError) in
            parts.rings.append(ring)
            // What they will hold is known already where it is connected.
            try parts.connection?.reader.feed(parts.rings)
        }
        return ring
    }

    /// Begins to read; times count from here.
    public func start() throws(MediaError) {
        let (connection, rings) = parts.withLock { parts in
            defer { parts.connection = nil }
            return (parts.connection, parts.rings)
        }
        let startedAt = Self.now
        book.withLock { $0.startedAt = startedAt }
        let worker = try Worker { [weak self, settings] in
            var loop = LiveLoop(settings, connection, filling: rings, startedAt: startedAt)
            // The thread ends with the reader, which it must not keep.
            while let reader = self, loop.step(reader) {}
        }
        parts.withLock { $0.worker = worker }
    }

    /// Ends `next`, now and later.
    public func interrupt() {
        interruption.cancel()
        halt.ring()
        bell.ring()
    }

    /// Waits until the thread has gone.
    ///
    /// After `interrupt`.
    public func join() {
        let worker = parts.withLock { parts in
            defer { parts.worker = nil }
            return parts.worker
        }
        worker?.join()
    }

    /// The next event; waits for it.
    ///
    /// A loss is survived here, counted by name.
    ///
    /// - Throws: the last fault, once it has lasted too long or where it is the end.
    public func next() throws(MediaError) -> Event {
        while !interruption.isCancelled {
            // Before the pictures: those that came before the end are not missed.
            let standing = standing.load(ordering: .acquiring)
            if let arrival = arrivals.pop() as? Arrival { return .picture(arrival.shot) }
            switch standing {
            case .flowing: bell.wait(until: nil)
            case .over:
                if let failure = book.withLock({ $0.failure }) { throw failure }
                return .ended
            case .away:
                let (fault, dueAt) = absence(at: Self.now)
                if let fault { return .noSignal(fault) }
                bell.wait(until: dueAt)
            }
        }
        return .ended
    }

    /// The fault that is to be said now, or when there will be one to say.
    private func absence(at now: UInt64) -> (fault: StreamFault?, dueAt: UInt64?) {
        book.withLock { book in
            guard let fault = book.fault else { return (nil, nil) }
            guard settings.pacesNoSignal else {
                defer { book.isFaultSaid = true }
                return (book.isFaultSaid ? nil : fault, nil)
            }
            guard book.shape != nil else { return (nil, nil) }
            let rate = min(book.info?.frameRate.value ?? 25, 60)
            return book.pace.take(at: now, rate: rate) ? (fault, nil) : (nil, book.pace.dueAt)
        }
    }

    /// Drops all but the newest of the pictures that wait: the consumer had no room for them.
    public func skipToNewest() {
        var skipped = 0
        while arrivals.count > 1, arrivals.pop() != nil { skipped += 1 }
        if skipped > 0 { book.withLock { $0.skipped += skipped } }
    }

    static var now: UInt64 { MonotonicClock.system.now() }

    /// Opens a connection.
    func open() throws(MediaError) -> LiveConnection {
        let connection = try LiveConnection(settings, interruption)
        book.withLock { book in
            book.info = connection.reader.info
            book.statistics.describe(connection.reader.info)
        }
        return connection
    }

    /// Tells the consumer that the stream has gone, come back or ended, after the book was written.
    func turn(_ new: Standing) {
        standing.store(new, ordering: .releasing)
        turnCount.wrappingAdd(1, ordering: .acquiringAndReleasing)
    }
}
