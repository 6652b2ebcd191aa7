// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
internal import Inference
internal import Networks
import Pipeline
internal import Workbench

extension ModelsCommand {
    /// `vpipe models eval`.
    struct Eval: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Measure weights against labelled pictures.",
            discussion:
                "mlsd: structural average precision; DATA holds pictures and lines.json. ddrnet: intersection over union per class, on pictures in DATA/val and their labels, PNG of "
                + "grey values or with a palette, in DATA/valannot. retinaface, ssh: average precision on the subsets of "
                + "WIDER FACE and over all faces; DATA is its own folder, or pictures with labels.json "
                + "(docs/evaluation.md).")

        /// The ways to run a network.
        enum Arithmetic: String, ExpressibleByArgument, CaseIterable { case f32, bf16, int8 }

        @Argument(help: "The network: mlsd, ddrnet, retinaface or ssh.") var network: String
        @Option(help: "Folder with pictures and labels.", completion: .directory) var data: String
        @Option(help: "Variant of the network.") var variant: String?
        @Option(help: "Weights file; the default ones otherwise.") var weights: String?
        @Option(help: ArgumentHelp("Input size.", valueName: "WxH")) var size: String?
        @Option(help: "The part of the data to use.") var split = "val"
        @Option(help: "Faces: the smallest side that counts, in pixels of the labels.") var minFace = 0.0
        @Flag(help: "ssh: look at several sizes of each picture.") var pyramid = false
        @Option(help: "Arithmetic: f32, bf16, or int8 as \"vpipe models quantize\" recorded it.")
        var precision = Arithmetic.f32
        @Flag(help: "Figures as one JSON object.") var json = false

        func run() throws {
            var options = Evaluation.Options(network: network, data: data)
            options.variant = variant
            options.weights = weights
            options.size = try ModelsCommand.inputSize(size)
            options.split = split
            options.smallestFace = minFace
            options.pyramid = pyramid
            options.precision = Precision(rawValue: precision.rawValue) ?? .f32
            let report: any EvaluationReport
            do {
                report = try Evaluation.run(options, engine: Installation.engine)
            } catch {
                throw Failure(.failed, "vpipe: \(error)")
            }
            if json { return Console.line(report.json) }
            for line in report.introduction { Console.line(line) }
            var table = TextTable(report.columns, rightAligned: Set(1..<report.columns.count))
            for row in report.rows { table.add(row) }
            for line in table.lines + report.conclusion { Console.line(line) }
        }
    }
}
