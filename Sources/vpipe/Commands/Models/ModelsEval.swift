// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
internal import Inference
internal import Networks
import Pipeline
internal import PipelineLanguage
internal import Workbench

extension ModelsCommand {
    /// `vpipe models eval`.
    struct Eval: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Measure weights against labelled pictures.",
            discussion:
                "mlsd: structural average precision; DATA holds pictures and lines.json. ddrnet: intersection over union per class, on pictures in DATA/val and their labels, PNG of "
                + "grey values or with a palette, in DATA/valannot. retinaface, ssh: average precision on the subsets of "
                + "WIDER FACE and over all faces; DATA is its own folder, or pictures with labels.json. onnx: mean average "
                + "precision as COCO defines it; DATA is in COCO's layout, the node's settings come from --set or "
                + "--pipeline (docs/evaluation.md).")

        /// The ways to run a network.
        enum Arithmetic: String, ExpressibleByArgument, CaseIterable { case f32, bf16, int8 }

        @Argument(help: "The network: mlsd, ddrnet, retinaface, ssh or onnx; a node's id with --pipeline.")
        var network: String
        @Option(help: "Folder with pictures and labels.", completion: .directory) var data: String
        @Option(help: "Variant of the network.") var variant: String?
        @Option(help: "Weights file; the default ones otherwise.") var weights: String?
        @Option(help: ArgumentHelp("Input size.", valueName: "WxH")) var size: String?
        @Option(help: "The part of the data to use.") var split = "val"
        @Option(help: "Faces: the smallest side that counts, in pixels of the labels.") var minFace = 0.0
        @Flag(help: "ssh: look at several sizes of each picture.") var pyramid = false
        @Option(help: "Arithmetic: f32, bf16, or int8 as \"vpipe models quantize\" recorded it.")
        var precision = Arithmetic.f32
        @Option(
            help: "onnx: take the node and its settings from this pipeline file.",
            completion: .file(extensions: ["json"]))
        var pipeline: String?
        @Option(
            name: .customLong("set"),
            help: ArgumentHelp("onnx: set a parameter of the node.", valueName: "param=value"))
        var settings: [String] = []
        @Flag(help: "Figures as one JSON object.") var json = false

        func run() throws {
            do {
                if pipeline != nil || network == "onnx" { return show(try objects()) }
                guard settings.isEmpty else {
                    throw Failure(
                        .usage, "vpipe: --set is for onnx; \(network) is measured as its weights are, leave it out")
                }
                show(try Evaluation.run(options(), engine: Installation.engine))
            } catch let failure as Failure {
                throw failure
            } catch let error as PipelineFileError {
                throw Failure(error)
            } catch {
                throw Failure(.failed, "vpipe: \(error)")
            }
        }

        private func options() throws -> Evaluation.Options {
            var options = Evaluation.Options(network: network, data: data)
            options.variant = variant
            options.weights = weights
            options.size = try ModelsCommand.inputSize(size)
            options.split = split
            options.smallestFace = minFace
            options.pyramid = pyramid
            options.precision = Precision(rawValue: precision.rawValue) ?? .f32
            return options
        }

        /// A node that finds objects; its threshold is low unless one is set.
        private func objects() throws -> ObjectEvaluation {
            let text = """
                {"nodes": {"picture": {"type": "testpattern", "frames": 1},
                 "node": {"type": "onnx", "input": "picture"}, "end": {"type": "null", "input": "node"}}}
                """
            let file = try pipeline.map { try PipelineFile(path: $0) } ?? PipelineFile(name: network, text: text)
            let id = pipeline == nil ? "node" : network
            let isSet = settings.contains { $0.hasPrefix("threshold=") }
            let all = settings + (isSet ? [] : ["threshold=\(ObjectEvaluation.threshold)"])
            let valid = try file.validated(
                against: Installation.registry.contracts, overrides: all.map { "\(id).\($0)" })
            return try ObjectEvaluation(
                valid, node: id, data: data, split: split, registry: Installation.registry, engine: Installation.engine)
        }

        private func show(_ report: any EvaluationReport) {
            if json { return Console.print(report.json + "\n") }
            for line in report.introduction { Console.line(line) }
            var table = TextTable(report.columns, rightAligned: Set(1..<report.columns.count))
            for row in report.rows { table.add(row) }
            for line in table.lines + report.conclusion { Console.line(line) }
        }
    }
}
