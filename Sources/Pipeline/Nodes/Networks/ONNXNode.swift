// SPDX-License-Identifier: Apache-2.0
internal import Dataflow
internal import Inference
internal import Media
internal import Networks
internal import PipelineLanguage
internal import Vision

/// `onnx`: any network in an ONNX file, with declared pre- and post-processing.
enum ONNXNode: NodeType {
    /// What the outputs are.
    enum Decode: String, CaseIterable, Sendable { case boxes, mask, tensors }
    enum Channels: String, CaseIterable, Sendable { case rgb, bgr }
    enum Fit: String, CaseIterable, Sendable { case stretch, letterbox }
    enum Align: String, CaseIterable, Sendable { case topLeft, centre }
    enum Filter: String, CaseIterable, Sendable { case area, bilinear }
    enum Coordinates: String, CaseIterable, Sendable { case pixels, fractions }

    static let model = Param.path("model", synonyms: ["path", "weights", "file"], doc: "The ONNX file")
    static let size = Param.size(
        "size", range: 8...8192, changeable: true,
        doc: "Size of the network's input; needed where the model leaves it open"
    ).rebuildsNetwork.optional
    static let channels = Param.choice("channels", default: Channels.rgb, doc: "Order of the colours")
    static let mean = Param.numbers(
        "mean", default: [0], range: -1000...1000, doc: "Subtracted from bytes 0...255, one for all colours or one each"
    )
    static let scale = Param.numbers(
        "scale", default: [1.0 / 255], range: -1000...1000,
        doc: "Multiplied after that, one for all colours or one each; the default makes 0...1")
    static let fit = Param.choice(
        "fit", default: Fit.stretch,
        docs: ["stretch": "both sides on their own", "letterbox": "one scale for both, the rest filled"],
        doc: "How a picture of another shape gets in")
    static let align = Param.choice(
        "align", default: Align.centre, doc: "Where a letterboxed picture goes; must be that of the training")
    static let margin = Param.number(
        "margin", range: 0...255, doc: "Byte value beside a letterboxed picture; what becomes 0 when absent"
    ).optional
    static let filter = Param.choice(
        "filter", default: Filter.bilinear,
        docs: ["area": "mean of the source area when shrinking", "bilinear": "the four nearest samples"],
        doc: "How pictures are resampled")

    static let decode = Param.choice(
        "decode", default: Decode.boxes,
        docs: [
            "boxes": "objects with a box and a class",
            "mask": "a class for each cell: the largest score, the class itself, or one score above a half",
            "tensors": "numbers as they are, for jsonl and npz",
        ],
        doc: "What the outputs are")
    static let output = Param.string("output", doc: "Output with the boxes or the mask; the first when absent").optional
    static let scores = Param.string("scores", doc: "Output of its own with the scores").optional
    static let labels = Param.string("labels", doc: "Output of its own with the indices of the classes").optional
    static let columns = Param.strings(
        "columns", default: ["box", "classes"],
        doc: "What a row holds, in order: box (4 numbers), score, objectness, label, skip, classes (the rest)")
    static let format = Param.choice(
        "format", default: ObjectLayout.Corners.cxcywh,
        docs: [
            "xyxy": "left, top, right, bottom", "cxcywh": "centre, width, height", "xywh": "left, top, width, height",
            "yxyx": "top, left, bottom, right",
        ], doc: "What the four numbers of a box are")
    static let coordinates = Param.choice(
        "coordinates", default: Coordinates.pixels, docs: ["pixels": "of the network's input", "fractions": "of it"],
        doc: "Unit of the boxes")
    static let logits = Param.boolean("logits", default: false, doc: "Squash scores by the logistic function")
    static let classes = Param.strings(
        "classes", default: [],
        doc:
            "Names of the classes in the model's order, or a file with one a line; what the model says itself when absent"
    )
    static let threshold = Param.number(
        "threshold", default: 0.25, range: 0...1, changeable: true, synonyms: ["confidence", "score"],
        doc: "Lowest score kept"
    ).rebuildsNetwork
    static let overlap = Param.number(
        "overlap", default: 0.45, range: 0...1, changeable: true, synonyms: ["nms", "iou"],
        doc: "Of objects of one class that overlap by more than this (IoU), the best one is kept; 1 keeps all"
    ).rebuildsNetwork
    static let limit = Param.integer(
        "limit", default: 300, range: 1...10_000, changeable: true, doc: "Most objects a frame"
    ).rebuildsNetwork

    static let contract = Contract(
        "onnx", aliases: ["model"], knownElsewhereAs: ["yolo", "detect", "detector", "infer", "classify"],
        .inference, summary: "Runs a network of your own, from an ONNX file",
        details:
            "The model takes one picture, `[1, 3, H, W]` or `[1, H, W, 3]`, of `(byte - mean) * scale`, as f32, f16 or "
            + "u8; one grey channel, a batch of which one place is used, and an input for the picture's size are fine. Weights "
            + "in files beside the model are found there. A model is compiled for the first time in a process of its own, so "
            + "that a damaged or hostile one is one message. For a recipe that divides by 255, then subtracts m and divides by s: `mean` is 255 m, `scale` is 1 / (255 s).\n\n"
            + "Rows of boxes may run along either axis; a leading batch of 1 is passed over; their number may be open, "
            + "as where a model suppresses overlaps itself. `vpipe models parity` "
            + "finds out which of these settings differ from a reference.\n\n"
            + "A quantised model (QuantizeLinear and DequantizeLinear) runs in 8 bits as it is; `precision` is that of the rest.",
        outputs: [OutputPort(adds: [.objects, .segmentation, .tensors])],
        parameters: [
            model, size, channels, mean, scale, fit, align, margin, filter, decode, output, scores, labels, columns,
            format, coordinates, logits, classes, threshold, overlap, limit, NetworkParams.precision,
            NetworkParams.every,
        ],
        discloses: { $0[decode] == .tensors ? .tensors : [] },
        examples: [
            .init(
                "Rows of centre, size and a score for each class",
                #"{ "type": "onnx", "input": "video", "model": "objects.onnx", "fit": "letterbox", "margin": 114, "classes": ["cat", "dog"] }"#
            ),
            .init(
                "Corners, score and label, no further suppression",
                #"{ "type": "onnx", "input": "video", "model": "objects.onnx", "columns": ["box", "score", "label"], "format": "xyxy", "overlap": 1 }"#
            ),
            .init(
                "A class for each part of the picture",
                #"{ "type": "onnx", "input": "video", "model": "sky.onnx", "decode": "mask", "classes": ["sky", "other"] }"#
            ),
            .init(
                "Numbers as they are",
                #"{ "type": "onnx", "input": "video", "model": "depth.onnx", "size": "256x192", "decode": "tensors" }"#),
        ],
        check: problems)

    static func make(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode {
        try InputFile.require(node.settings[model], model.spec.name, of: node, in: context)
        if let file = ClassNames.file(node.settings[classes]) {
            try InputFile.require(file, classes.spec.name, of: node, in: context)
        }
        return try DetectNode.make(node, in: context) { try detector($0, context) }
    }

    private static func detector(_ settings: Settings, _ context: BuildContext) throws -> NodeNetwork {
        let engine = try context.engine
        let (source, input) = try ModelFileInput.resolve(
            settings[model], size: settings[size].map { InputSize(width: $0.width, height: $0.height) })
        let compiled = try engine.compile(
            source, options: context.compileOptions(NetworkParams.precision(settings)))
        let preprocessor = Preprocessor(
            size: input.size, normalisation: normalisation(settings),
            filter: settings[filter] == .area ? .area : .bilinear,
            alignment: settings[align] == .centre ? .centre : .topLeft, margin: settings[margin].map { Float($0) },
            layout: input.layout)
        let names = try (given: ClassNames.given(settings[classes]), own: ClassNames.own(input.metadata))
        let summary =
            "\(settings[model]) at \(input.size), \(compiled.settings.summary)"
            + (compiled.refusal.map { "; precision: \($0)" } ?? "")
        switch settings[decode] {
        case .boxes:
            let options = BoxSelection.objects.with(
                scoreThreshold: Float(settings[threshold]), iouThreshold: Float(settings[overlap]),
                limit: settings[limit])
            let detector = try Detector(model: compiled, preprocessor: preprocessor) { outputs in
                func decoder(_ names: [String]) throws -> ObjectDecoder {
                    try ObjectDecoder(
                        outputs: outputs, size: input.size, layout: layout(settings), names: names, options: options)
                }
                if let given = names.given { return try decoder(given) }
                // What the model says of itself may be about another output.
                if let own = names.own, let fitting = try? decoder(own) { return fitting }
                return try decoder([])
            }
            return NodeNetwork(network: detector.map { $0 }, summary: summary, file: settings[model])
        case .mask:
            let detector = try Detector(model: compiled, preprocessor: preprocessor) { outputs in
                try MaskDecoder(
                    outputs: outputs, named: settings[output], size: input.size, names: names.given ?? [],
                    isLogit: settings[logits])
            }
            return NodeNetwork(network: detector.map { [$0] }, summary: summary, file: settings[model])
        case .tensors:
            let detector = try Detector(model: compiled, preprocessor: preprocessor) { outputs in
                TensorDecoder()
            }
            return NodeNetwork(network: detector.map { $0 }, summary: summary, file: settings[model])
        }
    }

    private static func normalisation(_ settings: Settings) -> InputNormalisation {
        func three(_ values: [Double]) -> [Float] {
            values.count == 3 ? values.map { Float($0) } : [Float](repeating: Float(values[0]), count: 3)
        }
        return InputNormalisation(
            channelOrder: settings[channels] == .rgb ? .rgb : .bgr, mean: three(settings[mean]),
            scale: three(settings[scale]), fit: settings[fit] == .stretch ? .stretch : .letterbox)
    }

    private static func layout(_ settings: Settings) -> ObjectLayout {
        var layout = ObjectLayout()
        layout.columns = settings[columns].compactMap { ObjectLayout.Column(rawValue: $0) }
        layout.corners = settings[format]
        layout.isNormalised = settings[coordinates] == .fractions
        layout.isLogit = settings[logits]
        layout.output = settings[output]
        layout.scores = settings[scores]
        layout.labels = settings[labels]
        return layout
    }

    /// What single parameters do not show.
    @Sendable private static func problems(_ settings: Settings) -> [SettingsProblem] {
        var problems = InputFile.problems(settings[model], model.spec.name) { _ in "name one .onnx file" }
        for param in [mean, scale] where ![1, 3].contains(settings[param].count) {
            problems.append(
                SettingsProblem(
                    parameter: param.spec.name, message: "has \(settings[param].count) numbers",
                    fix: "give one for all colours or three, in the order of \"channels\""))
        }
        if settings[scale].contains(0) {
            problems.append(SettingsProblem(parameter: "scale", message: "is 0, which erases the picture"))
        }
        for name in settings[columns] where ObjectLayout.Column(rawValue: name) == nil {
            let choices = ObjectLayout.Column.allCases.map(\.rawValue)
            problems.append(
                SettingsProblem(
                    parameter: "columns", message: "there is no column \"\(name)\"",
                    fix: closest(to: name, among: choices).map { "did you mean \"\($0)\"?" }
                        ?? "use " + choices.joined(separator: ", ")))
        }
        if problems.isEmpty, settings[decode] == .boxes, let mistake = layout(settings).mistake {
            problems.append(SettingsProblem(parameter: "columns", message: mistake))
        }
        return problems
    }
}
