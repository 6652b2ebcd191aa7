// SPDX-License-Identifier: Apache-2.0
package import Dataflow

/// Everything that a run has to say of itself at one instant.
package struct RunFigures: Sendable {
    /// A source whose frames come by themselves, or a sink that feeds a device or a peer.
    package struct Peer: Sendable, Hashable {
        /// The node's id.
        package var node: String
        /// Whether it is there.
        package var isUp: Bool
        /// How often it went.
        package var losses: Int
    }

    /// What a node has found.
    package struct Results: Sendable, Hashable {
        /// The node's id.
        package var node: String
        /// What it finds, as in records.
        package var kind: String
        /// How often.
        package var count: UInt64
    }

    /// Frames, nodes, edges.
    package var report: RunReport
    /// The rung in force, 0 where there is no ladder.
    package var rung: Int
    /// The target so far; nil where there is none.
    package var target: TargetRecord?
    /// The live sources and peers, in the order of the graph.
    package var peers: [Peer]
    /// What the networks found, in the order of the graph.
    package var results: [Results]
    /// The process.
    package var usage: ProcessUsage

    /// Makes figures by hand, for tests.
    package init(
        report: RunReport, rung: Int = 0, target: TargetRecord? = nil, peers: [Peer] = [], results: [Results] = [],
        usage: ProcessUsage = ProcessUsage()
    ) {
        self.report = report
        self.rung = rung
        self.target = target
        self.peers = peers
        self.results = results
        self.usage = usage
    }
}
