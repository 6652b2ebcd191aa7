// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Basics
public import Inference
internal import Media
public import Pipeline
public import PipelineLanguage
internal import Vision

/// A node that finds objects, `onnx`, on labelled pictures: mean average precision as COCO defines it.
public struct ObjectEvaluation: EvaluationReport {
    /// What was found against what is labelled.
    public let accuracy: ObjectAccuracy
    /// Names of the classes.
    public let classes: [String]
    /// Pictures measured.
    public let pictures: Int
    private let model: String

    /// What a node's `threshold` is for a measurement: average precision looks at all that is found.
    public static let threshold = 0.001

    /// Makes the node and runs it on the pictures of a folder; `progress` is told how many of how many are done.
    ///
    /// - Parameters:
    ///   - pipeline: holds the node.
    ///   - id: of the node.
    ///   - data: a folder in COCO's layout, see docs/evaluation.md.
    ///   - split: the part of it, where its files have parts.
    /// - Throws: a sentence that names the node or the file.
    public init(
        _ pipeline: ValidatedPipeline, node id: String, data folder: String, split: String, registry: NodeRegistry,
        engine: any InferenceEngine, options: BuildContext.Options = .init(),
        progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) throws {
        guard let node = pipeline.nodes.first(where: { $0.id == id }) else {
            let names = pipeline.nodes.map(\.id).joined(separator: ", ")
            throw OutputError("there is no node \"\(id)\"; there are \(names)")
        }
        let data = try LabelledObjects(folder: folder, split: split)
        let context = BuildContext(pipeline: pipeline, options: options, engine: engine)
        guard case .node(let made) = try registry.make(node, in: context),
            let subject = (made as? any InspectableNode)?.stages
        else { throw OutputError("node \"\(id)\": \"\(node.type)\" has no picture in and objects out") }
        let request = try subject.model.makeRequest()
        let places = Dictionary(
            data.categories.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        var accuracy = ObjectAccuracy(classes: data.categories.count)
        var (strange, known) = (Set<String>(), 0)
        for (index, entry) in data.entries.enumerated() {
            let picture = try ImageReader.read(entry.path)
            if let size = entry.size, size != (picture.width, picture.height) {
                throw OutputError(
                    "\(entry.path): is \(picture.width)x\(picture.height), but its labels are for "
                        + "\(size.width)x\(size.height)")
            }
            let placement = subject.preprocessor.fill(request.inputs[0].floats, from: picture)
            try request.run()
            guard let found = subject.decode(request.outputs, placement).items(Detection.self) else {
                throw OutputError("node \"\(id)\": does not find objects")
            }
            var named: [Detection] = []
            for var detection in found {
                // A class without a name stands for the category at its place.
                let isNamed = detection.name != String(detection.label)
                let place = isNamed ? places[detection.name] : detection.label
                guard let place, data.categories.indices.contains(place) else {
                    strange.insert(detection.name)
                    continue
                }
                detection.label = place
                named.append(detection)
            }
            known += named.count
            accuracy.add(found: named, truth: entry.objects)
            progress(index + 1, data.entries.count)
        }
        if known == 0, !strange.isEmpty {
            throw OutputError(
                "none of what the model finds (\(strange.sorted().prefix(8).joined(separator: ", "))) is a category of "
                    + "\(folder) (\(data.categories.prefix(8).joined(separator: ", "))); name its classes alike in "
                    + "\"classes\"")
        }
        self.accuracy = accuracy
        classes = data.categories
        pictures = data.entries.count
        model = "\(subject.model.name) at \(subject.preprocessor.size), \(subject.model.settings.summary)"
    }

    // MARK: - Report

    /// What was measured.
    public var introduction: [String] { ["\(model), \(pictures) pictures, \(accuracy.objects()) objects"] }
    /// Class, its objects, and its average precisions in percent.
    public var columns: [String] { ["class", "objects", "AP", "AP50", "AP75"] }
    /// One per class, then their mean; a class without objects has no figure.
    public var rows: [[String]] {
        func row(_ name: String, _ label: Int?) -> [String] {
            [name, String(accuracy.objects(of: label))]
                + [nil, Self.half, Self.threeQuarters].map {
                    percent(accuracy.averagePrecision(of: label, overlap: $0))
                }
        }
        return classes.indices.map { row(classes[$0], $0) } + [row("all", nil)]
    }
    /// By the objects' sizes.
    public var conclusion: [String] {
        let sizes: [(String, ObjectAccuracy.Size)] = [("small", .small), ("medium", .medium), ("large", .large)]
        return [
            sizes.map { "\($0) \(percent(accuracy.averagePrecision($1)))" }.joined(separator: ", ")
                + " (AP by size: up to 32x32, up to 96x96 pixels, above)",
            "recall with \(ObjectAccuracy.limit) detections of a class in a picture: \(percent(accuracy.recall()))",
        ]
    }
    /// The same figures, 0...1; null where there is nothing to find.
    public var json: String {
        func number(_ value: Double?) -> JSONDocument { value.map { .number($0) } ?? .null }
        let document: JSONDocument = [
            "model": .string(model), "pictures": .integer(pictures), "objects": .integer(accuracy.objects()),
            "AP": number(accuracy.averagePrecision()), "AP50": number(accuracy.averagePrecision(overlap: Self.half)),
            "AP75": number(accuracy.averagePrecision(overlap: Self.threeQuarters)),
            "small": number(accuracy.averagePrecision(.small)), "medium": number(accuracy.averagePrecision(.medium)),
            "large": number(accuracy.averagePrecision(.large)), "recall": number(accuracy.recall()),
            "classes": .object(classes.indices.map { (classes[$0], number(accuracy.averagePrecision(of: $0))) }),
        ]
        return document.compact
    }
    /// Mean average precision.
    public var figure: Double { accuracy.averagePrecision() ?? 0 }
    /// Its name.
    public var measure: String { "AP" }

    private static let half: Int? = 0
    private static let threeQuarters: Int? = 5

    private func percent(_ share: Double?) -> String { share.map { NumberText.decimal($0 * 100) } ?? "-" }
}
