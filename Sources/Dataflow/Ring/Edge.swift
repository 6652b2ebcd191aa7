// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// One connection: a ring, what its producer promises about it, and its statistics.
///
/// The bound is a watermark: no item with a sequence number below it will come any more unless it is in the ring
/// already; `UInt64.max` means that the producer has ended. So a join knows that a frame was skipped without waiting for
/// the next one.
final class Edge: @unchecked Sendable {
    // Invariant of @unchecked Sendable: `producing` is touched on the producer's queue only, `seenBound` on the
    // consumer's; the rest is atomic or immutable.

    static let ended = UInt64.max

    struct Producing {
        /// One past the last sequence number that went into the ring.
        var pushedBelow: UInt64 = 0
        var publishedBound: UInt64 = 0
        var hasDeferredWake = false
    }

    let index: Int
    let name: String
    let place: Int
    let policy: EdgePolicy
    let ring: Ring
    /// Whether a join lies downstream, so that bounds must be kept up while frames flow.
    let needsBounds: Bool
    private let producer: Wakeup
    private let consumer: Wakeup

    private let bound = Atomic<UInt64>(0)
    /// Set by the producer while it waits for room.
    private let producerWaits = Atomic<Bool>(false)
    let wait = LatencyHistogram()
    /// Items that the policy dropped here.
    let dropped = Atomic<UInt64>(0)
    private let producing: UnsafeMutablePointer<Producing>
    /// The bound as the consumer last saw it.
    var seenBound: UInt64 = 0

    init(
        index: Int, name: String, place: Int, policy: EdgePolicy, capacity: Int, needsBounds: Bool,
        producer: Wakeup, consumer: Wakeup
    ) {
        self.index = index
        self.name = name
        self.place = place
        self.policy = policy
        self.needsBounds = needsBounds
        self.producer = producer
        self.consumer = consumer
        ring = Ring(capacity: capacity, policy: policy)
        producing = .allocate(capacity: 1)
        producing.initialize(to: Producing())
    }

    deinit {
        producing.deinitialize(count: 1)
        producing.deallocate()
    }

    // MARK: Producer's side

    /// Pushes an owned reference and sees to it that the consumer runs, now or, with `lazily`, at `sendDeferredWake`.
    @inline(__always)
    func push(_ item: Unmanaged<Item>, sequence: UInt64, now: UInt64, lazily: Bool) -> Ring.RawPush {
        let result = ring.pushRaw(item, enqueuedAt: now)
        if case .refused = result { return result }
        producing.pointee.pushedBelow = sequence &+ 1
        // Pairs with the consumer's park: it clears `awake`, then looks at the tail that pushRaw has stored.
        if lazily {
            if !consumer.isAwake { producing.pointee.hasDeferredWake = true }
        } else {
            consumer.wake()
        }
        return result
    }

    /// Wakes the consumer if a lazy push left that to be done.
    @inline(__always)
    func sendDeferredWake() {
        guard producing.pointee.hasDeferredWake else { return }
        producing.pointee.hasDeferredWake = false
        consumer.wake()
    }

    /// Promises that nothing below `limit` comes any more.
    func promise(_ limit: UInt64) {
        guard limit > producing.pointee.publishedBound, limit > producing.pointee.pushedBelow else { return }
        producing.pointee.publishedBound = limit
        // Release pairs with the acquire in `readBound`: who sees the bound also sees every item pushed before.
        // Sequentially consistent for the parking protocol, as the tail in pushRaw.
        bound.store(limit, ordering: .sequentiallyConsistent)
        consumer.wake()
    }

    /// Marks the end of the stream, once.
    func close() {
        producing.pointee.hasDeferredWake = false
        producing.pointee.publishedBound = Self.ended
        bound.store(Self.ended, ordering: .sequentiallyConsistent)
        consumer.wake()
    }

    /// Asks to be woken when there is room; true when there is some already.
    func waitForRoom() -> Bool {
        // Pairs with offerRoom: we set the flag and look at the head, the consumer stores the head and looks at the
        // flag.
        producerWaits.store(true, ordering: .sequentiallyConsistent)
        if ring.hasRoom {
            producerWaits.store(false, ordering: .sequentiallyConsistent)
            return true
        }
        return false
    }

    var hasRoom: Bool { ring.hasRoom }

    func countDrop() { dropped.wrappingAdd(1, ordering: .relaxed) }

    // MARK: Consumer's side

    @inline(__always)
    func pop(lazily: Bool = false) -> (item: Unmanaged<Item>, enqueuedAt: UInt64)? {
        let popped = ring.popRaw()
        // A waiting producer is woken when half the ring is free, not for each place: fewer, longer batches. The rest
        // is made up for when the consumer parks, so no join can wait for an item whose producer waits for it.
        // A consumer of quick calls leaves even that to the end of its batch.
        // Relaxed: a flag set just now is seen at the next item, or at the latest when the consumer parks.
        if policy == .block, !lazily, popped != nil, producerWaits.load(ordering: .relaxed), ring.isHalfDrained {
            offerRoom()
        }
        return popped
    }

    /// Wakes the producer if it waits for room.
    ///
    /// Called at half full and before the consumer parks.
    func offerRoom() {
        guard policy == .block else { return }
        ring.publishRoom()
        guard producerWaits.load(ordering: .sequentiallyConsistent), ring.count < ring.capacity else { return }
        if producerWaits.exchange(false, ordering: .sequentiallyConsistent) { producer.wake() }
    }

    /// Reads the bound; do so before finding the ring empty, then the two together are the truth.
    @inline(__always)
    func readBound() -> UInt64 {
        seenBound = bound.load(ordering: .acquiring)
        return seenBound
    }

    /// Whether the producer has ended.
    ///
    /// May be read from any thread.
    var isClosed: Bool { bound.load(ordering: .acquiring) == Self.ended }

    /// Whether something arrived since the consumer last looked; part of the parking protocol.
    var hasNews: Bool {
        !ring.isEmpty || bound.load(ordering: .sequentiallyConsistent) != seenBound
    }

    /// Whether the producer has ended and the ring is empty.
    var isExhausted: Bool { readBound() == Self.ended && ring.isEmpty }
}
