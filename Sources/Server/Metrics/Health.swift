// SPDX-License-Identifier: Apache-2.0
internal import Dataflow
package import Pipeline

/// Whether a run lives and does its work, for whoever restarts it or sends it traffic.
package struct Health: Sendable, Hashable {
    /// What is wrong, a line each; empty when nothing is.
    package var problems: [String]
    /// Whether nothing is.
    package var isGood: Bool { problems.isEmpty }

    /// Alive: its control answers within a second.
    ///
    /// A run that waits for its camera is alive; one that hangs is not.
    package static func live(_ run: PipelineRun) -> Health {
        Health(problems: run.answers(within: 1) ? [] : ["the run does not answer"])
    }

    /// Ready: it runs, frames have reached a sink, no node has failed, and every camera, stream and peer is there.
    package static func ready(_ figures: RunFigures) -> Health {
        var problems: [String] = []
        switch figures.report.state {
        case .running: break
        case .notStarted: problems.append("the run has not started")
        case .finished, .aborted: problems.append("the run is over")
        }
        if figures.report.sources.allSatisfy({ $0.delivered == 0 }) {
            problems.append("no frame has reached a sink yet")
        }
        problems += figures.report.failures.map { "node \($0.node) has failed" }
        problems += figures.peers.filter { !$0.isUp }.map { "node \($0.node) has lost its device or peer" }
        return Health(problems: problems)
    }
}
