// SPDX-License-Identifier: Apache-2.0
internal import Dataflow

/// What has happened from one report of a graph to the next: frames lost, nodes failed.
///
/// - Note: Thread-safety: a value.
struct ReportNews {
    private struct Loss: Hashable {
        let place: String
        let cause: DropCause
    }

    private var drops: [Loss: UInt64] = [:]
    private var failures: Set<String> = []

    /// The events since the last call.
    mutating func events(in report: RunReport) -> [RunEvent] {
        let lost = report.sources.flatMap(\.drops).compactMap { drop -> RunEvent? in
            let loss = Loss(place: drop.place, cause: drop.cause)
            let before = drops.updateValue(drop.count, forKey: loss) ?? 0
            // Frames that were ended on purpose are no loss.
            guard drop.count > before, !drop.cause.isWanted else { return nil }
            return RunEvent(.dropped, of: drop.place, drop.cause.name, count: drop.count - before)
        }
        let failed = report.failures.filter { failures.insert($0.node).inserted }
        return lost + failed.map { RunEvent(.failed, of: $0.node, $0.message) }
    }
}

extension DropCause {
    /// Whether it is what the pipeline asks for rather than a loss.
    fileprivate var isWanted: Bool { self == .filtered || self == .rateLimited || self == .aborted }
}
