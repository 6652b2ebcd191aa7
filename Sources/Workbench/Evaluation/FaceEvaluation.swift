// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Annotations
internal import Foundation
internal import Inference
internal import Media
internal import Networks
internal import Pipeline
internal import PipelineLanguage
internal import Vision

/// A face network on labelled pictures: average precision by WIDER FACE's protocol on its subsets where their lists are
/// there, and over all labelled faces from a size up.
public struct FaceEvaluation: EvaluationReport {
    /// Average precision on each official subset, 0...1.
    public let official: [(subset: String, faces: Int, precision: Double)]
    /// All labelled faces.
    public let all: FaceAccuracy
    /// Side (root of the area) from which labelled faces count.
    public let smallest: Double
    /// Pictures measured.
    public let pictures: Int
    /// Pictures that WIDER FACE's list names and that are not there.
    public let absent: Int
    private let model: String

    /// Unmatched detections below this share of the smallest size are neutral: they may be faces too small to count.
    private static let neutralShare = 0.8

    init(
        _ family: FaceFamily, _ options: Evaluation.Options, engine: any InferenceEngine, progress: (Int, Int) -> Void
    ) throws {
        let data = try LabelledFaces(folder: options.data, split: options.split)
        let model = try Evaluation.model(family.networks, options)
        let smallest = options.smallestFace
        var all = FaceAccuracy(smallest: Float(smallest * Self.neutralShare))
        var subsets = data.subsets.map { _ in FaceAccuracy() }
        var measuring = family.measuringOptions
        measuring.pyramid = options.pyramid
        let finder = FaceFinder(
            family, measuring, model, size: options.size, engine: engine, cores: Evaluation.cores(options),
            precision: options.precision)
        for (index, entry) in data.entries.enumerated() {
            let found = try finder.faces(in: ImageReader.read(entry.path))
            all.add(
                found: found,
                truth: zip(entry.boxes, entry.isInvalid).map { box, isInvalid in
                    let side = Double(max(0, box.width) * max(0, box.height)).squareRoot()
                    return .init(box: box, isCounted: !isInvalid && side >= smallest)
                })
            let whole = found.map(Self.inWholePixels)
            for (position, subset) in data.subsets.enumerated() {
                let counted = entry.subsets[subset] ?? []
                subsets[position].add(
                    found: whole,
                    truth: entry.boxes.indices.map { .init(box: entry.boxes[$0], isCounted: counted.contains($0)) })
            }
            progress(index + 1, data.entries.count)
        }
        official = zip(data.subsets, subsets).map { ($0, $1.faces, $1.officialAveragePrecision) }
        self.all = all
        self.smallest = smallest
        pictures = data.entries.count
        absent = data.absent
        let size = options.size.map { "at \($0)" } ?? "at each picture's size"
        self.model =
            "\(options.network) \(model.architecture.variant) \(size)\(options.pyramid ? ", pyramid" : ""), \(model.path)"
    }

    /// As the official detection files store a box.
    private static func inWholePixels(_ face: Face) -> Face {
        let (x, y) = (face.box.x.rounded(.towardZero), face.box.y.rounded(.towardZero))
        let right = (face.box.x + face.box.width).rounded(.towardZero)
        let bottom = (face.box.y + face.box.height).rounded(.towardZero)
        return Face(box: Box(x: x, y: y, width: right - x, height: bottom - y), score: face.score)
    }

    // MARK: - Report

    /// What was measured.
    public var introduction: [String] {
        let all = absent == 0 ? "" : " of the list's \(pictures + absent); the others are not there"
        return ["\(model), \(pictures) pictures\(all)"]
    }
    /// Faces that count, and how well they were found.
    public var columns: [String] { ["faces", "count", "AP"] }
    /// The official subsets, then all faces.
    public var rows: [[String]] {
        official.map { [$0.subset, String($0.faces), percent($0.precision)] }
            + [
                [
                    smallest > 0 ? "from \(rounded(smallest)) pixels" : "all", String(all.faces),
                    percent(all.averagePrecision),
                ]
            ]
    }
    /// At the score that nodes use.
    public var conclusion: [String] {
        let (recall, precision) = all.recallAndPrecision(above: 0.5)
        return [
            "above a score of 0.5: \(percent(recall)) % of the faces found, \(percent(precision)) % of those found right"
        ]
    }
    /// The same figures, 0...1.
    public var json: String {
        let (recall, precision) = all.recallAndPrecision(above: 0.5)
        var document: [(String, JSONDocument)] = [
            ("model", .string(model)), ("pictures", .integer(pictures)), ("absent", .integer(absent)),
            ("faces", .integer(all.faces)),
            ("smallest", .number(smallest)), ("AP", .number(all.averagePrecision)), ("recall", .number(recall)),
            ("precision", .number(precision)),
        ]
        document += official.map { ($0.subset, .number($0.precision)) }
        return JSONDocument.object(document).compact
    }

    /// Average precision over all faces that count.
    public var figure: Double { all.averagePrecision }
    /// Its name.
    public var measure: String { "AP" }

    private func percent(_ share: Double) -> String { rounded(share * 100) }

    private func rounded(_ value: Double) -> String { NumberText.decimal(value) }
}

/// Finds faces in pictures of any size, with a network of one size or of each picture's own.
final class FaceFinder {
    private let family: FaceFamily
    private let options: FaceOptions
    private let model: NodeModel
    private let size: InputSize?
    private let engine: any InferenceEngine
    private let compile: CompileOptions
    private var current: (size: InputSize, network: any PictureNetwork<[Face]>)?

    init(
        _ family: FaceFamily, _ options: FaceOptions, _ model: NodeModel, size: InputSize?,
        engine: any InferenceEngine, cores: Int, precision: Precision
    ) {
        self.family = family
        self.options = options
        self.model = model
        self.size = size
        self.engine = engine
        compile = CompileOptions(.throughput, cores: cores, precision: precision, cache: .off)
    }

    func faces(in picture: Picture) throws -> [Face] {
        let wanted = size ?? InputSize(width: picture.width, height: picture.height)
        if let current, current.size == wanted { return try current.network.result(for: picture) }
        let network = try family.network(
            NetworkSetup(
                model.architecture, weights: model.weights, size: wanted, engine: engine, compile: compile,
                requests: 1), options: options)
        current = (wanted, network)
        return try network.result(for: picture)
    }
}
