// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Inference
internal import Media
internal import Networks
internal import Pipeline
internal import Vision

/// How far a network's results agree with its own in floating point, on pictures that nobody labelled.
///
/// Lines: the share of either's lines that the other has, too. Faces: average precision, floating point's faces above 0.5 being
/// the truth. Classes: mean intersection over union.
struct Agreement {
    /// What the figure is called.
    let measure: String
    private let compare: (NodeModel) throws -> Double

    /// Runs the network in floating point on all pictures.
    ///
    /// - Throws: a sentence for networks whose results cannot be compared, `InferenceError`.
    init(_ model: NodeModel, pictures: [Picture], engine: any InferenceEngine, cores: Int) throws {
        switch model.architecture.network {
        case "mlsd": (measure, compare) = try Self.lines(model, pictures, engine, cores)
        case "retinaface", "ssh": (measure, compare) = try Self.faces(model, pictures, engine, cores)
        case "ddrnet": (measure, compare) = try Self.classes(model, pictures, engine, cores)
        default: throw OutputError("there is no measure of \(model.architecture.network)'s results")
        }
    }

    /// The figure of another form of the model, 0...1.
    func figure(of model: NodeModel) throws -> Double { try compare(model) }

    private static func options(_ cores: Int) -> CompileOptions {
        CompileOptions(.single, cores: cores, precision: .f32, cache: .off)
    }

    private static func lines(
        _ model: NodeModel, _ pictures: [Picture], _ engine: any InferenceEngine, _ cores: Int
    ) throws -> (String, (NodeModel) throws -> Double) {
        func found(_ model: NodeModel) throws -> [[LineSegment]] {
            let network = try LineFamily.mlsd.network(
                model.setup(engine: engine, compile: options(cores), requests: 1))
            return try pictures.map { try network.result(for: $0) }
        }
        let reference = try found(model)
        return (
            "lines kept",
            { model in
                var (kept, all) = (0, 0)
                for (index, lines) in try found(model).enumerated() {
                    let (width, height) = (pictures[index].width, pictures[index].height)
                    kept += LineAccuracy.kept(reference[index], by: lines, width: width, height: height)
                    kept += LineAccuracy.kept(lines, by: reference[index], width: width, height: height)
                    all += reference[index].count + lines.count
                }
                return Double(kept) / Double(max(1, all))
            }
        )
    }

    private static func faces(
        _ model: NodeModel, _ pictures: [Picture], _ engine: any InferenceEngine, _ cores: Int
    ) throws -> (String, (NodeModel) throws -> Double) {
        func found(_ model: NodeModel) throws -> [[Face]] {
            guard let family = FaceFamily.all.first(where: { $0.networks.name == model.architecture.network }) else {
                return []
            }
            let finder = FaceFinder(
                family, family.measuringOptions, model, size: model.size, engine: engine, cores: cores, precision: .f32)
            return try pictures.map { try finder.faces(in: $0) }
        }
        let truth = try found(model).map { faces in
            faces.map { FaceAccuracy.Truth(box: $0.box, isCounted: $0.score > 0.5) }
        }
        return (
            "AP of f32's faces",
            { model in
                var accuracy = FaceAccuracy()
                for (index, faces) in try found(model).enumerated() {
                    accuracy.add(found: faces, truth: truth[index])
                }
                return accuracy.averagePrecision
            }
        )
    }

    private static func classes(
        _ model: NodeModel, _ pictures: [Picture], _ engine: any InferenceEngine, _ cores: Int
    ) throws -> (String, (NodeModel) throws -> Double) {
        let set = try model.classSet("auto")
        func found(_ model: NodeModel) throws -> [[UInt8]] {
            let network = try SegmentationFamily.ddrnet.network(
                model.setup(engine: engine, compile: options(cores), requests: 1), options: SegmentationOptions(set))
            return try pictures.map { try network.result(for: $0).labels }
        }
        let reference = try found(model)
        return (
            "mIoU with f32's classes",
            { model in
                var matrix = ConfusionMatrix(classes: set.count)
                for (index, labels) in try found(model).enumerated() {
                    matrix.add(truth: reference[index], prediction: labels)
                }
                // Classes that floating point never finds say nothing.
                let seen = Set(reference.joined()).filter { Int($0) < set.count }
                return seen.reduce(0) { $0 + matrix.iou(of: Int($1)) } / Double(max(1, seen.count))
            }
        )
    }
}
