// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// A bounded lock-free queue of item references between one producer and one consumer.
///
///     128-byte cells:  | head | tail | consumer's copies | producer's copies | slots ...
///     slot i & mask:   | item reference | enqueue instant |     head <= i < tail holds a queued item
///
/// Head and tail are 64-bit and only grow, so a position never comes back. With `block` and `dropNewest` only the
/// consumer moves the head. With `latest` and `dropOldest` a producer that finds the ring full claims the oldest item
/// the same way the consumer does: load the slot, then compare-and-exchange the head. Whoever wins owns the reference
/// it loaded: the slot can be written again only after the head has passed it, and then the exchange fails.
/// - Note: Thread-safety: one thread at a time pushes, one thread at a time pops; both are lock-free and realtime-safe.
public final class Ring: @unchecked Sendable {
    // Invariant of @unchecked Sendable: head, tail and slots are atomics; `producer` is touched by the pushing side
    // only and `consumer` by the popping side only.

    struct Slot: ~Copyable {
        let word: Atomic<UInt>
        let enqueuedAt: Atomic<UInt64>
    }

    struct ProducerSide {
        var tail: UInt64 = 0
        var knownHead: UInt64 = 0
    }

    struct ConsumerSide {
        var knownTail: UInt64 = 0
    }

    /// What became of a pushed item.
    public enum Push {
        /// It is queued.
        case stored
        /// It is queued, and this oldest one had to go.
        case evicted(Item)
        /// The ring is full and keeps what it has: the caller's item comes back.
        case refused(Item)
    }

    /// The result of a raw push; the word that comes back is owned by the caller.
    enum RawPush {
        case stored
        case evicted(Unmanaged<Item>)
        case refused
    }

    /// How many items fit.
    public let capacity: Int
    /// What happens when it is full.
    public let policy: EdgePolicy

    private static let cell = 128
    private let memory: UnsafeMutableRawPointer
    private let head: UnsafeMutablePointer<Atomic<UInt64>>
    private let tail: UnsafeMutablePointer<Atomic<UInt64>>
    private let consumer: UnsafeMutablePointer<ConsumerSide>
    private let producer: UnsafeMutablePointer<ProducerSide>
    private let slots: UnsafeMutablePointer<Slot>
    private let slotCount: Int
    private let mask: UInt64
    private let limit: UInt64
    private let evicts: Bool

    /// Makes an empty ring of `capacity` items, at least one.
    public init(capacity: Int, policy: EdgePolicy) {
        precondition(capacity >= 1 && capacity <= 1 << 20, "a ring holds 1 to 1048576 items")
        self.capacity = capacity
        self.policy = policy
        evicts = policy.evicts
        limit = UInt64(capacity)
        var count = 1
        while count < capacity { count <<= 1 }
        slotCount = count
        mask = UInt64(count - 1)
        memory = .allocate(
            byteCount: 4 * Self.cell + count * MemoryLayout<Slot>.stride, alignment: Self.cell)
        head = memory.bindMemory(to: Atomic<UInt64>.self, capacity: 1)
        head.initialize(to: Atomic(0))
        tail = (memory + Self.cell).bindMemory(to: Atomic<UInt64>.self, capacity: 1)
        tail.initialize(to: Atomic(0))
        consumer = (memory + 2 * Self.cell).bindMemory(to: ConsumerSide.self, capacity: 1)
        consumer.initialize(to: ConsumerSide())
        producer = (memory + 3 * Self.cell).bindMemory(to: ProducerSide.self, capacity: 1)
        producer.initialize(to: ProducerSide())
        slots = (memory + 4 * Self.cell).bindMemory(to: Slot.self, capacity: count)
        for i in 0..<count { (slots + i).initialize(to: Slot(word: Atomic(0), enqueuedAt: Atomic(0))) }
    }

    deinit {
        while let item = popRaw() { item.item.release() }
        slots.deinitialize(count: slotCount)
        producer.deinitialize(count: 1)
        consumer.deinitialize(count: 1)
        tail.deinitialize(count: 1)
        head.deinitialize(count: 1)
        memory.deallocate()
    }

    /// Queues an item, moving the caller's reference in.
    ///
    /// - Parameter enqueuedAt: the present instant in nanoseconds; it comes back with the item.
    /// - Note: Thread-safety: realtime-safe, producer only.
    public func push(_ item: consuming Item, enqueuedAt: UInt64 = 0) -> Push {
        let word = Unmanaged.passRetained(item)
        switch pushRaw(word, enqueuedAt: enqueuedAt) {
        case .stored: return .stored
        case .evicted(let old): return .evicted(old.takeRetainedValue())
        case .refused: return .refused(word.takeRetainedValue())
        }
    }

    /// Takes the oldest item, moving the reference out; nil when the ring is empty.
    ///
    /// - Note: Thread-safety: realtime-safe, consumer only.
    public func pop() -> Item? {
        popRaw()?.item.takeRetainedValue()
    }

    /// How many items are queued, as seen from any thread.
    public var count: Int {
        let first = head.pointee.load(ordering: .relaxed)
        let last = tail.pointee.load(ordering: .relaxed)
        return last > first ? min(capacity, Int(last - first)) : 0
    }

    // MARK: Raw moves

    /// Pushes an owned reference; on `.refused` the caller still owns it.
    @inline(__always)
    func pushRaw(_ item: Unmanaged<Item>, enqueuedAt: UInt64) -> RawPush {
        let position = producer.pointee.tail
        var evicted: Unmanaged<Item>?
        if position &- producer.pointee.knownHead >= limit {
            // Acquire pairs with the consumer's release of the head in popRaw: its reads of the slot are over.
            let first = head.pointee.load(ordering: .acquiring)
            producer.pointee.knownHead = first
            if position &- first >= limit {
                guard evicts else { return .refused }
                let word = slots[Int(truncatingIfNeeded: first & mask)].word.load(ordering: .relaxed)
                // Acquire: the slot is written below only after this; release: as popRaw's, for symmetry of claims.
                let (won, seen) = head.pointee.compareExchange(
                    expected: first, desired: first &+ 1,
                    successOrdering: .acquiringAndReleasing, failureOrdering: .acquiring)
                producer.pointee.knownHead = won ? first &+ 1 : seen
                if won { evicted = Self.reference(word) }
            }
        }
        let slot = Int(truncatingIfNeeded: position & mask)
        slots[slot].enqueuedAt.store(enqueuedAt, ordering: .relaxed)
        slots[slot].word.store(UInt(bitPattern: item.toOpaque()), ordering: .relaxed)
        producer.pointee.tail = position &+ 1
        // Release pairs with the acquire of the tail in popRaw. Sequentially consistent because the pusher looks at
        // the consumer's `awake` flag next, and the consumer, having cleared it, looks at the tail (isEmpty).
        tail.pointee.store(position &+ 1, ordering: .sequentiallyConsistent)
        if let evicted { return .evicted(evicted) }
        return .stored
    }

    /// Pops an owned reference and the instant it was pushed.
    @inline(__always)
    func popRaw() -> (item: Unmanaged<Item>, enqueuedAt: UInt64)? {
        var position = head.pointee.load(ordering: .relaxed)
        while true {
            if position >= consumer.pointee.knownTail {
                // Acquire pairs with the release of the tail in pushRaw: the slot and the item are visible.
                consumer.pointee.knownTail = tail.pointee.load(ordering: .acquiring)
                if position >= consumer.pointee.knownTail { return nil }
            }
            let slot = Int(truncatingIfNeeded: position & mask)
            let word = slots[slot].word.load(ordering: .relaxed)
            let enqueuedAt = slots[slot].enqueuedAt.load(ordering: .relaxed)
            if !evicts {
                // Release pairs with the acquire of the head in pushRaw: the slot is not reused before these reads.
                head.pointee.store(position &+ 1, ordering: .releasing)
                return (Self.reference(word), enqueuedAt)
            }
            // Release as above; acquire orders the next claim after an eviction by the producer.
            let (won, seen) = head.pointee.compareExchange(
                expected: position, desired: position &+ 1,
                successOrdering: .acquiringAndReleasing, failureOrdering: .acquiring)
            if won { return (Self.reference(word), enqueuedAt) }
            position = seen
        }
    }

    /// Whether there is nothing to pop; consumer only.
    ///
    /// Part of the parking protocol, see pushRaw.
    @inline(__always)
    var isEmpty: Bool {
        head.pointee.load(ordering: .relaxed) >= tail.pointee.load(ordering: .sequentiallyConsistent)
    }

    /// Whether a push would find room; producer only.
    ///
    /// Part of the parking protocol, see `publishRoom`.
    @inline(__always)
    var hasRoom: Bool {
        producer.pointee.tail &- head.pointee.load(ordering: .sequentiallyConsistent) < limit
    }

    /// Whether at most half of the places are taken; consumer only.
    @inline(__always)
    var isHalfDrained: Bool {
        // Acquire as in popRaw, which trusts what is known of the tail.
        consumer.pointee.knownTail = tail.pointee.load(ordering: .acquiring)
        return consumer.pointee.knownTail &- head.pointee.load(ordering: .relaxed) <= limit / 2
    }

    /// Makes the head sequentially consistent before the consumer looks whether the producer waits; consumer only.
    ///
    /// The producer, having set its flag, looks at the head (`hasRoom`): one of the two sees the other. Only for
    /// rings that do not evict, where the consumer is the head's only writer.
    @inline(__always)
    func publishRoom() {
        head.pointee.store(head.pointee.load(ordering: .relaxed), ordering: .sequentiallyConsistent)
    }

    @inline(__always)
    private static func reference(_ word: UInt) -> Unmanaged<Item> {
        // A claimed slot holds what pushRaw stored there: never zero.
        Unmanaged.fromOpaque(UnsafeRawPointer(bitPattern: word).unsafelyUnwrapped)
    }
}
