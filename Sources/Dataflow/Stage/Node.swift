// SPDX-License-Identifier: Apache-2.0

/// What a node did with the item it was given.
public enum Disposition: Sendable {
    /// The node is done with the item. If it emitted nothing, the item counts as delivered (sink) or as dropped:
    /// `filtered`.
    case done
    /// It keeps the item and will emit and `Output.finish(_:)` it later.
    case held
    /// It cannot take the item now; it is offered again at the next wake.
    case busy
}

/// A source's answer to being asked to produce.
public enum Production: Sendable {
    /// There may be more at once: ask again.
    case more
    /// Nothing now; the source calls `StageLink.wake()` when there is. Also what to return when `admit` gave nil.
    case waiting
    /// The stream is over.
    case ended
}

/// One node's behaviour.
///
/// Calls come from any of Dispatch's threads, one at a time.
///
///     start -> ( advance | process )* -> drain* -> stop          a throw or an abort goes to stop at once
///
/// Emissions of one source must leave in the order of their sequence numbers; one that does not fails the node.
public protocol Node: AnyObject {
    /// The most items the node keeps at once after answering `.held`. Default 0. Returning `.held` beyond it fails the
    /// node.
    ///
    /// The builder sizes the edges of diamonds by it, see `GraphBuilder`. It is read once, when the graph is built.
    ///
    /// A held item must not depend on later items to be finished. A look-ahead, which does, works where no frame is
    /// dropped on the way to it or to the joins after it; otherwise those later items may never come.
    var maxHeld: Int { get }
    /// Prepares the node. `link.wake()` may be called from any thread from now on.
    func start(_ link: StageLink) throws
    /// Takes one item.
    func process(_ item: Item, to output: Output) throws -> Disposition
    /// Called at every wake: emits completed asynchronous work, in order.
    func advance(to output: Output) throws
    /// Called when all inputs have ended; true once nothing is held any more.
    ///
    /// Called again at once when it emitted something, else after the next wake.
    func drain(to output: Output) throws -> Bool
    /// Called exactly once after a successful `start`, also after a failure or an abort.
    ///
    /// When it returns, asynchronous work must be over or harmless. A late `link.wake()` is ignored.
    func stop()
}

extension Node {
    /// Keeps nothing.
    public var maxHeld: Int { 0 }
    /// Needs no preparation.
    public func start(_ link: StageLink) throws {}
    /// Has no asynchronous work.
    public func advance(to output: Output) throws {}
    /// Is drained at once.
    public func drain(to output: Output) throws -> Bool { true }
    /// Has nothing to end.
    public func stop() {}
}

/// A node that starts frames.
public protocol SourceNode: Node {
    /// Admits and emits the next frame; may block in I/O, which keeps no other stage waiting.
    ///
    /// Asked again and again while its edges have room. Return when `StageLink.isStopping`.
    func produce(to output: Output) throws -> Production
}

extension SourceNode {
    /// Never called.
    public func process(_ item: Item, to output: Output) throws -> Disposition {
        preconditionFailure("a source has no inputs, the builder refuses edges into it")
    }
}

/// Which items of its ports a join brings together.
public enum JoinMatching: Sendable, Hashable {
    /// Those of one frame: it waits until each branch has delivered or skipped the frame.
    case sameFrame
    /// The primary item, which never waits, and the newest of each other port that came since the last call: of
    /// the same frame or an earlier one, never of a later one.
    case newest
}

/// A node that brings the branches of one source together again, frame by frame.
public protocol JoinNode: Node {
    /// Which items come together. Default `sameFrame`. Read once, when the node is added to a graph.
    var matching: JoinMatching { get }
    /// Takes one frame: the item of the primary port 0 and what the other ports have to go with it.
    func join(_ items: JoinedItems, to output: Output) throws -> Disposition
}

extension JoinNode {
    /// Items of one frame.
    public var matching: JoinMatching { .sameFrame }

    /// Never called.
    public func process(_ item: Item, to output: Output) throws -> Disposition {
        preconditionFailure("a join gets its items through join(_:to:)")
    }
}

/// The items that a join brings together, by port.
///
/// Valid during the call only.
public struct JoinedItems {
    let slots: UnsafePointer<Item?>
    /// The number of ports.
    public let count: Int

    /// The item of the primary port, which is always there.
    public var primary: Item {
        // The stage calls join only with the primary port's slot filled.
        slots[0].unsafelyUnwrapped
    }

    /// The frame.
    public var ticket: Ticket { primary.ticket }

    /// The item of a port; nil when the frame was skipped or dropped on the way there, or when nothing new came.
    public subscript(port: Int) -> Item? {
        precondition(port >= 0 && port < count, "join has no such port")
        return slots[port]
    }
}

/// How a node reaches the stage that runs it.
///
/// - Note: Thread-safety: thread-safe and realtime-safe; may outlive the graph.
public struct StageLink: Sendable {
    let wakeup: Wakeup
    let graph: GraphControl
    /// The node's name in its graph.
    public let name: String

    /// Has the stage call `advance` (or `produce`) soon.
    ///
    /// Calls before it does are one call.
    public func wake() { wakeup.poke() }

    /// Whether the graph was asked to stop or abort: a source blocked in I/O should return.
    public var isStopping: Bool { graph.isStopping }

    /// Whether the graph was aborted: blocking work of any node should end now.
    public var isAborted: Bool { graph.isAborted }

    /// The graph's clock.
    public var clock: MonotonicClock { graph.clock }
}
