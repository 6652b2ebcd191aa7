// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// The last events of one stage, in memory that is taken once.
///
///     event i & mask:   | instant | sequence, source | wait, duration | place, kind, cause |        four words of 64 bits
///
/// A full ring overwrites its oldest event. Readers copy while the stage goes on, and leave out what may have been overwritten
/// under their hands.
/// - Note: Thread-safety: one writer at a time, the stage; any thread may read. Writing is realtime-safe: four stores and a count.
final class TraceRing: @unchecked Sendable {
    // Invariant of @unchecked Sendable: the words are atomics, `memory` is immutable.

    /// How many events are kept; a power of two, 32 bytes each.
    static let capacity = 4096
    private static let wordsPerEvent = 4

    private let memory: UnsafeMutablePointer<Atomic<UInt64>>
    private let written = Atomic<UInt64>(0)

    init() {
        memory = .allocate(capacity: Self.capacity * Self.wordsPerEvent)
        for index in 0..<Self.capacity * Self.wordsPerEvent { (memory + index).initialize(to: Atomic(0)) }
    }

    deinit {
        memory.deinitialize(count: Self.capacity * Self.wordsPerEvent)
        memory.deallocate()
    }

    /// Adds an event; times in nanoseconds.
    @inline(__always)
    func record(
        _ kind: TraceEvent.Kind, at instant: UInt64, source: UInt16, sequence: UInt64, place: Int, wait: UInt64 = 0,
        duration: UInt64 = 0, cause: DropCause = .filtered
    ) {
        let position = written.load(ordering: .relaxed)
        let event = memory + Int(truncatingIfNeeded: position) & (Self.capacity - 1) * Self.wordsPerEvent
        // Releasing, each after the one before: a reader that sees a word of this event also sees that `written` had come to it.
        event[0].store(instant, ordering: .releasing)
        event[1].store(sequence << 16 | UInt64(source), ordering: .releasing)
        event[2].store(min(wait >> 4, 0xFFFF_FFFF) << 32 | min(duration >> 4, 0xFFFF_FFFF), ordering: .releasing)
        event[3].store(
            UInt64(truncatingIfNeeded: place) << 16 | UInt64(kind.rawValue) << 8 | UInt64(cause.rawValue),
            ordering: .releasing)
        written.store(position &+ 1, ordering: .releasing)
    }

    /// The events that are whole, the oldest first.
    func events() -> [TraceEvent] {
        let end = written.load(ordering: .acquiring)
        let first = end > UInt64(Self.capacity) ? end - UInt64(Self.capacity) : 0
        var copies: [(UInt64, UInt64, UInt64, UInt64)] = []
        copies.reserveCapacity(Int(end - first))
        for position in first..<end {
            let event = memory + Int(truncatingIfNeeded: position) & (Self.capacity - 1) * Self.wordsPerEvent
            copies.append(
                (
                    event[0].load(ordering: .acquiring), event[1].load(ordering: .acquiring),
                    event[2].load(ordering: .acquiring), event[3].load(ordering: .acquiring)
                ))
        }
        // The one that is being written overwrites the one a whole ring before it.
        let now = written.load(ordering: .acquiring)
        let whole = now >= UInt64(Self.capacity) ? now - UInt64(Self.capacity) + 1 : 0
        let lost = whole > first ? Int(min(whole - first, UInt64(copies.count))) : 0
        return copies.dropFirst(lost).compactMap { TraceEvent(words: $0) }
    }
}

/// Something that happened to a frame at a place, as a trace keeps it.
public struct TraceEvent: Sendable, Hashable {
    /// What happened.
    public enum Kind: UInt8, Sendable {
        /// A node worked on it, from `at` for `duration`, after `wait` in the queue before the node.
        case processed
        /// It was dropped on one of its ways.
        case dropped
        /// A sink has taken it.
        case delivered
        /// It was of use to a later frame; its own way ended here.
        case contributed
    }

    /// What happened.
    public var kind: Kind
    /// When, on the graph's clock, in nanoseconds.
    public var at: UInt64
    /// The source's index in the graph.
    public var source: UInt16
    /// The frame's number within its source.
    public var sequence: UInt64
    /// Index of the place: nodes first, then edges.
    public var place: Int
    /// Nanoseconds in the queue before the node, to 16.
    public var wait: UInt64
    /// Nanoseconds in the node, to 16.
    public var duration: UInt64
    /// Why it was dropped; nil for other kinds.
    public var cause: DropCause?

    /// Makes an event by hand, for tests and readers.
    public init(
        kind: Kind, at: UInt64, source: UInt16, sequence: UInt64, place: Int, wait: UInt64 = 0, duration: UInt64 = 0,
        cause: DropCause? = nil
    ) {
        self.kind = kind
        self.at = at
        self.source = source
        self.sequence = sequence
        self.place = place
        self.wait = wait
        self.duration = duration
        self.cause = cause
    }

    init?(words: (UInt64, UInt64, UInt64, UInt64)) {
        guard let kind = Kind(rawValue: UInt8(truncatingIfNeeded: words.3 >> 8)) else { return nil }
        self.kind = kind
        at = words.0
        source = UInt16(truncatingIfNeeded: words.1)
        sequence = words.1 >> 16
        place = Int(words.3 >> 16)
        wait = (words.2 >> 32) << 4
        duration = (words.2 & 0xFFFF_FFFF) << 4
        cause = kind == .dropped ? DropCause(rawValue: UInt8(truncatingIfNeeded: words.3)) : nil
    }
}
