// SPDX-License-Identifier: Apache-2.0

/// Who a unit of work is: the source it came from, its number there and when it was captured.
public struct Ticket: Sendable, Hashable {
    /// Index of the source in the graph.
    public let source: UInt16
    /// Number of the item at its source, counted from zero without gaps.
    public let sequence: UInt64
    /// Monotonic instant of capture, in nanoseconds.
    public let capturedAt: UInt64

    /// Makes a ticket from its parts.
    public init(source: UInt16, sequence: UInt64, capturedAt: UInt64) {
        self.source = source
        self.sequence = sequence
        self.capturedAt = capturedAt
    }
}

/// What travels along the edges: a reference with a ticket. Media's `Frame` is one.
///
/// `@unchecked Sendable`: an item is immutable once emitted; subclasses keep that promise.
open class Item: @unchecked Sendable {
    /// Who this item is.
    public let ticket: Ticket

    /// Makes an item that stands for `ticket`.
    public init(ticket: Ticket) { self.ticket = ticket }
}
