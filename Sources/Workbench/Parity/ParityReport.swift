// SPDX-License-Identifier: Apache-2.0
internal import PipelineLanguage

/// What a comparison of a node with a reference found, stage by stage.
public struct ParityReport: Sendable {
    /// One stage of a node: its input tensor, an output of the network, or the decoded results.
    public struct Stage: Sendable {
        /// `pre-processing`, `output centre`, `results`.
        public let name: String
        /// How far apart the two are, in words; what was missing when nothing could be compared.
        public let measure: String
        /// Whether they agree; nil when nothing could be compared.
        public let agrees: Bool?
        /// The usual mistakes that explain the difference, or one sentence that none does.
        public let causes: [String]

        init(_ name: String, agrees: Bool?, _ measure: String, causes: [String] = []) {
            self.name = name
            self.agrees = agrees
            self.measure = measure
            self.causes = causes
        }
    }

    /// In the order of processing: a fault upstream explains one downstream.
    public let stages: [Stage]

    /// Whether every stage that could be compared agrees, and there was one.
    public var agrees: Bool { stages.contains { $0.agrees == true } && !stages.contains { $0.agrees == false } }
}

/// A number for a sentence: three significant digits or so.
func brief(_ value: Double) -> String {
    guard value.isFinite, abs(value) < 1e9 else { return "infinite" }
    let decimals = abs(value) >= 100 ? 1.0 : abs(value) >= 1 ? 100.0 : 100_000.0
    return plain((value * decimals).rounded() / decimals)
}
