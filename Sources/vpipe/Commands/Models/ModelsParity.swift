// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Pipeline
internal import PipelineLanguage
internal import Workbench

extension ModelsCommand {
    /// `vpipe models parity`.
    struct Parity: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Compare an inference node with a reference's numbers and name the likely mistake.",
            discussion: "The reference is a NumPy archive with any of image, input, output.NAME, boxes, lines, "
                + "scores, landmarks and labels; docs/models.md says what they are and how to make one. Exit status 1 when a stage differs."
        )

        @Argument(help: "A node type (mlsd, retinaface, onnx, ...), or a node's id with --pipeline.") var node: String
        @Option(help: "The reference, a .npz file.", completion: .file(extensions: ["npz"])) var reference: String
        @Option(
            help: "Take the node and its settings from this pipeline file.", completion: .file(extensions: ["json"]))
        var pipeline: String?
        @Option(
            name: .customLong("set"),
            help: ArgumentHelp("Set a parameter of the node.", valueName: "param=value")) var settings: [String] = []

        func run() throws {
            let report: ParityReport
            do {
                let file = try pipeline.map { try PipelineFile(path: $0) } ?? PipelineFile(name: node, text: text)
                let id = pipeline == nil ? Self.id : node
                let valid = try file.validated(
                    against: Installation.registry.contracts, overrides: settings.map { "\(id).\($0)" })
                report = try ParityCheck.run(
                    valid, node: id, reference: reference, registry: Installation.registry,
                    engine: Installation.engine)
            } catch let error as PipelineFileError {
                throw Failure(error)
            } catch {
                throw Failure(.failed, "vpipe: \(error)")
            }
            for stage in report.stages {
                let verdict = stage.agrees.map { $0 ? "agrees" : "DIFFERS" } ?? "not compared"
                Console.line("\(stage.name): \(verdict) (\(stage.measure))")
                for cause in stage.causes { Console.line("  likely: \(cause)") }
            }
            if !report.agrees {
                throw Failure(
                    .failed,
                    report.stages.contains { $0.agrees == false }
                        ? "vpipe: the node differs from the reference" : "vpipe: nothing could be compared")
            }
        }

        private static let id = "node"

        /// A pipeline around one node of the type.
        private var text: String {
            """
            {"nodes": {"picture": {"type": "testpattern", "frames": 1},
             "\(Self.id)": {"type": "\(node)", "input": "picture"}, "end": {"type": "null", "input": "\(Self.id)"}}}
            """
        }
    }
}
