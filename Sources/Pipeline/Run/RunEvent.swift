// SPDX-License-Identifier: Apache-2.0
package import Media
internal import Synchronization

/// Something that happened during a run and that the user should hear of while it goes on.
public struct RunEvent: Sendable, Hashable {
    /// What happened.
    public enum Kind: String, Sendable {
        /// A device or a peer is gone; the node tries to get it back.
        case lost
        /// It is there again.
        case returned
        /// Data was of no use, and the node went on without it.
        case flawed
        /// Frames ended without reaching a sink.
        case dropped
        /// The node has ended.
        case failed
        /// A setting was changed by hand while running.
        case changed
        /// The system's clock was set: times on the wall before and after do not go together.
        case clock
    }

    /// Id of the node, or `from -> to` for an edge.
    public var node: String
    /// What happened.
    public var kind: Kind
    /// In words; for dropped frames the cause.
    public var message: String
    /// How many of them this event stands for.
    public var count: UInt64
    /// Seconds from the first of them to the last.
    public var span: Double

    /// Describes an event.
    public init(_ kind: Kind, of node: String, _ message: String, count: UInt64 = 1, span: Double = 0) {
        self.node = node
        self.kind = kind
        self.message = message
        self.count = count
        self.span = span
    }
}

/// Thins out events: the first of a kind is told at once, what follows is summed up and told ever less often.
///
///     offered  x  xxxxxxxx xxxxxxxxxxxxxxx      x
///     told     1   8        15                  1     pauses of 1, 2, 4 ... seconds while it goes on, then anew
///
/// A pure value with the caller's clock. It holds one entry for each node, kind and cause of drops, however many come.
package struct EventLimiter {
    /// The pause after the first of a kind, and the longest, in nanoseconds.
    package static let pauses: (first: UInt64, longest: UInt64) = (1_000_000_000, 600_000_000_000)

    private struct Key: Hashable {
        let node: String
        let kind: RunEvent.Kind
        let cause: String
    }

    private struct Entry {
        var pending: RunEvent
        var firstAt: UInt64
        var lastAt: UInt64
        var quietUntil: UInt64
        var pause: UInt64
    }

    private var entries: [Key: Entry] = [:]
    /// In the order in which they first came.
    private var order: [Key] = []

    /// Adds an event that happened at an instant in nanoseconds.
    package mutating func offer(_ event: RunEvent, at now: UInt64) {
        let key = Key(node: event.node, kind: event.kind, cause: event.kind == .dropped ? event.message : "")
        guard var entry = entries[key] else {
            order.append(key)
            entries[key] = Entry(pending: event, firstAt: now, lastAt: now, quietUntil: 0, pause: 0)
            return
        }
        if entry.pending.count == 0 { entry.firstAt = now }
        entry.pending.count &+= event.count
        entry.pending.message = event.message
        entry.lastAt = now
        entries[key] = entry
    }

    /// What is to be told now; with `isLast` also what would have to wait for the end of a pause.
    package mutating func due(at now: UInt64, isLast: Bool = false) -> [RunEvent] {
        order.compactMap { key in
            guard var entry = entries[key], entry.pending.count > 0, isLast || now >= entry.quietUntil else {
                return nil
            }
            var event = entry.pending
            event.span = Double(entry.lastAt &- entry.firstAt) / 1e9
            // It goes on when it came back within a pause's length after the pause.
            let goesOn = entry.pause > 0 && entry.firstAt < entry.quietUntil &+ entry.pause
            entry.pause = goesOn ? min(entry.pause * 2, Self.pauses.longest) : Self.pauses.first
            entry.quietUntil = now &+ entry.pause
            entry.pending.count = 0
            entries[key] = entry
            return event
        }
    }
}

/// Where nodes leave their events, to be told by somebody else.
///
/// - Note: Thread-safety: thread-safe. Not for every frame: leaving an event takes a lock and may allocate.
package final class EventBox: Sendable {
    /// How often a device or a peer has gone and come back.
    package struct Outage: Sendable, Hashable {
        package var losses = 0
        package var returns = 0
        /// Whether it is there.
        package var isUp: Bool { returns >= losses }
    }

    private let limiter = Mutex(EventLimiter())
    private let outagesByNode = Mutex<[String: Outage]>([:])
    private let now: @Sendable () -> UInt64

    package init(now: @escaping @Sendable () -> UInt64) { self.now = now }

    /// Leaves an event.
    package func post(_ event: RunEvent) {
        let instant = now()
        limiter.withLock { $0.offer(event, at: instant) }
    }

    /// The outages so far, of the nodes that had any.
    package var outages: [String: Outage] { outagesByNode.withLock { $0 } }

    fileprivate func keep(_ outage: Outage, of node: String) { outagesByNode.withLock { $0[node] = outage } }

    /// Takes what is to be told now; with `isLast` all there is.
    package func take(isLast: Bool = false) -> [RunEvent] {
        let instant = now()
        return limiter.withLock { $0.due(at: instant, isLast: isLast) }
    }
}

/// Tells when a device or a peer goes and comes back, from its counts.
///
/// Confined to its node's queue.
package struct OutageReporter {
    private let node: String
    private let events: EventBox
    private var told = (losses: 0, returns: 0)
    private var turns = 0

    package init(_ node: String, _ events: EventBox) {
        self.node = node
        self.events = events
    }

    /// Takes the counts so far; tells what has been added to them.
    package mutating func note(losses: Int, returns: Int, _ lastLoss: @autoclosure () -> String?) {
        if losses > told.losses { post(.lost, lastLoss() ?? "no reason known", count: losses - told.losses) }
        if returns > told.returns { post(.returned, "", count: returns - told.returns) }
        if told != (losses, returns) { events.keep(EventBox.Outage(losses: losses, returns: returns), of: node) }
        told = (losses, returns)
    }

    /// The same of a peer that counts its comings and goings in `turns`: only looks at `outages` when that has changed.
    package mutating func follow<Fault>(_ turns: Int, _ outages: @autoclosure () -> Outages<Fault>) {
        guard turns != self.turns else { return }
        self.turns = turns
        let seen = outages()
        note(losses: seen.count, returns: seen.returns, seen.lastLoss)
    }

    /// Leaves another event of the node.
    package func post(_ kind: RunEvent.Kind, _ message: String, count: Int) {
        events.post(RunEvent(kind, of: node, message, count: UInt64(max(1, count))))
    }
}
