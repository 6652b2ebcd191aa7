// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Basics
internal import Inference
internal import Media
internal import Networks
internal import Pipeline
internal import PipelineLanguage
internal import Vision

/// M-LSD on labelled photographs: structural average precision.
public struct LineEvaluation: EvaluationReport {
    /// What was found against what is labelled.
    public let accuracy: LineAccuracy
    /// Pictures measured.
    public let pictures: Int
    private let model: String

    /// Lines below this score are left out; low, as average precision looks at all.
    private static let threshold: Float = 0.01
    /// Shortest line, in pixels of the network's output map.
    private static let length: Float = 5

    init(
        _ family: LineFamily, _ options: Evaluation.Options, engine: any InferenceEngine,
        progress: (Int, Int) -> Void
    ) throws {
        let data = try LabelledLines(folder: options.data, split: options.split)
        let model = try Evaluation.model(family.networks, options)
        let compile = CompileOptions(
            .throughput, cores: Evaluation.cores(options), precision: options.precision, cache: .off)
        let network = try family.network(
            model.setup(engine: engine, compile: compile, requests: 1),
            options: LineDecoder.Options(scoreThreshold: Self.threshold, minimumLength: Self.length))
        var accuracy = LineAccuracy()
        for (index, entry) in data.entries.enumerated() {
            let picture = try ImageReader.read(entry.path)
            accuracy.add(
                found: try network.result(for: picture), truth: entry.lines, width: picture.width,
                height: picture.height)
            progress(index + 1, data.entries.count)
        }
        self.accuracy = accuracy
        pictures = data.entries.count
        self.model = "mlsd \(model.architecture.variant) at \(model.size), \(model.path), \(options.precision.rawValue)"
    }

    /// What was measured.
    public var introduction: [String] { ["\(model), \(pictures) pictures, \(accuracy.lines) lines"] }
    /// Limit and figure.
    public var columns: [String] { ["limit", "sAP"] }
    /// One per limit.
    public var rows: [[String]] {
        zip(LineAccuracy.limits, accuracy.averagePrecisions).map {
            ["\(Int($0))", NumberText.decimal($1 * 100)]
        }
    }
    /// Nothing more.
    public var conclusion: [String] { [] }
    /// The same figures, 0...1.
    public var json: String {
        let document: JSONDocument = [
            "network": "mlsd", "model": .string(model), "pictures": .integer(pictures),
            "lines": .integer(accuracy.lines),
            "sAP": .object(
                zip(LineAccuracy.limits, accuracy.averagePrecisions).map { ("\(Int($0))", .number($1)) }),
        ]
        return document.compact
    }
    /// sAP10.
    public var figure: Double { accuracy.averagePrecisions[1] }
    /// Its name.
    public var measure: String { "sAP10" }
}
