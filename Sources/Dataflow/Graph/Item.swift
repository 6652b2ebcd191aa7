// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// Identifies a frame: its source and its sequence number within it.
///
/// Sequence numbers of one source are consecutive from 0 in the order of admission.
/// - Note: Thread-safety: a trivial value.
public struct Ticket: Sendable, Hashable, BitwiseCopyable {
    /// The source's index in its graph.
    public let source: UInt16
    /// The number of the frame within its source, from 0.
    public let sequence: UInt64
    /// The monotonic instant of capture, in nanoseconds.
    public let capturedAt: UInt64
    /// The generation of settings in force when the frame was admitted, see `Graph.advanceGeneration()`.
    ///
    /// Never falls from one frame of a source to the next.
    package let generation: UInt64

    /// Makes a ticket by hand, of generation 0; within a graph they come from `Output.admit(capturedAt:)`.
    public init(source: UInt16, sequence: UInt64, capturedAt: UInt64) {
        self.init(source: source, sequence: sequence, capturedAt: capturedAt, generation: 0)
    }

    package init(source: UInt16, sequence: UInt64, capturedAt: UInt64, generation: UInt64) {
        self.source = source
        self.sequence = sequence
        self.capturedAt = capturedAt
        self.generation = generation
    }
}

/// What travels along edges; subclass it with the payload.
///
/// Edges move references and copy nothing.
///
/// - Note: Thread-safety: an item may be read by several stages at once (fan-out), so it and its subclasses must not
///   change after they were emitted.
open class Item: @unchecked Sendable {
    // Invariant of @unchecked Sendable: the only stored property is immutable, and subclasses promise the same.

    /// Which frame this item belongs to.
    public let ticket: Ticket

    /// Makes the item of one frame.
    public init(ticket: Ticket) {
        self.ticket = ticket
    }
}

/// What an edge does with a new item when it is full.
public enum EdgePolicy: Sendable, Hashable, CaseIterable {
    /// The producer waits: nothing is lost, and the pressure reaches the source.
    case block
    /// The oldest queued items give way so that only the newest `capacity` items survive. Default capacity 1.
    case latest
    /// The oldest queued item gives way.
    case dropOldest
    /// The new item is not taken.
    case dropNewest

    /// The capacity of an edge that names none.
    public var defaultCapacity: Int { self == .latest ? 1 : 4 }

    /// Whether the producer may take queued items back out of the ring.
    @usableFromInline var evicts: Bool { self == .latest || self == .dropOldest }
}

/// Why a frame was dropped.
public enum DropCause: UInt8, Sendable, Hashable, CaseIterable {
    /// The node consumed it and emitted nothing.
    case filtered
    /// A full `dropNewest` edge did not take it.
    case edgeFull
    /// A newer one took its place: in a full `latest` or `dropOldest` edge, or at a join for the newest.
    case replaced
    /// The primary input of a join never delivered its frame.
    case unmatched
    /// It reached a join for the newest after the last frame that it could have gone with.
    case late
    /// The node that was processing it, or that it was queued for, failed.
    case nodeFailed
    /// The graph was aborted.
    case aborted
    /// The node ended while it still held it.
    case abandoned
    /// The node thins out the stream to a lower rate.
    case rateLimited
    /// The data could not be decoded or used.
    case corrupt
    /// The source did not admit it: it would have been finished too late.
    case refused
    /// The device or peer it was to go to was not connected.
    case disconnected
    /// The node's work on this one frame failed; the node itself goes on.
    case failed
    /// There was no room on the disk for it.
    case diskFull
    /// Nobody had looked at it for what must not be shown.
    case notRedacted

    /// The name shown in reports.
    public var name: String { String(describing: self) }
}
