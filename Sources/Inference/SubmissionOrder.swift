// SPDX-License-Identifier: Apache-2.0

/// Remembers in which order slots were submitted, and gives them back in that order however they complete.
///
/// A ring of slot numbers; it allocates when made and never again. Pure: who completes is asked, not told.
package struct SubmissionOrder: Sendable {
    private var ring: [Int]
    private var head = 0
    /// Slots submitted and not yet taken.
    package private(set) var count = 0

    /// Room for `capacity` slots in flight.
    package init(capacity: Int) {
        ring = [Int](repeating: 0, count: max(1, capacity))
    }

    /// Whether nothing is in flight.
    package var isEmpty: Bool { count == 0 }
    /// Whether every slot is in flight.
    package var isFull: Bool { count == ring.count }

    /// The slot that was submitted first of those in flight.
    package var oldest: Int? { count == 0 ? nil : ring[head] }

    /// Puts `slot` last in line.
    /// - Precondition: not full.
    package mutating func submit(_ slot: Int) {
        precondition(count < ring.count, "more slots submitted than there is room for")
        ring[(head + count) % ring.count] = slot
        count += 1
    }

    /// Takes the oldest slot if it has completed; later ones wait for it even when they have.
    package mutating func takeNext(where isDone: (Int) -> Bool) -> Int? {
        guard count > 0 else { return nil }
        let slot = ring[head]
        guard isDone(slot) else { return nil }
        head = (head + 1) % ring.count
        count -= 1
        return slot
    }
}
