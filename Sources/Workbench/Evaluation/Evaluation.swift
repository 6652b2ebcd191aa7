// SPDX-License-Identifier: Apache-2.0
internal import Foundation
public import Inference
public import Networks
internal import Pipeline
internal import Vision

/// Measures weights against labelled pictures: one kind of evaluation for all families that find the same.
///
/// To add one: a type that conforms to `EvaluationReport`, and its line in `run`.
public enum Evaluation {
    /// What is measured on what.
    public struct Options: Sendable {
        /// The network, as in a pipeline file.
        public var network: String
        /// Variant of the network; nil takes the first of the catalogue.
        public var variant: String?
        /// Weights file; nil takes the best installed.
        public var weights: String?
        /// Size of the network's input; nil takes what the weights were made for, or each picture's for faces.
        public var size: InputSize?
        /// Folder with pictures and labels.
        public var data: String
        /// The part of the folder to use, where it has parts.
        public var split = "val"
        /// Faces: the side, in the labels' pixels, from which they count.
        public var smallestFace = 0.0
        /// Faces: whether SSH looks at several sizes of each picture.
        public var pyramid = false
        /// Arithmetic of the network; `int8` takes the record beside the weights.
        public var precision = Precision.f32
        /// Processor cores to count on; nil takes all.
        public var cores: Int?

        /// A model in memory, in place of a file's.
        var given: NodeModel?

        /// Measures `network` on `data`, everything else as it comes.
        public init(network: String, data: String) {
            self.network = network
            self.data = data
        }
    }

    /// Runs the network on every picture; `progress` is told how many of how many are done.
    ///
    /// - Throws: what is wrong with weights or data, in a sentence that names the file.
    public static func run(
        _ options: Options, engine: any InferenceEngine, progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) throws -> any EvaluationReport {
        if let family = SegmentationFamily.all.first(where: { $0.networks.name == options.network }) {
            return try SegmentationEvaluation(family, options, engine: engine, progress: progress)
        }
        if options.network == LineFamily.mlsd.networks.name {
            return try LineEvaluation(.mlsd, options, engine: engine, progress: progress)
        }
        if let family = FaceFamily.all.first(where: { $0.networks.name == options.network }) {
            return try FaceEvaluation(family, options, engine: engine, progress: progress)
        }
        let names =
            [LineFamily.mlsd.networks.name] + SegmentationFamily.all.map(\.networks.name)
            + FaceFamily.all.map(\.networks.name) + ["onnx"]
        throw OutputError(
            "there is no evaluation for \"\(options.network)\"; there are ones for \(names.joined(separator: ", "))")
    }

    /// Cores to use.
    static func cores(_ options: Options) -> Int {
        max(1, options.cores ?? ProcessInfo.processInfo.activeProcessorCount)
    }

    /// The model to measure, in 8 bits where that is asked for; without a variant the first of the catalogue.
    static func model(_ family: NetworkFamily, _ options: Options) throws -> NodeModel {
        if let given = options.given { return given }
        let model = try NodeModel(
            family, variant: options.variant ?? family.architectures[0].variant, weights: options.weights,
            size: options.size)
        return options.precision == .int8 ? try model.quantised() : model
    }
}

/// What an evaluation found, for people and for programs.
public protocol EvaluationReport: Sendable {
    /// Sentences above the table: what was measured on what.
    var introduction: [String] { get }
    /// The table's first row.
    var columns: [String] { get }
    /// The table's other rows.
    var rows: [[String]] { get }
    /// Sentences below the table.
    var conclusion: [String] { get }
    /// All figures as one JSON object on one line.
    var json: String { get }
    /// The one figure that weights are compared by, 0...1.
    var figure: Double { get }
    /// What ``figure`` is called: `AP`, `mIoU`, `sAP10`.
    var measure: String { get }
}
