// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

extension Graph {
    /// The generation of settings that frames are admitted with now, from 0.
    package var generation: UInt64 { control.generation.load(ordering: .acquiring) }

    /// Begins the next generation of settings, and returns its number.
    ///
    /// This is how the settings of several nodes change together, so that no frame sees some of them old and some new:
    ///
    ///     let next = graph.generation + 1
    ///     for (node, settings) in changes { node.changes.post(settings, from: next) }
    ///     graph.advanceGeneration()
    ///
    /// Every frame is stamped with the generation at its admission (`Ticket.generation`), and each node takes a change
    /// over with the first frame of that generation or a later one (`ChangeQueue.take(upTo:)`). As all the posts happen
    /// before the advance, and the advance happens before the admission of any frame that bears the new number, a node
    /// that gets such a frame finds the change in its queue; frames admitted before are finished with the old settings.
    ///
    /// That is exact for each source, whose frames pass every node in order. A node that takes frames of several
    /// sources in turn changes with the first of any of them, so older frames of another source may find it changed.
    ///
    /// - Note: Thread-safety: one controller at a time, on any thread.
    @discardableResult
    package func advanceGeneration() -> UInt64 {
        // Release pairs with the acquire in `Output.admit`.
        control.generation.wrappingAdd(1, ordering: .releasing).newValue
    }
}

/// The changes of settings on their way to a node, each in force from a generation on.
///
/// A frame that finds none costs the node one load. Changes wait until a frame of their generation comes: none replaces
/// an earlier one, for which frames may still be in flight.
///
///     taken -> waiting -> waiting -> nil        the node moves along the list, the controller appends to it
///
/// - Note: Thread-safety: one controller at a time posts, one node takes; lock-free.
package final class ChangeQueue<Value: Sendable>: @unchecked Sendable {
    // Invariant of @unchecked Sendable: `last` is touched by the posting side only and `taken` by the taking side only;
    // an entry is immutable but for its atomic `next`. The taking side frees an entry when it moves on to the next, and
    // the posting side does not touch an entry again after it has stored its `next`.

    private final class Entry {
        let generation: UInt64
        let value: Value?
        let next = Atomic<Unmanaged<Entry>?>(nil)
        init(generation: UInt64, value: Value?) {
            self.generation = generation
            self.value = value
        }
    }

    private var last: Unmanaged<Entry>
    private var taken: Unmanaged<Entry>

    /// Makes an empty queue.
    package init() {
        last = .passRetained(Entry(generation: 0, value: nil))
        taken = last
    }

    deinit {
        while let next = taken._withUnsafeGuaranteedRef({ $0.next.load(ordering: .acquiring) }) {
            taken.release()
            taken = next
        }
        taken.release()
    }

    /// Adds a change that is in force from `generation` on, which must not be below the one posted before it.
    package func post(_ value: Value, from generation: UInt64) {
        let entry = Unmanaged.passRetained(Entry(generation: generation, value: value))
        let before = last
        last = entry
        // Release pairs with the acquire in `take`: who sees the entry sees what is in it.
        before._withUnsafeGuaranteedRef { $0.next.store(entry, ordering: .releasing) }
    }

    /// The newest change in force for a frame of `generation`; nil, as for most frames, when it was taken before.
    ///
    /// - Note: Thread-safety: the node only; realtime-safe while there is no change.
    package func take(upTo generation: UInt64) -> Value? {
        var value: Value?
        while let next = taken._withUnsafeGuaranteedRef({ $0.next.load(ordering: .acquiring) }),
            next._withUnsafeGuaranteedRef({ $0.generation }) <= generation
        {
            value = next._withUnsafeGuaranteedRef { $0.value }
            taken.release()
            taken = next
        }
        return value
    }
}
