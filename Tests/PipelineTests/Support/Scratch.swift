// SPDX-License-Identifier: Apache-2.0
import Dataflow
import Foundation
import Inference

@testable import Pipeline

/// A folder that goes with its owner.
final class Scratch {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "/vpipe-test-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }

    func lines(_ name: String) throws -> [String] {
        try String(contentsOfFile: file(name), encoding: .utf8).split(separator: "\n").map(String.init)
    }
}

/// The project's root folder.
let packageRoot = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path

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

/// For runs of pipelines without networks.
@Sendable func noEngine() throws -> any InferenceEngine {
    throw InferenceError(.libraryMissing, operation: "test", detail: "a pipeline without networks opens no engine")
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
