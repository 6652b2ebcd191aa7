// SPDX-License-Identifier: Apache-2.0
public import Dataflow

/// Turns reports of a running graph into what it does at present: rates, latencies, and the node that everything waits for.
///
/// Figures are of the last second or so. A node *binds* when frames queue up before it and not behind it: of the nodes whose
/// inputs are all full, the last one; a join with one that is not waits for that branch. Where there is none, the source binds,
/// and nothing is gained by making nodes cheaper.
/// - Note: Thread-safety: a value.
public struct RunMeter: Sendable {
    /// One node at present.
    public struct Node: Sendable {
        /// Its id.
        public var name: String
        /// Items per second.
        public var fps: Double
        /// Time in the node, per item.
        public var processTime: LatencySummary
        /// From capture to delivery here; nil unless the node is a sink.
        public var endToEnd: LatencySummary?
    }

    /// One edge at present.
    public struct Edge: Sendable {
        /// Both ends: `from -> to`.
        public var name: String
        /// How full it was on average, 0...1.
        public var level: Double
        /// Items it dropped per second.
        public var dropRate: Double
    }

    /// What the last two seconds were like.
    public struct Reading: Sendable {
        /// Every node, in the order of the graph.
        public var nodes: [Node]
        /// Every edge, in the order of the graph.
        public var edges: [Edge]
        /// From capture to delivery, over all sinks.
        public var endToEnd: LatencySummary
        /// Frames per second that were delivered, over all sources.
        public var fps: Double
        /// Frames per second that were dropped, over all sources.
        public var dropRate: Double
        /// Id of the node that everything waits for; nil before the first frames.
        public var binding: String?
    }

    /// The mean level from which an input counts as full; half of it is what a queue shows that is filled and emptied in turn.
    static let fullLevel = 0.5
    /// How many reports are looked at, the oldest against the newest.
    private let depth: Int
    private var reports: [RunReport] = []

    /// Makes a meter for so many reports a second.
    public init(reportsPerSecond: Int = 4) { depth = max(1, reportsPerSecond) + 1 }

    /// Takes a report; the reading once there are two.
    public mutating func observe(_ report: RunReport) -> Reading? {
        reports.append(report)
        if reports.count > depth { reports.removeFirst() }
        guard reports.count > 1, let first = reports.first, report.elapsed > first.elapsed else { return nil }
        let seconds = Double(report.elapsed - first.elapsed) / 1e9
        func rate(_ after: UInt64, _ before: UInt64) -> Double { after > before ? Double(after - before) / seconds : 0 }
        var latency = LatencyCounts()
        let nodes = zip(report.nodes, first.nodes).map { after, before -> Node in
            let endToEnd = after.endToEndCounts.map { $0.since(before.endToEndCounts ?? LatencyCounts()) }
            if let endToEnd { latency = latency.adding(endToEnd) }
            return Node(
                name: after.name, fps: rate(after.items, before.items),
                processTime: after.processCounts.since(before.processCounts).summary, endToEnd: endToEnd?.summary)
        }
        let edges = report.edges.indices.map { index -> Edge in
            let after = report.edges[index]
            let level = reports.reduce(0.0) {
                $0 + Double($1.edges[index].queued) / Double(max(1, $1.edges[index].capacity))
            }
            return Edge(
                name: after.name, level: level / Double(reports.count),
                dropRate: rate(after.dropped, first.edges[index].dropped))
        }
        func sum(_ report: RunReport, _ part: (RunReport.Source) -> UInt64) -> UInt64 {
            report.sources.reduce(0) { $0 + part($1) }
        }
        return Reading(
            nodes: nodes, edges: edges, endToEnd: latency.summary,
            fps: rate(sum(report, \.delivered), sum(first, \.delivered)),
            dropRate: rate(sum(report, \.dropped), sum(first, \.dropped)),
            binding: sum(report, \.admitted) == 0 ? nil : Self.binding(report, edges))
    }

    private static func binding(_ report: RunReport, _ edges: [Edge]) -> String? {
        let inputs = Dictionary(grouping: edges) { ends(of: $0.name).to }
        func isPressed(_ node: RunReport.Node) -> Bool {
            inputs[node.name]?.allSatisfy { $0.level >= fullLevel || $0.dropRate > 0 } ?? false
        }
        return report.nodes.last(where: isPressed)?.name
            ?? report.sources.max { $0.admitted < $1.admitted }?.name
    }

    /// The nodes of an edge called `from.1 -> to.2`.
    public static func ends(of edge: String) -> (from: String, to: String) {
        let parts = edge.split(separator: " ")
        func node(_ end: Substring?) -> String { String(end?.prefix { $0 != "." } ?? "") }
        return (node(parts.first), node(parts.last))
    }
}
