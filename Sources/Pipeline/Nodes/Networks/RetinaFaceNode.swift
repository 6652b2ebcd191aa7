// SPDX-License-Identifier: Apache-2.0
internal import Dataflow
internal import Inference
internal import Media
internal import Networks
internal import PipelineLanguage
internal import Vision

/// `retinaface`: faces with five landmarks.
enum RetinaFaceNode: NodeType {
    /// Backbones there are.
    enum Variant: String, CaseIterable, Sendable {
        case quarter = "mobilenet0.25"
        case half = "mobilenet0.5"
        case threeQuarters = "mobilenet0.75"
        case whole = "mobilenet1.0"
        case resNet50 = "resnet50"
    }

    static let variant = Param.choice(
        "variant", default: Variant.quarter,
        docs: ["resnet50": "45 times the arithmetic of mobilenet0.25, more exact"],
        doc: "Backbone of the network; the number is its width")
    static let threshold = Param.number(
        "threshold", default: 0.5, range: 0...1, synonyms: ["confidence", "score"], doc: "Lowest score kept")
    static let overlap = Param.number(
        "overlap", default: 0.4, range: 0...1, synonyms: ["nms", "iou"],
        doc: "Of faces that overlap by more than this (IoU), the best one is kept")

    static let contract = Contract(
        "retinaface", aliases: ["faces"], .inference, summary: "Finds faces with five landmarks (RetinaFace)",
        outputs: [OutputPort(adds: [.faces])],
        parameters: [
            variant, NetworkParams.weights, NetworkParams.size, NetworkParams.downscale, NetworkParams.precision,
            threshold, overlap, NetworkParams.every,
        ],
        examples: [.init("Faces", #"{ "type": "retinaface", "input": "video", "size": "640x480" }"#)])

    static func make(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode {
        try DetectNode.make(node, in: context) { settings in
            let model = try NetworkParams.model("retinaface", variant: settings[variant].rawValue, settings)
            let options = BoxSelection.retinaFace.with(
                scoreThreshold: Float(settings[threshold]), overlapThreshold: Float(settings[overlap]))
            let detector = try FaceDetector(
                model.architecture, weights: model.weights, size: model.size, engine: context.engine,
                compile: context.compileOptions(NetworkParams.precision(settings)), options: options)
            return EngineDetector(detector, model) { .faces($0) }
        }
    }
}
