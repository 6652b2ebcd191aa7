// SPDX-License-Identifier: Apache-2.0
internal import Annotations
public import Inference
internal import Media
internal import Networks
public import Pipeline
public import PipelineLanguage
internal import Vision

/// Compares an inference node with a reference, stage by stage, each fed with what the reference had before it.
///
/// ```
///   image --> pre-processing --> input      the node's input tensor against the reference's
///             input --> network --> output  the outputs for the reference's input
///                       output --> decoder  the results for the reference's outputs
/// ```
/// A fault in one stage is therefore not counted again in the next.
public enum ParityCheck {
    /// Makes the node and compares it with the archive at `path`; see ``ParityReference`` for the keys.
    ///
    /// - Throws: a sentence that names the node or the array that cannot be compared.
    public static func run(
        _ pipeline: ValidatedPipeline, node id: String, reference path: String, registry: NodeRegistry,
        engine: any InferenceEngine, options: BuildContext.Options = .init()
    ) throws -> ParityReport {
        guard let node = pipeline.nodes.first(where: { $0.id == id }) else {
            let names = pipeline.nodes.map(\.id).joined(separator: ", ")
            throw OutputError("there is no node \"\(id)\"; there are \(names)")
        }
        let context = BuildContext(pipeline: pipeline, options: options, engine: engine)
        let built = try registry.make(node, in: context)
        guard case .node(let made) = built, let subject = (made as? any InspectableNode)?.stages else {
            throw OutputError(
                "node \"\(id)\": \"\(node.type)\" has no picture in and results out that could be compared")
        }
        return try compare(subject, with: ParityReference(path: path))
    }

    static func compare(_ subject: PictureStages<any AnnotationList>, with reference: ParityReference) throws
        -> ParityReport
    {
        let request = try subject.model.makeRequest()
        var stages: [ParityReport.Stage] = []
        let picture = try reference.picture()
        var isFed = false
        if let input = try reference.floats("input") {
            // Without the picture there is nothing to compare, but its axes are put in order all the same.
            let parity = try InputParity(
                subject.preprocessor, try picture ?? blank(), shape: input.shape, values: input.values)
            stages.append(
                picture == nil
                    ? .init("pre-processing", agrees: nil, "the reference has no \"image\"") : parity.stage())
            _ = request.inputs[0].floats.update(fromContentsOf: parity.tensor)
            isFed = true
        } else if let picture {
            stages.append(.init("pre-processing", agrees: nil, "the reference has no \"input\""))
            subject.preprocessor.fill(request.inputs[0].floats, from: picture)
            isFed = true
        }
        if isFed { stages += try outputs(request, reference) }
        stages += try results(subject, request, reference, picture, isFed: isFed)
        guard !stages.isEmpty else {
            let keys = reference.arrays.keys.sorted().joined(separator: ", ")
            throw OutputError("the reference has nothing to compare: no image, input, output or result among \(keys)")
        }
        return ParityReport(stages: stages)
    }

    /// Runs the network, compares, and leaves the reference's outputs in the request for the decoder.
    private static func outputs(
        _ request: InferRequest, _ reference: ParityReference
    ) throws -> [ParityReport.Stage] {
        try request.run()
        let made = request.outputs.map { $0.numbers() }
        var stages: [ParityReport.Stage] = []
        for (index, tensor) in request.outputs.enumerated() {
            guard let theirs = try reference.output(tensor.info.name) else { continue }
            let others = request.outputs.indices.filter { $0 != index && made[$0].count == made[index].count }
            let parity = OutputParity(
                info: TensorInfo(name: tensor.info.name, shape: tensor.shape, element: tensor.info.element),
                values: made[index],
                others: others.map { (request.outputs[$0].info.name, made[$0]) })
            let stage = parity.stage(theirs)
            stages.append(stage)
            // Only what has the node's own form can be decoded by it.
            if theirs.shape.filter({ $0 != 1 }) == tensor.shape.filter({ $0 != 1 }), tensor.info.element == .f32 {
                _ = tensor.floats.update(fromContentsOf: theirs.values)
            }
        }
        if stages.isEmpty {
            let names = request.outputs.map { "output." + $0.info.name }.joined(separator: ", ")
            stages.append(.init("outputs", agrees: nil, "the reference has none of \(names)"))
        }
        return stages
    }

    private static func results(
        _ subject: PictureStages<any AnnotationList>, _ request: InferRequest, _ reference: ParityReference,
        _ picture: Picture?,
        isFed: Bool
    ) throws -> [ParityReport.Stage] {
        let tables = try [(ResultParity.Kind.boxes, "boxes"), (.lines, "lines")].compactMap { kind, key in
            try reference.rows(key).map { (kind, key, $0) }
        }
        let labels = try reference.labels()
        let keys = (tables.map(\.1) + (labels == nil ? [] : ["labels"])).joined(separator: ", ")
        guard !keys.isEmpty else { return [] }
        guard isFed else { return [.init(keys, agrees: nil, "needs \"image\" or \"input\" in the reference")] }
        let preprocessor = subject.preprocessor
        let size = preprocessor.size
        let (width, height) = picture.map { ($0.width, $0.height) } ?? (size.width, size.height)
        let placement = Placement(
            sourceWidth: width, sourceHeight: height, in: size, fit: preprocessor.normalisation.fit,
            alignment: preprocessor.alignment)
        let found = subject.decode(request.outputs, placement)
        var stages: [ParityReport.Stage] = []
        if let (kind, key, quads) = tables.first {
            if let (own, rows) = rows(of: found), own == kind {
                let parity = ResultParity(
                    kind: kind, found: rows.map(\.quad), placement: placement, size: size,
                    picture: (Float(width), Float(height)))
                stages.append(parity.stage(quads))
                stages += try details(rows, quads, reference)
            } else {
                stages.append(.init(key, agrees: nil, "the node does not make \(key)"))
            }
        }
        if let labels { stages.append(stage(labels, found)) }
        return stages
    }

    private static func details(
        _ rows: [DetailParity.Row], _ quads: [Quad], _ reference: ParityReference
    ) throws -> [ParityReport.Stage] {
        let detail = DetailParity(rows, reference: quads)
        var stages: [ParityReport.Stage] = []
        if let scores = try reference.numbers("scores", each: 1, of: quads.count) {
            stages.append(detail.scores(scores.map { $0[0] }))
        }
        if let landmarks = try reference.numbers("landmarks", each: 10, of: quads.count) {
            stages.append(
                rows.contains { $0.landmarks.count == 5 }
                    ? detail.landmarks(landmarks)
                    : .init("landmarks", agrees: nil, "the node does not make landmarks"))
        }
        return stages
    }

    private static func stage(
        _ labels: (width: Int, height: Int, values: [UInt8]), _ found: any AnnotationList
    ) -> ParityReport.Stage {
        guard let map = found.items(ClassMap.self)?.last else {
            return .init("labels", agrees: nil, "the node does not make labels")
        }
        let own = map.expanded(width: labels.width, height: labels.height, other: 255)
        return LabelParity(found: own, width: labels.width, height: labels.height).stage(labels.values)
    }

    /// Lines by their ends, whatever has a box by its corners; nil for other kinds.
    private static func rows(of found: any AnnotationList) -> (kind: ResultParity.Kind, rows: [DetailParity.Row])? {
        if let lines = found.items(LineSegment.self) {
            let rows = lines.map { line in
                DetailParity.Row(
                    quad: Quad(line.from.x, line.from.y, line.to.x, line.to.y), score: line.score, landmarks: [])
            }
            return (.lines, rows)
        }
        guard let boxes = found.boxes else { return nil }
        let rows = boxes.map { found in
            let box = found.box
            return DetailParity.Row(
                quad: Quad(box.x, box.y, box.x + box.width, box.y + box.height), score: found.score,
                landmarks: found.landmarks)
        }
        return (.boxes, rows)
    }

    private static func blank() throws -> Picture {
        try PicturePool().make(
            width: 8, height: 8, format: .i444, color: ColorSpec(matrix: .bt601, range: .full))
    }
}
