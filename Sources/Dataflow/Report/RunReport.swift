// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// The figures of a run, after its end or in the middle of it.
public struct RunReport: Sendable {
    /// One node's part.
    public struct Node: Sendable {
        /// Its id in the graph.
        public var name: String
        /// Items processed; for a source, calls that emitted.
        public var items: UInt64
        /// Items per second between the first and the last one.
        public var fps: Double
        /// Time in the node, per item.
        public var processTime: LatencySummary
        /// From capture to delivery here; nil unless the node is a sink.
        public var endToEnd: LatencySummary?
        /// `processTime` in full, for rates and histograms.
        public var processCounts = LatencyCounts()
        /// `endToEnd` in full; nil unless the node is a sink.
        public var endToEndCounts: LatencyCounts?
        /// Whether it failed; see `failures`.
        public var hasFailed: Bool
    }

    /// One edge's part.
    public struct Edge: Sendable {
        /// Both ends: `from -> to`.
        public var name: String
        /// What becomes of an item that finds it full.
        public var policy: EdgePolicy
        /// How many items it holds, those that a diamond needs included.
        public var capacity: Int
        /// Items queued at this moment.
        public var queued: Int
        /// Time in the queue, per item.
        public var wait: LatencySummary
        /// `wait` in full.
        public var waitCounts = LatencyCounts()
        /// Items that were dropped here, even when the frame was delivered another way.
        public var dropped: UInt64
    }

    /// How many frames of a source ended at one place for one reason.
    public struct Drop: Sendable, Hashable {
        /// The node or the edge, which is named `from -> to`.
        public var place: String
        /// What happened to them.
        public var cause: DropCause
        /// Frames.
        public var count: UInt64
    }

    /// One source's balance: admitted = delivered + dropped + in flight.
    public struct Source: Sendable {
        /// The source node's id.
        public var name: String
        /// Frames that entered the graph.
        public var admitted: UInt64
        /// Frames that at least one sink got.
        public var delivered: UInt64
        /// Of the delivered, those that were dropped on the way to some other sink or join.
        public var deliveredPartly: UInt64
        /// Frames that no sink got.
        public var dropped: UInt64
        /// Where and why the dropped ones ended.
        public var drops: [Drop]
        /// Frames that have not ended yet.
        public var inFlight: UInt64
    }

    /// A node that failed.
    public struct Failure: Sendable, Hashable {
        /// Its id in the graph.
        public var node: String
        /// What it threw, as text.
        public var message: String
        /// When, on the graph's clock, in nanoseconds.
        public var at: UInt64
    }

    /// How far the run is.
    public enum State: Sendable, Hashable { case notStarted, running, finished, aborted }

    /// The graph's name.
    public var graph: String
    /// How far it was when this was read.
    public var state: State
    /// From start to end, or until now, in nanoseconds.
    public var elapsed: UInt64
    /// Every node, in the order of the graph.
    public var nodes: [Node]
    /// Every edge, in the order of the graph.
    public var edges: [Edge]
    /// The balance of every source.
    public var sources: [Source]
    /// From capture to delivery, over all sinks.
    public var endToEnd: LatencySummary
    /// The nodes that failed, the first one first.
    public var failures: [Failure]
    /// What does not add up in the frame counts; each line is a bug in the graph or in a node.
    ///
    /// Empty when all is well.
    public var ledgerErrors: [String]

    /// Whether every admitted frame is accounted for.
    public var isBalanced: Bool { ledgerErrors.isEmpty }

    /// The part of a node.
    public func node(_ name: String) -> Node? { nodes.first { $0.name == name } }

    /// The balance of a source.
    public func source(_ name: String) -> Source? { sources.first { $0.name == name } }
}

extension Graph {
    func report() -> RunReport {
        let now = control.clock.now()
        let startedAt = control.startedAt.load(ordering: .relaxed)
        let endedAt = control.endedAt.load(ordering: .relaxed)
        let state: RunReport.State =
            startedAt == 0 ? .notStarted : endedAt == 0 ? .running : control.isAborted ? .aborted : .finished
        // Acquire pairs with the release in Stage.fail.
        let failed = stages.filter { $0.hasFailed.load(ordering: .acquiring) }
        let failures = failed.compactMap(\.failure).sorted { $0.at < $1.at }
        var errors: [String] = []
        let sources = ledgers.indices.map { i in
            let account = ledgers[i].account()
            errors += Self.problems(of: account, source: sourceNames[i], isOver: endedAt != 0)
            return RunReport.Source(
                name: sourceNames[i], admitted: account.admitted, delivered: account.delivered,
                deliveredPartly: account.deliveredPartly, dropped: account.droppedCount,
                drops: account.dropped.map { .init(place: placeName($0.place), cause: $0.cause, count: $0.count) },
                inFlight: account.inFlight)
        }
        let sinks = stages.filter(\.frames.isSink)
        let end = endedAt == 0 ? now : endedAt
        return RunReport(
            graph: name, state: state, elapsed: startedAt != 0 && end > startedAt ? end - startedAt : 0,
            nodes: stages.map { stage in
                let items = stage.items.load(ordering: .relaxed)
                let first = stage.firstAt.load(ordering: .relaxed)
                let last = stage.lastAt.load(ordering: .relaxed)
                let fps = items > 1 && last > first ? Double(items - 1) * 1e9 / Double(last - first) : 0
                let process = stage.processTime.reading
                let endToEnd = stage.frames.isSink ? stage.frames.endToEnd.reading : nil
                return .init(
                    name: stage.name, items: items, fps: fps, processTime: process.summary,
                    endToEnd: endToEnd?.summary, processCounts: process.counts, endToEndCounts: endToEnd?.counts,
                    hasFailed: failed.contains { $0 === stage })
            },
            edges: edges.map { edge in
                let wait = edge.wait.reading
                return .init(
                    name: edge.name, policy: edge.policy, capacity: edge.ring.capacity, queued: edge.ring.count,
                    wait: wait.summary, waitCounts: wait.counts, dropped: edge.dropped.load(ordering: .relaxed))
            },
            sources: sources, endToEnd: LatencyHistogram.summary(of: sinks.map(\.frames.endToEnd)),
            failures: failures, ledgerErrors: errors)
    }

    /// What an account gives reason to complain of.
    static func problems(of account: Ledger.Account, source: String, isOver: Bool) -> [String] {
        var problems: [String] = []
        if account.fateless > 0 { problems.append("source \(source): \(account.fateless) frames ended without a fate") }
        if account.unexpectedReleases > 0 {
            problems.append("source \(source): \(account.unexpectedReleases) frames were ended that were not in flight")
        }
        let sum = account.delivered + account.droppedCount + account.inFlight
        if account.isSteady, account.admitted != sum {
            problems.append(
                "source \(source): \(account.admitted) frames came in, but \(account.delivered) delivered + "
                    + "\(account.droppedCount) dropped + \(account.inFlight) in flight = \(sum)")
        }
        if isOver, account.inFlight > 0 {
            problems.append("source \(source): \(account.inFlight) frames still in flight after the end")
        }
        return problems
    }
}
