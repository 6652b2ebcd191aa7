// SPDX-License-Identifier: Apache-2.0
public import Dataflow
public import PipelineLanguage

/// A node whose changeable parameters take effect while it runs.
///
/// A change has two phases, so that it happens at all nodes or at none: every node prepares, then all commit at one frame
/// boundary.
///
///     prepare(settings) -> PreparedChange --commit--> Mailbox --first frame of the new generation--> node
public protocol AdjustableNode: AnyObject {
    /// Checks `settings` and makes what they need, which may take seconds; nothing changes yet.
    ///
    /// - Returns: what puts them into force, as often as it is committed.
    /// - Throws: a sentence saying why they cannot be in force without a restart.
    /// - Note: Thread-safety: called from any thread, one call at a time, while the node works on frames; never from the
    ///   queue of the node.
    func prepare(_ settings: Settings) throws -> PreparedChange
}

/// New settings of one node, ready to take effect; made by `Mailbox.change(to:)`.
///
/// - Note: Thread-safety: a value that may be kept and committed again.
public struct PreparedChange: Sendable {
    private let post: @Sendable (_ generation: UInt64) -> Void

    fileprivate init(_ post: @escaping @Sendable (UInt64) -> Void) { self.post = post }

    /// Puts the settings into force with the first frame of `generation`; cannot fail.
    func commit(from generation: UInt64) { post(generation) }
}

/// Hands a node its new settings from another thread.
///
/// Changes wait in order until a frame of their generation comes, so that every frame sees one whole set of settings.
///
/// - Note: Thread-safety: `take` on the node's queue only, the rest on any thread. A frame that finds no change costs one
///   load.
public final class Mailbox<Value: Sendable>: Sendable {
    private let changes = ChangeQueue<Value>()

    /// Makes an empty mailbox.
    public init() {}

    /// The change that leaves `value` here when it is committed.
    public func change(to value: Value) -> PreparedChange {
        PreparedChange { [changes] in changes.post(value, from: $0) }
    }

    /// What is in force from the frame of `ticket` on; nil when nothing has changed since the last call.
    @inline(__always)
    public func take(for ticket: Ticket) -> Value? { changes.take(upTo: ticket.generation) }
}
