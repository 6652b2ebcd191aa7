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
/// pictures wait in a short list. Times go on over every loss: a picture's is the stream's own since the connection, which
/// begins where the world's clock stands. Thread-safe: `next` is called from one queue.
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
        /// Whether `next` says once a frame interval that there is no signal.
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
        /// The stream is away, for this reason; said at the pace of its frames.
        case noSignal(StreamFault)
        /// The recording is over, or `interrupt` was called.
        case ended
    }

    private struct State: Sendable {
        var shots: [Shot] = []
        /// Why the stream is away; nil while it is there, and until it was there for the first time.
        var fault: StreamFault?
        var isOver = false
        var failure: MediaError?
        var statistics = LiveStatistics()
        var info: VideoInfo?
        var shape: (width: Int, height: Int, format: PixelFormat, color: ColorSpec)?
        var pace = NoSignalPace(startingAt: 0)
        var startedAt: UInt64?
    }

    /// Pictures that wait at most: enough for the consumer to be late once, too few to be a delay.
    private static let capacity = 8

    private let settings: Settings
    private let interruption = Interrupt()
    private let state = Mutex(State())
    /// Wakes the consumer.
    private let arrival = Bell()
    /// Wakes the reading thread out of its pauses.
    private let halt = Bell()
    /// What `connect` made, for the thread to take over; the thread.
    private let parts = Mutex((connection: Connection?.none, worker: Worker?.none))

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
    public var info: VideoInfo? { state.withLock { $0.info } }

    /// Size and layout of the last picture; nil until there was one.
    public var shape: (width: Int, height: Int, format: PixelFormat, color: ColorSpec)? {
        state.withLock { $0.shape }
    }

    /// The present on the clock of the pictures' times: microseconds since `start`.
    public var present: Int64 {
        let startedAt = state.withLock { $0.startedAt }
        return startedAt.map { Int64(clamping: (Self.now &- $0) / 1000) } ?? 0
    }

    /// Counts so far.
    public var statistics: LiveStatistics { state.withLock { $0.statistics } }

    /// A tap of all audio streams for one writer; nil where there are none, or nothing is connected. Before `start`.
    public func makeAudioTap() throws(MediaError) -> AudioTap? {
        try parts.withLock { parts throws(MediaError) in try parts.connection?.reader.makeAudioTap() }
    }

    /// Begins to read; times count from here.
    public func start() throws(MediaError) {
        let connection = parts.withLock { parts in
            defer { parts.connection = nil }
            return parts.connection
        }
        let startedAt = Self.now
        state.withLock { $0.startedAt = startedAt }
        let worker = try Worker { [weak self, settings] in
            var loop = Loop(settings, connection, startedAt: startedAt)
            // The thread ends with the reader, which it must not keep.
            while let reader = self, loop.step(reader) {}
        }
        parts.withLock { $0.worker = worker }
    }

    /// Ends `next`, now and later.
    public func interrupt() {
        interruption.cancel()
        halt.ring()
        arrival.ring()
    }

    /// Waits until the thread has gone. After `interrupt`.
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
            let now = Self.now
            let (event, failure, due) = state.withLock { state -> (Event?, MediaError?, UInt64?) in
                if !state.shots.isEmpty { return (.picture(state.shots.removeFirst()), nil, nil) }
                if state.isOver { return (.ended, state.failure, nil) }
                guard settings.pacesNoSignal, let fault = state.fault, state.shape != nil else { return (nil, nil, nil) }
                let rate = min(state.info?.frameRate.value ?? 25, 60)
                if state.pace.take(at: now, rate: rate) { return (.noSignal(fault), nil, nil) }
                return (nil, nil, state.pace.dueAt)
            }
            if let failure { throw failure }
            if let event { return event }
            arrival.wait(until: due)
        }
        return .ended
    }

    /// Drops all but the newest of the pictures that wait: the consumer had no room for them.
    public func skipToNewest() {
        state.withLock { state in
            guard state.shots.count > 1 else { return }
            state.statistics.overtaken += state.shots.count - 1
            state.shots.removeFirst(state.shots.count - 1)
        }
    }

    fileprivate static var now: UInt64 { MonotonicClock.system.now() }
}

/// One connection: a reader, and when it was opened. `@unchecked Sendable`: used by one thread at a time.
private struct Connection: @unchecked Sendable {
    let reader: VideoReader
    let openedAt: UInt64
}

extension VideoReader.Options {
    /// Sets protocol and time limits for an address; `settings` says how long.
    public mutating func connect(to address: StreamAddress, _ settings: LiveReader.Settings) {
        options = address.inputOptions(
            transport: settings.transport, connect: settings.connectSeconds, silence: settings.silenceSeconds)
        openTimeout = settings.connectSeconds
        timeout = settings.silenceSeconds
    }
}

extension LiveReader {
    private func open() throws(MediaError) -> Connection {
        var options = settings.reading
        options.connect(to: settings.address, settings)
        options.isContinued = true
        let reader = try VideoReader(settings.address.url, options: options, interrupt: interruption)
        state.withLock { state in
            state.info = reader.info
            state.statistics.describe(reader.info)
        }
        return Connection(reader: reader, openedAt: Self.now)
    }

    /// What the reading thread does: one connection after the other.
    fileprivate struct Loop {
        private let startedAt: UInt64
        private var connection: Connection?
        private var clock: LiveClock?
        private var schedule: RetrySchedule
        private var retryAt: UInt64 = 0
        private var awaySince: UInt64
        private var lastTime: Int64 = -1
        private var taps: [AudioTap] = []
        private var earlier = ReaderStatistics()

        init(_ settings: Settings, _ connection: Connection?, startedAt: UInt64) {
            self.startedAt = startedAt
            self.connection = connection
            awaySince = startedAt
            schedule = RetrySchedule(
                first: settings.firstRetryNanoseconds, longest: settings.longestRetryNanoseconds, seed: startedAt)
        }

        /// Takes one step; false at the end.
        mutating func step(_ live: LiveReader) -> Bool {
            if live.interruption.isCancelled { return finish(live, nil) }
            do throws(MediaError) {
                guard let connection else { return try connect(live) }
                if clock == nil { begin(connection, live) }
                guard let decoded = try connection.reader.read() else { return try streamEnded(connection, live) }
                take(decoded, connection, live)
                return true
            } catch {
                let isLast = live.settings.endsWithStream && connection != nil
                if live.interruption.isCancelled || isLast { return finish(live, error) }
                return lose(StreamFault(error, isConnected: connection != nil), error, live)
            }
        }

        // MARK: Coming and going

        /// Waits until it is time, and connects. Throws what kept it from connecting.
        private mutating func connect(_ live: LiveReader) throws(MediaError) -> Bool {
            if LiveReader.now < retryAt {
                live.halt.wait(until: retryAt)
                return true
            }
            connection = try live.open()
            return true
        }

        private mutating func begin(_ connection: Connection, _ live: LiveReader) {
            let info = connection.reader.info
            if taps.isEmpty { taps = connection.reader.audioTaps } else { connection.reader.takeOver(taps) }
            // Live time goes on with the world's, also after a stream whose clock ran ahead of it.
            let afterLast = Double(lastTime + 1) / 1e6
            let opened = (Double(connection.openedAt) - Double(startedAt)) / 1e9
            let begin = info.isLive ? max(opened, afterLast) : afterLast
            connection.reader.begin(at: begin)
            // Playlists and recordings come in bursts.
            let isPaced = !info.isLive || info.container == "hls" || info.container == "dash"
            clock = LiveClock(
                isPaced: isPaced, origin: isPaced ? nil : Int64(clamping: connection.openedAt) &- Int64(begin * 1e9),
                limit: live.settings.staleNanoseconds)
            schedule.succeeded(at: LiveReader.now)
        }

        private mutating func streamEnded(_ connection: Connection, _ live: LiveReader) throws(MediaError) -> Bool {
            let early = connection.reader.statistics.endedEarly
            if early == nil, !connection.reader.info.isLive || live.settings.endsWithStream { return finish(live, nil) }
            let error =
                early ?? MediaError(.inputOutput, operation: "read", detail: "the other side ended the stream")
            if live.settings.endsWithStream { return finish(live, error) }
            return lose(early.map { StreamFault($0, isConnected: true) } ?? .ended, error, live)
        }

        private mutating func lose(_ fault: StreamFault, _ error: MediaError, _ live: LiveReader) -> Bool {
            let now = LiveReader.now
            let wasConnected = connection != nil
            if let connection { earlier = earlier.adding(connection.reader.statistics) }
            if wasConnected { awaySince = now }
            // The connection ends here, before it is tried again.
            connection = nil
            clock = nil
            retryAt = schedule.failed(at: now)
            if let limit = live.settings.giveUpNanoseconds, now &- awaySince >= limit { return finish(live, error) }
            live.state.withLock { state in
                state.fault = fault
                if wasConnected {
                    state.statistics.outages.lost(fault, error.detail, at: now)
                    state.pace = NoSignalPace(startingAt: now)
                } else {
                    state.statistics.failedAttempts[fault, default: 0] += 1
                    if state.statistics.outages.lastLoss == nil { state.statistics.outages.lastLoss = error.detail }
                }
            }
            live.arrival.ring()
            return true
        }

        private func finish(_ live: LiveReader, _ error: MediaError?) -> Bool {
            for tap in taps { tap.end() }
            live.state.withLock { state in
                state.isOver = true
                if error?.code != .interrupted { state.failure = error }
            }
            live.arrival.ring()
            return false
        }

        // MARK: Pictures

        private mutating func take(_ decoded: DecodedPicture, _ connection: Connection, _ live: LiveReader) {
            let seconds = decoded.pts.seconds
            var capturedAt = LiveReader.now
            waiting: while true {
                switch clock?.judge(seconds, at: LiveReader.now) {
                case .present(let instant)?:
                    capturedAt = instant
                    break waiting
                case .early(let until)?:
                    live.halt.wait(until: until)
                    if live.interruption.isCancelled { return }
                case .stale?:
                    live.state.withLock { $0.statistics.stale += 1 }
                    return
                case nil: break waiting
                }
            }
            let time = Int64((max(-1e12, min(1e12, seconds)) * 1e6).rounded())
            let reading = earlier.adding(connection.reader.statistics)
            // Older than what was shown already, or from before the start.
            guard time > lastTime else {
                live.state.withLock { $0.statistics.stale += 1 }
                return
            }
            lastTime = time
            let shot = Shot(
                picture: decoded.picture, time: time, duration: Int64(decoded.duration.seconds * 1e6),
                capturedAt: capturedAt)
            live.state.withLock { state in
                state.statistics.reading = reading
                state.statistics.frames += 1
                state.statistics.outages.returned(at: LiveReader.now)
                state.fault = nil
                let picture = decoded.picture
                state.shape = (picture.width, picture.height, picture.format, picture.color)
                if state.shots.count == LiveReader.capacity {
                    state.shots.removeFirst()
                    state.statistics.overtaken += 1
                }
                state.shots.append(shot)
            }
            live.arrival.ring()
        }
    }
}
