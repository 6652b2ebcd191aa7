// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Dataflow

/// What the reading thread of a `LiveReader` does: one connection after the other.
///
/// It counts by itself and writes its counts into the book now and then, so that pictures cost no lock.
struct LiveLoop {
    private static let notingNanoseconds: UInt64 = 250_000_000

    private let startedAt: UInt64
    private var connection: LiveConnection?
    private var clock: LiveClock?
    private var schedule: RetrySchedule
    private var retryAt: UInt64 = 0
    private var awaySince: UInt64
    private var lastTime: Int64 = -1
    /// The time at which the present connection began, in seconds.
    private var connectionBegin = 0.0
    private var taps: [AudioTap] = []
    private let rings: [PacketRing]
    private var earlier = ReaderStatistics()
    private var isAway = false
    private var shape: LiveReader.Shape?
    private var notedAt: UInt64 = 0
    private var frames = 0
    private var stale = 0
    private var overtaken = 0

    init(
        _ settings: LiveReader.Settings, _ connection: LiveConnection?, filling rings: [PacketRing], startedAt: UInt64
    ) {
        self.rings = rings
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
            if clock == nil { try begin(connection, live) }
            guard let decoded = try connection.reader.read() else { return try streamEnded(connection, live) }
            take(decoded, live)
            return true
        } catch {
            let isLast = live.settings.endsWithStream && connection != nil
            if live.interruption.isCancelled || isLast { return finish(live, error) }
            return lose(StreamFault(error, isConnected: connection != nil), error, live)
        }
    }

    // MARK: Coming and going

    /// Waits until it is time, and connects.
    ///
    /// Throws what kept it from connecting.
    private mutating func connect(_ live: LiveReader) throws(MediaError) -> Bool {
        if LiveReader.now < retryAt {
            live.halt.wait(until: retryAt)
            return true
        }
        connection = try live.open()
        return true
    }

    private mutating func begin(_ connection: LiveConnection, _ live: LiveReader) throws(MediaError) {
        let info = connection.reader.info
        try connection.reader.feed(rings)
        if taps.isEmpty { taps = connection.reader.audioTaps } else { connection.reader.takeOver(taps) }
        // Live time goes on with the world's, also after a stream whose clock ran ahead of it.
        let afterLast = Double(lastTime + 1) / 1e6
        let opened = (Double(connection.openedAt) - Double(startedAt)) / 1e9
        let begin = info.isLive ? max(opened, afterLast) : afterLast
        connection.reader.begin(at: begin)
        connectionBegin = begin
        // Playlists and recordings come in bursts.
        let isPaced = !info.isLive || info.container == "hls" || info.container == "dash"
        clock = LiveClock(
            isPaced: isPaced, origin: isPaced ? nil : Int64(clamping: connection.openedAt) &- Int64(begin * 1e9),
            limit: live.settings.staleNanoseconds)
        schedule.succeeded(at: LiveReader.now)
    }

    private mutating func streamEnded(_ connection: LiveConnection, _ live: LiveReader) throws(MediaError) -> Bool {
        let early = connection.reader.statistics.endedEarly ?? cutShort(connection)
        if early == nil, !connection.reader.info.isLive || live.settings.endsWithStream { return finish(live, nil) }
        let error =
            early ?? MediaError(.inputOutput, operation: "read", detail: "the other side ended the stream")
        if live.settings.endsWithStream { return finish(live, error) }
        return lose(early.map { StreamFault($0, isConnected: true) } ?? .ended, error, live)
    }

    /// Why a recording that is streamed ended before its time; nil where it did not.
    private func cutShort(_ connection: LiveConnection) -> MediaError? {
        guard !connection.reader.info.isLive, let length = connection.reader.info.duration else { return nil }
        let missing = length - (Double(lastTime) / 1e6 - connectionBegin)
        guard missing > max(2, length / 50) else { return nil }
        return MediaError(
            .ended, operation: "read",
            detail: "the other side ended the stream \(NumberText.decimal(missing, places: 0)) s before its end")
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
        isAway = true
        let shape = shape
        note(at: now, live) { book in
            book.fault = fault
            book.shape = shape
            if wasConnected {
                book.isFaultSaid = false
                book.statistics.outages.lost(fault, error.detail, at: now)
                book.pace = NoSignalPace(startingAt: now)
            } else {
                book.statistics.failedAttempts[fault, default: 0] += 1
                if book.statistics.outages.lastLoss == nil { book.statistics.outages.lastLoss = error.detail }
            }
        }
        live.turn(.away)
        live.bell.ring()
        return true
    }

    private mutating func finish(_ live: LiveReader, _ error: MediaError?) -> Bool {
        for tap in taps { tap.end() }
        note(at: LiveReader.now, live) { book in
            if error?.code != .interrupted { book.failure = error }
        }
        live.turn(.over)
        live.bell.ring()
        return false
    }

    // MARK: Pictures

    private mutating func take(_ decoded: DecodedPicture, _ live: LiveReader) {
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
                stale += 1
                return
            case nil: break waiting
            }
        }
        let time = Int64((max(-1e12, min(1e12, seconds)) * 1e6).rounded())
        // Older than what was shown already, or from before the start.
        guard time > lastTime else {
            stale += 1
            return
        }
        lastTime = time
        frames += 1
        let picture = decoded.picture
        shape = (picture.width, picture.height, picture.format, picture.color)
        notePicture(at: LiveReader.now, live)
        let shot = LiveReader.Shot(
            picture: picture, time: time, duration: Int64(decoded.duration.seconds * 1e6), capturedAt: capturedAt)
        if case .evicted = live.arrivals.push(LiveReader.Arrival(shot)) { overtaken += 1 }
        live.bell.ring()
    }

    // MARK: Books

    /// Notes a return at once, everything else now and then.
    private mutating func notePicture(at now: UInt64, _ live: LiveReader) {
        if isAway {
            isAway = false
            note(at: now, live) { book in
                book.statistics.outages.returned(at: now)
                book.fault = nil
            }
            live.turn(.flowing)
        } else if now &- notedAt >= Self.notingNanoseconds {
            note(at: now, live) { _ in }
        }
    }

    /// Writes the counts into the book, and what `change` has to add.
    private mutating func note(at now: UInt64, _ live: LiveReader, _ change: (inout LiveReader.Book) -> Void) {
        notedAt = now
        let reading = connection.map { earlier.adding($0.reader.statistics) } ?? earlier
        live.book.withLock { book in
            book.statistics.reading = reading
            book.statistics.frames = frames
            book.statistics.stale = stale
            book.statistics.overtaken = overtaken
            change(&book)
        }
    }
}
