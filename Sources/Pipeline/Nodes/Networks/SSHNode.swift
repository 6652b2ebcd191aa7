// SPDX-License-Identifier: Apache-2.0
internal import Dataflow
internal import Inference
internal import Media
internal import Networks
internal import PipelineLanguage
internal import Vision

/// `ssh`: faces, without landmarks.
enum SSHNode: NodeType {
    /// Backbones there are.
    enum Variant: String, CaseIterable, Sendable {
        case quarter = "mobilenet0.25"
        case half = "mobilenet0.5"
        case threeQuarters = "mobilenet0.75"
        case whole = "mobilenet1.0"
        case vgg16
    }

    static let variant = Param.choice(
        "variant", default: Variant.quarter,
        docs: ["vgg16": "the paper's: 115 times the arithmetic of mobilenet0.25"],
        doc: "Backbone of the network; the number is its width")
    static let threshold = Param.number(
        "threshold", default: 0.5, range: 0...1, synonyms: ["confidence", "score"], doc: "Lowest score kept")
    static let overlap = Param.number(
        "overlap", default: 0.3, range: 0...1, synonyms: ["nms", "iou"],
        doc: "Of faces that overlap by more than this (IoU), the best one is kept")
    static let pyramid = Param.boolean(
        "pyramid", default: false,
        doc:
            "Look at each frame at 5/8, 1, 3/2 and 2 times `size`: finds smaller and larger faces, takes 7.6 times as long"
    )

    static let contract = Contract(
        "ssh", .inference, summary: "Finds faces (SSH)", outputs: [OutputPort(adds: [.faces])],
        parameters: [
            variant, NetworkParams.weights, NetworkParams.size, NetworkParams.downscale, NetworkParams.precision,
            threshold, overlap, pyramid, NetworkParams.every,
        ],
        examples: [.init("Faces", #"{ "type": "ssh", "input": "video", "variant": "mobilenet0.25" }"#)])

    static func make(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode {
        try DetectNode.make(node, in: context) { settings in
            let model = try NetworkParams.model("ssh", variant: settings[variant].rawValue, settings)
            let options = BoxSelection.ssh.with(
                scoreThreshold: Float(settings[threshold]), overlapThreshold: Float(settings[overlap]))
            let compile = context.compileOptions(NetworkParams.precision(settings))
            let engine = try context.engine
            guard settings[pyramid] else {
                let network = try SSHDetector(
                    model.architecture, weights: model.weights, size: model.size, engine: engine, compile: compile,
                    options: options)
                return EngineDetector(network, model) { .faces($0) }
            }
            let network = try PyramidDetector(
                model.architecture, weights: model.weights, size: model.size, engine: engine, compile: compile,
                options: options)
            return EngineDetector(network, model, note: "pyramid of 4 sizes") { .faces($0) }
        }
    }
}
