// SPDX-License-Identifier: Apache-2.0
import Dataflow
import Inference
import InferenceTestSupport
import TestSupport

@testable import Pipeline
@testable import PipelineLanguage

/// Validates a pipeline given as the text of its `nodes`.
func pipeline(_ nodes: String, overrides: [String] = []) throws -> ValidatedPipeline {
    try PipelineFile(name: "test.json", text: #"{"nodes":{\#(nodes)}}"#)
        .validated(against: NodeRegistry.builtIn.contracts, overrides: overrides)
}

extension PipelineRun {
    /// A run of built-in nodes, on the usual engine unless the test brings its own.
    convenience init(
        _ pipeline: ValidatedPipeline, options: BuildContext.Options = .init(),
        on engine: @escaping @autoclosure BuildContext.EngineSource = try OpenVINOEngine.shared()
    ) throws {
        try self.init(pipeline, registry: .builtIn, engine: try engine(), options: options)
    }
}

extension PipelineRun {
    /// Waits until `sink` has taken so many more frames; the share of the frames of `source` that reached it meanwhile.
    func share(of source: String, reaching sink: String, over frames: UInt64) -> Double {
        func counts() -> (taken: UInt64, came: UInt64) {
            let report = snapshot()
            return (report.node(sink)?.items ?? 0, report.source(source)?.admitted ?? 0)
        }
        let before = counts()
        while true {
            let isOver = waitUntilFinished(seconds: 0.005) != nil
            let now = counts()
            if isOver || now.taken - before.taken >= frames {
                return Double(now.taken - before.taken) / Double(max(1, now.came - before.came))
            }
        }
    }
}
