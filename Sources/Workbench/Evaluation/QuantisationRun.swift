// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Foundation
public import Inference
internal import Media
public import Networks
internal import Pipeline
internal import Vision

/// Brings weights to 8 bits: ranges from pictures or batch normalisations, then the cheapest choice of blocks in floating
/// point whose results are within tolerance, and a record of all that.
public enum QuantisationRun {
    /// What is quantised, and on what it is measured.
    public struct Options: Sendable {
        /// The network, as in a pipeline file.
        public var network: String
        /// Variant of the network; nil takes the first of the catalogue.
        public var variant: String?
        /// Weights file; nil takes the best installed.
        public var weights: String?
        /// Size of the network's input; nil takes what the weights were made for, or each picture's for labelled faces.
        public var size: InputSize?
        /// Pictures in a folder, with labels or without, or a video; nil measures nothing.
        public var data: String?
        /// Whether ranges come from batch normalisations.
        public var isDataFree = false
        /// The share of f32's figure to keep.
        public var keep = 0.99
        /// The part of labelled data to measure on.
        public var split = "val"
        /// Faces: the side, in the labels' pixels, from which they count.
        public var smallestFace = 0.0
        /// Pictures to take ranges from, and to measure on where nothing is labelled.
        public var pictures = 60
        /// Processor cores to count on; nil takes all.
        public var cores: Int?
        /// File that keeps what was measured of a search that was ended; nil is the user's own.
        public var progressFile: String?

        /// Quantises `network`, everything else as it comes.
        public init(network: String) { self.network = network }
    }

    /// How far it is.
    public struct Progress: Sendable {
        /// What was just measured, in words.
        public let what: String
        /// The figure of it, 0...1; nil while there is none.
        public let figure: Double?
        /// Measurements made, and how many there may be at most.
        public let done: Int, most: Int
    }

    /// What came of it.
    public struct Outcome: Sendable {
        /// What to write beside ``weightsPath``.
        public let record: QuantisationRecord
        /// The weights it is for.
        public let weightsPath: String
        /// Block by block; empty where nothing was measured.
        public let rows: [PrecisionSearch.Row]
        /// Whether the results are within the tolerance.
        public let isWithin: Bool
        /// Milliseconds of one inference on one thread, in turns.
        public let times: (f32: Double, int8: Double)
    }

    /// Does it; `progress` hears of every measurement.
    ///
    /// - Throws: what is wrong with weights or data, in a sentence that names the file.
    public static func run(
        _ options: Options, engine: any InferenceEngine, progress: (Progress) -> Void = { _ in }
    ) throws -> Outcome {
        guard let family = NetworkFamily.all.first(where: { $0.name == options.network }) else {
            throw OutputError("there is no network \"\(options.network)\"")
        }
        var evaluation = Evaluation.Options(network: options.network, data: options.data ?? "")
        evaluation.variant = options.variant
        evaluation.weights = options.weights
        evaluation.size = options.size
        evaluation.cores = options.cores
        let cores = Evaluation.cores(evaluation)
        let model = try Evaluation.model(family, evaluation)
        guard options.isDataFree || options.data != nil else {
            throw OutputError("ranges need pictures (--data FOLDER|VIDEO) or none at all (--data-free)")
        }
        progress(Progress(what: "ranges", figure: nil, done: 0, most: 1))
        let pictures = try options.data.map { try CalibrationPictures($0, limit: options.pictures).pictures } ?? []
        let quantisation =
            options.isDataFree
            ? try Self.dataFree(model) : try Self.calibrated(model, pictures, engine, cores: cores)
        var record = QuantisationRecord(
            network: model.architecture.network, variant: model.architecture.variant,
            weights: model.weights.checksum, method: options.isDataFree ? .dataFree : .pictures,
            quantisation: quantisation, keep: options.keep, measure: "", figures: [:], data: "")
        let blocks = try model.architecture.build(at: model.size, for: model.weights).blocks
        var rows: [PrecisionSearch.Row] = []
        var isWithin = false
        if let data = options.data {
            let measure = try Measure(options, data, model, pictures, engine, cores)
            record.measure = measure.name
            record.data = measure.data
            var store = ProgressFile(options, record, data, measure.data)
            let f32 = try store.figure("f32") { try measure.figure(model) }
            progress(Progress(what: "f32", figure: f32, done: 1, most: 2 + 3 * blocks.count))
            var search = PrecisionSearch(blocks: blocks, reference: f32, keep: options.keep, known: store.known)
            var done = 1
            let most = 1 + search.most
            let found = try search.run { choice in
                record.quantisation.floatBlocks = choice
                let figure = try measure.figure(model.quantised(by: record))
                store.keep(figure, of: choice)
                done += 1
                progress(
                    Progress(
                        what: choice.isEmpty ? "all in 8 bits" : choice.sorted().joined(separator: ", ") + " in f32",
                        figure: figure, done: done, most: most))
                return figure
            }
            record.quantisation.floatBlocks = found.floatBlocks
            record.figures = ["f32": f32, "int8": found.figure]
            (rows, isWithin) = (found.rows, found.isWithin)
            if let bf16 = try measure.bf16(model) { record.figures["bf16"] = bf16 }
            store.remove()
        }
        return Outcome(
            record: record, weightsPath: model.path, rows: rows, isWithin: isWithin,
            times: try Self.times(model, model.quantised(by: record), engine))
    }

    // MARK: - Ranges

    private static func dataFree(_ model: NodeModel) throws -> Quantisation {
        try DataFreeQuantisation(
            model.architecture.build(at: model.size, for: model.weights), weights: model.weights,
            normalisation: model.architecture.normalisation
        ).quantisation
    }

    private static func calibrated(
        _ model: NodeModel, _ pictures: [Picture], _ engine: any InferenceEngine, cores: Int
    ) throws -> Quantisation {
        let isFaces = FaceFamily.all.contains { $0.networks.name == model.architecture.network }
        let preprocessor = Preprocessor(
            size: model.size, normalisation: model.architecture.normalisation, filter: isFaces ? .bilinear : .area)
        let network = try model.architecture.build(at: model.size, for: model.weights)
        guard network.inputs.count == 1 else {
            throw OutputError("\(model.architecture.network): takes more than a picture: it is not quantised")
        }
        let observer = try RangeObserver(
            network, weights: model.weights, engine: engine,
            compile: CompileOptions(.single, cores: cores, precision: .f32, cache: .off))
        for picture in pictures { try observer.observe { _ = preprocessor.fill($0, from: picture) } }
        return Quantisation(ranges: observer.ranges)
    }

    // MARK: - Time

    /// The median of some inferences in turns, on one thread.
    private static func times(
        _ f32: NodeModel, _ int8: NodeModel, _ engine: any InferenceEngine
    ) throws -> (f32: Double, int8: Double) {
        let sources = try [f32, int8].map { model in
            ModelSource(
                name: model.architecture.network,
                onnx: try model.architecture.onnx(at: model.size, weights: model.weights))
        }
        let options = CompileOptions(.single, cores: 1, precision: .f32, cache: .off)
        let times = try EngineTiming.inTurns(sources.map { try engine.compile($0, options: options) })
        return (times[0], times[1])
    }
}

/// The figure by which forms of one model are compared: against labels where the data has any, against f32 otherwise.
private struct Measure {
    let name: String
    /// What it is measured on, in words.
    let data: String
    private let engine: any InferenceEngine
    private let agreement: Agreement?
    private var evaluation: Evaluation.Options
    private static let names = ["mlsd": "sAP10", "ddrnet": "mIoU"]

    init(
        _ options: QuantisationRun.Options, _ path: String, _ model: NodeModel, _ pictures: [Picture],
        _ engine: any InferenceEngine, _ cores: Int
    ) throws {
        self.engine = engine
        evaluation = Evaluation.Options(network: options.network, data: path)
        evaluation.size = options.size
        evaluation.split = options.split
        evaluation.smallestFace = options.smallestFace
        evaluation.cores = cores
        let folder = path.split(separator: "/").last.map(String.init) ?? path
        guard Self.isLabelled(path, options) else {
            let agreement = try Agreement(model, pictures: pictures, engine: engine, cores: cores)
            (self.agreement, name) = (agreement, agreement.measure)
            data = "\(pictures.count) pictures of \(folder) at \(model.size), against f32"
            return
        }
        agreement = nil
        let isFaces = options.network != "mlsd" && options.network != "ddrnet"
        name = Self.names[options.network] ?? "AP"
        let size = isFaces && options.size == nil ? "each picture's size" : model.size.description
        data =
            "\(folder), part \(options.split), at \(size)"
            + (options.smallestFace > 0 ? ", faces from \(Int(options.smallestFace.rounded())) pixels" : "")
    }

    func figure(_ model: NodeModel) throws -> Double { try figure(model, .f32) }

    /// The figure of bf16, where the processor has it.
    func bf16(_ model: NodeModel) throws -> Double? {
        guard CPUFeatures.current.hasBF16, agreement == nil else { return nil }
        return try figure(model, .bf16)
    }

    private func figure(_ model: NodeModel, _ precision: Precision) throws -> Double {
        if let agreement { return try agreement.figure(of: model) }
        var options = evaluation
        options.given = model
        options.precision = precision
        return try Evaluation.run(options, engine: engine).figure
    }

    private static func isLabelled(_ path: String, _ options: QuantisationRun.Options) -> Bool {
        func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path + "/" + name) }
        switch options.network {
        case "mlsd": return exists(LabelledLines.file)
        case "ddrnet": return exists(options.split + "annot")
        default: return (try? LabelledFaces(folder: path, split: options.split)) != nil
        }
    }
}

/// What was measured so far, kept on disk so that a search that was ended goes on where it was.
private struct ProgressFile {
    private var figures: [String: Double]
    private let path: String

    init(_ options: QuantisationRun.Options, _ record: QuantisationRecord, _ data: String, _ measured: String) {
        // All that figures depend on.
        let key = String(decoding: record.bytes, as: UTF8.self) + data + measured
        let name = String(ContentHash(of: Array(key.utf8)).description.prefix(16))
        path = options.progressFile ?? "\(Folders().cache ?? NSTemporaryDirectory())/quantise-\(name).json"
        let stored = FileManager.default.contents(atPath: path)
        figures = stored.flatMap { try? JSONDecoder().decode([String: Double].self, from: $0) } ?? [:]
    }

    /// By the blocks left in floating point.
    var known: [Set<String>: Double] {
        var result: [Set<String>: Double] = [:]
        for (key, figure) in figures where key != "f32" {
            result[Set(key.split(separator: " ").map(String.init))] = figure
        }
        return result
    }

    /// The figure kept under a name, measured where there is none.
    mutating func figure(_ name: String, _ measure: () throws -> Double) rethrows -> Double {
        if let known = figures[name] { return known }
        let figure = try measure()
        store(figure, name)
        return figure
    }

    mutating func keep(_ figure: Double, of choice: Set<String>) {
        store(figure, choice.sorted().joined(separator: " "))
    }

    /// The search is over.
    func remove() { try? FileManager.default.removeItem(atPath: path) }

    private mutating func store(_ figure: Double, _ key: String) {
        figures[key] = figure
        let file = URL(fileURLWithPath: path)
        try? FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try? JSONEncoder().encode(figures).write(to: file, options: .atomic)
    }
}
