// SPDX-License-Identifier: Apache-2.0
internal import Basics
public import Dataflow
public import PipelineLanguage

/// Whether a run kept what its `target` promised.
public struct Verdict: Sendable, Hashable {
    /// One promise and what became of it.
    public struct Clause: Sendable, Hashable {
        /// The promise and the figure, in words.
        public let text: String
        /// Whether it was kept.
        public let isKept: Bool
    }

    /// The promises, in the order of the file.
    public let clauses: [Clause]
    /// Whether all were kept.
    public var isKept: Bool { clauses.allSatisfy(\.isKept) }

    /// Share of the target frame rate that counts as kept: timestamps and the first frame cost a little.
    static let tolerance = Governor.tolerance
    /// Share of the seconds in which the frame rate has to be kept.
    static let secondsShare = 0.95
    /// Whole seconds from which on seconds are judged; a shorter run is judged by its average.
    static let secondsNeeded = 5

    /// Judges a finished run; nil where the pipeline has no target or not one frame was delivered.
    ///
    /// - Parameters:
    ///   - report: of the run.
    ///   - target: what was promised.
    ///   - record: the run's record of seconds; without one the average decides.
    public init?(_ report: RunReport, target: PipelineTarget?, record: TargetRecord? = nil) {
        guard let target else { return nil }
        let sinks = report.nodes.filter { $0.endToEnd != nil }
        var clauses: [Clause] = []
        if let fps = target.fps {
            let slowest = sinks.map(\.fps).min() ?? 0
            if let seconds = record?.seconds, seconds.measured >= Self.secondsNeeded {
                let share = Self.text(seconds.fastShare * 100)
                let lowest = seconds.lowestFPS.map { ", \(Self.text($0)) in the worst" } ?? ""
                clauses.append(
                    Clause(
                        text: "fps \(Self.text(fps)): held in \(share) % of \(seconds.measured) seconds "
                            + "(\(Self.text(slowest)) on average\(lowest))",
                        isKept: seconds.fastShare >= Self.secondsShare))
            } else {
                clauses.append(
                    Clause(
                        text: "fps \(Self.text(fps)): held \(Self.text(slowest)) on average",
                        isKept: slowest >= fps * Self.tolerance))
            }
        }
        if let limit = target.latencyMilliseconds {
            let p99 = Double(report.endToEnd.p99) / 1e6
            clauses.append(
                Clause(text: "latency \(Self.text(limit)) ms: p99 was \(Self.text(p99)) ms", isKept: p99 <= limit))
        }
        guard !clauses.isEmpty else { return nil }
        self.clauses = clauses
    }

    private static func text(_ value: Double) -> String { NumberText.decimal(value, places: 1) }
}
