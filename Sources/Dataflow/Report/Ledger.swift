// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// Accounts for the frames of one source: every admitted frame ends in exactly one recorded fate.
///
/// A frame owns one record, at `sequence & mask`, and is reference-counted there: it has a token for each of its items
/// that is in an edge, open in a node, or waiting to be emitted. Fan-out adds tokens, joins and ends release them, and
/// when the count comes to zero the fate is recorded:
///
///     63 open | 55..48 cause | 47..32 place | 17 dropped | 16 delivered | 15..0 tokens
///
/// delivered when at least one sink accepted it, else dropped at the first place that dropped it. A record that ends
/// with neither, a token released twice, or one of a frame that is not in flight is a violation: it is counted, and an
/// error in the report.
/// - Note: Thread-safety: `admit` from the source's queue only, all else from any thread; realtime-safe.
final class Ledger: @unchecked Sendable {
    // Invariant of @unchecked Sendable: atomics only, but for `next`, which the source's queue alone touches.

    struct Record: ~Copyable {
        let state: Atomic<UInt64>
        let sequence: Atomic<UInt64>
        // One record per 64-byte line: neighbouring frames are in different stages.
        let padding: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0)
    }

    /// How one token ends.
    enum End {
        case delivered
        case dropped(place: Int, cause: DropCause)
        /// The frame goes on by other tokens.
        case merged
        /// It was of use to a later frame at this place. Its own frame goes on by other tokens, if it has any.
        case contributed(place: Int)
    }

    private static let open: UInt64 = 1 << 63
    private static let wasDelivered: UInt64 = 1 << 16
    private static let wasDropped: UInt64 = 1 << 17
    private static let tokenMask: UInt64 = 0xffff
    private static let causeCount = DropCause.allCases.count

    let source: Int
    let window: Int
    let placeCount: Int
    /// How many sinks its frames can reach.
    private let sinkCount: Int
    private let mask: UInt64
    private let records: UnsafeMutablePointer<Record>
    private let drops: UnsafeMutablePointer<Atomic<UInt64>>
    private let history: UnsafeMutablePointer<Atomic<UInt64>>
    private let historyLength: Int

    private var next: UInt64 = 0
    private let admitted = Atomic<UInt64>(0)
    private let delivered = Atomic<UInt64>(0)
    private let deliveredPartly = Atomic<UInt64>(0)
    private let closing = Atomic<UInt64>(0)
    private let closed = Atomic<UInt64>(0)
    private let fateless = Atomic<UInt64>(0)
    private let unexpectedReleases = Atomic<UInt64>(0)
    /// Set by the source's stage while it waits for a record to come free.
    let sourceWaiting = Atomic<Bool>(false)

    /// - Parameters:
    ///   - window: the most frames in flight, rounded up to a power of two.
    ///   - placeCount: how many places (stages and edges) can drop a frame.
    ///   - historyLength: how many fates are remembered, rounded up to a power of two (8 bytes each).
    ///   - sinkCount: how many sinks the frames can reach.
    init(source: Int, window: Int, placeCount: Int, historyLength: Int, sinkCount: Int = 1) {
        func powerOfTwo(_ least: Int) -> Int {
            var n = 1
            while n < least { n <<= 1 }
            return n
        }
        self.source = source
        self.window = powerOfTwo(window)
        self.placeCount = placeCount
        self.sinkCount = sinkCount
        self.historyLength = powerOfTwo(historyLength)
        mask = UInt64(self.window - 1)
        records = .allocate(capacity: self.window)
        for i in 0..<self.window { (records + i).initialize(to: Record(state: Atomic(0), sequence: Atomic(0))) }
        drops = .allocate(capacity: placeCount * Self.causeCount)
        for i in 0..<placeCount * Self.causeCount { (drops + i).initialize(to: Atomic(0)) }
        history = .allocate(capacity: self.historyLength)
        for i in 0..<self.historyLength { (history + i).initialize(to: Atomic(0)) }
    }

    deinit {
        records.deinitialize(count: window)
        records.deallocate()
        drops.deinitialize(count: placeCount * Self.causeCount)
        drops.deallocate()
        history.deinitialize(count: historyLength)
        history.deallocate()
    }

    // MARK: Tokens

    /// Opens the record of the next frame with one token; nil while its slot is still in use.
    func admit() -> UInt64? {
        let sequence = next
        let slot = Int(truncatingIfNeeded: sequence & mask)
        // Acquire pairs with the closing store in `recordFate`: the slot's last frame is recorded.
        guard records[slot].state.load(ordering: .acquiring) == 0 else { return nil }
        next &+= 1
        records[slot].sequence.store(sequence, ordering: .relaxed)
        // Release pairs with the acquire in `release`, though every token also travels through a ring.
        records[slot].state.store(Self.open | 1, ordering: .releasing)
        admitted.store(next, ordering: .releasing)
        return sequence
    }

    /// Whether `admit` would succeed now; has the source woken when it does otherwise.
    ///
    /// Part of the source's parking protocol.
    func waitForAdmission() -> Bool {
        // Pairs with `recordFate`: we set the flag and look at the record, it frees the record and looks at the flag.
        sourceWaiting.store(true, ordering: .sequentiallyConsistent)
        return records[Int(truncatingIfNeeded: next & mask)].state.load(ordering: .sequentiallyConsistent) == 0
    }

    /// Adds tokens to a frame in flight.
    ///
    /// The caller holds one, so the record cannot close meanwhile.
    @inline(__always)
    func add(_ count: Int, to sequence: UInt64) {
        let slot = Int(truncatingIfNeeded: sequence & mask)
        guard isInFlight(sequence, slot) else { return countUnexpected() }
        // Relaxed: the new tokens reach others through rings, whose release orders this.
        records[slot].state.wrappingAdd(UInt64(truncatingIfNeeded: count), ordering: .relaxed)
    }

    /// Releases one token.
    ///
    /// True when that freed a record that the source waits for.
    @inline(__always)
    func release(_ sequence: UInt64, _ end: End) -> Bool {
        let slot = Int(truncatingIfNeeded: sequence & mask)
        guard isInFlight(sequence, slot) else {
            countUnexpected()
            return false
        }
        var old = records[slot].state.load(ordering: .relaxed)
        while true {
            guard old & Self.tokenMask != 0, old & Self.open != 0 else {
                countUnexpected()
                return false
            }
            let new = Self.apply(end, to: old) &- 1
            // Acquire and release: the last release sees all that the others wrote before theirs.
            let (won, seen) = records[slot].state.compareExchange(
                expected: old, desired: new, successOrdering: .acquiringAndReleasing, failureOrdering: .relaxed)
            if won {
                if new & Self.tokenMask == 0 { return recordFate(sequence, slot, new) }
                return false
            }
            old = seen
        }
    }

    /// Records a drop without releasing a token: the frame goes on, but not everywhere.
    func noteDrop(_ sequence: UInt64, place: Int, cause: DropCause) {
        let slot = Int(truncatingIfNeeded: sequence & mask)
        guard isInFlight(sequence, slot) else { return countUnexpected() }
        var old = records[slot].state.load(ordering: .relaxed)
        while true {
            let (won, seen) = records[slot].state.compareExchange(
                expected: old, desired: Self.apply(.dropped(place: place, cause: cause), to: old),
                ordering: .relaxed)
            if won { return }
            old = seen
        }
    }

    /// Takes back that so many frames were delivered at a sink: what it had accepted has come to nothing.
    ///
    /// They become dropped there, or partly delivered where other sinks have them.
    func retract(_ count: UInt64, place: Int, cause: DropCause) {
        guard count > 0 else { return }
        if sinkCount > 1 {
            let most = delivered.load(ordering: .relaxed)
            let partly = deliveredPartly.load(ordering: .relaxed)
            deliveredPartly.wrappingAdd(min(count, most > partly ? most - partly : 0), ordering: .relaxed)
        } else {
            let taken = min(count, delivered.load(ordering: .relaxed))
            delivered.wrappingSubtract(taken, ordering: .relaxed)
            drops[place * Self.causeCount + Int(cause.rawValue)].wrappingAdd(taken, ordering: .relaxed)
        }
    }

    /// Counts a release that has no token: an error in the report.
    func countUnexpected() {
        unexpectedReleases.wrappingAdd(1, ordering: .relaxed)
    }

    @inline(__always)
    private func isInFlight(_ sequence: UInt64, _ slot: Int) -> Bool {
        records[slot].sequence.load(ordering: .relaxed) == sequence
            && records[slot].state.load(ordering: .relaxed) & Self.open != 0
    }

    @inline(__always)
    private static func apply(_ end: End, to state: UInt64) -> UInt64 {
        switch end {
        case .merged: return state
        case .contributed(let place):
            guard state & tokenMask == 1, state & (wasDelivered | wasDropped) == 0 else { return state }
            return apply(.dropped(place: place, cause: .unmatched), to: state)
        case .delivered: return state | wasDelivered
        case .dropped(let place, let cause):
            if state & wasDropped != 0 { return state }
            return state | wasDropped | UInt64(truncatingIfNeeded: place & 0xffff) << 32 | UInt64(cause.rawValue) << 48
        }
    }

    private func recordFate(_ sequence: UInt64, _ slot: Int, _ state: UInt64) -> Bool {
        // The pair closing/closed brackets the counting, so that `account` knows when it caught a quiet moment.
        closing.wrappingAdd(1, ordering: .sequentiallyConsistent)
        if state & Self.wasDelivered != 0 {
            delivered.wrappingAdd(1, ordering: .relaxed)
            if state & Self.wasDropped != 0 { deliveredPartly.wrappingAdd(1, ordering: .relaxed) }
        } else if state & Self.wasDropped != 0 {
            let place = Int(state >> 32 & 0xffff)
            let cause = Int(state >> 48 & 0xff)
            drops[place * Self.causeCount + cause].wrappingAdd(1, ordering: .relaxed)
        } else {
            fateless.wrappingAdd(1, ordering: .relaxed)
        }
        // History word: 63 valid | cause, place, flags as in the record | 31..18 and 15..0: low 30 bits of the
        // sequence.
        let low = sequence & 0x3fff_ffff
        history[Int(truncatingIfNeeded: sequence) & (historyLength - 1)].store(
            state & ~Self.tokenMask | low & 0xffff | (low >> 16) << 18, ordering: .relaxed)
        // Release pairs with the acquire in `admit`; sequentially consistent because the flag is looked at next, and
        // the source, having set it, looks at the record (canAdmit).
        records[slot].state.store(0, ordering: .sequentiallyConsistent)
        closed.wrappingAdd(1, ordering: .sequentiallyConsistent)
        return sourceWaiting.load(ordering: .sequentiallyConsistent)
            && sourceWaiting.exchange(false, ordering: .sequentiallyConsistent)
    }

    // MARK: Reading

    /// Frames admitted so far.
    var admittedCount: UInt64 { admitted.load(ordering: .acquiring) }

    /// Frames in flight: two loads, exact whenever no record closes at that moment.
    var inFlight: UInt64 {
        let closed = self.closed.load(ordering: .acquiring)
        let admitted = admittedCount
        return admitted > closed ? admitted - closed : 0
    }

    /// A frame's fate as numbers; names are put to the places by the graph.
    enum RecordedFate: Equatable {
        case inFlight
        case delivered(missedAt: Int?, cause: DropCause?)
        case dropped(place: Int, cause: DropCause)
    }

    /// What became of a frame; nil when it never came or is no longer remembered.
    func fate(of sequence: UInt64) -> RecordedFate? {
        guard sequence < admitted.load(ordering: .acquiring) else { return nil }
        let word = history[Int(truncatingIfNeeded: sequence) & (historyLength - 1)].load(ordering: .relaxed)
        let low = word & 0xffff | (word >> 18 & 0x3fff) << 16
        if word & Self.open != 0, low == sequence & 0x3fff_ffff {
            let cause = DropCause(rawValue: UInt8(truncatingIfNeeded: word >> 48 & 0x7f))
            let place = Int(word >> 32 & 0xffff)
            let dropped = word & Self.wasDropped != 0
            if word & Self.wasDelivered != 0 {
                return .delivered(missedAt: dropped ? place : nil, cause: dropped ? cause : nil)
            }
            if dropped, let cause { return .dropped(place: place, cause: cause) }
            return nil
        }
        return isInFlight(sequence, Int(truncatingIfNeeded: sequence & mask)) ? .inFlight : nil
    }

    /// The counts, and whether they add up.
    struct Account {
        var admitted: UInt64 = 0
        var delivered: UInt64 = 0
        var deliveredPartly: UInt64 = 0
        var dropped: [(place: Int, cause: DropCause, count: UInt64)] = []
        var inFlight: UInt64 = 0
        var fateless: UInt64 = 0
        var unexpectedReleases: UInt64 = 0
        /// False when records kept closing while it was read, so that the sums need not agree.
        var isSteady = true

        var droppedCount: UInt64 { dropped.reduce(0) { $0 + $1.count } }
        var isBalanced: Bool {
            fateless == 0 && unexpectedReleases == 0 && admitted == delivered + droppedCount + inFlight
        }
    }

    /// Reads the counts, trying a few times to catch a moment when no record closes.
    func account() -> Account {
        var account = Account()
        for _ in 0..<8 {
            account = Account()
            let closedBefore = closed.load(ordering: .sequentiallyConsistent)
            account.isSteady = closing.load(ordering: .sequentiallyConsistent) == closedBefore
            account.admitted = admitted.load(ordering: .acquiring)
            account.delivered = delivered.load(ordering: .relaxed)
            account.deliveredPartly = deliveredPartly.load(ordering: .relaxed)
            for place in 0..<placeCount {
                for cause in DropCause.allCases {
                    let count = drops[place * Self.causeCount + Int(cause.rawValue)].load(ordering: .relaxed)
                    if count > 0 { account.dropped.append((place, cause, count)) }
                }
            }
            for i in 0..<window where records[i].state.load(ordering: .acquiring) & Self.open != 0 {
                account.inFlight += 1
            }
            account.fateless = fateless.load(ordering: .relaxed)
            account.unexpectedReleases = unexpectedReleases.load(ordering: .relaxed)
            let unchanged =
                closing.load(ordering: .sequentiallyConsistent) == closedBefore
                && admitted.load(ordering: .acquiring) == account.admitted
            account.isSteady = account.isSteady && unchanged
            if account.isSteady { break }
        }
        return account
    }
}
