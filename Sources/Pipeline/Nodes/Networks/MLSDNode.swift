// SPDX-License-Identifier: Apache-2.0
internal import Dataflow
internal import Inference
internal import Media
internal import Networks
internal import PipelineLanguage
internal import Vision

/// `mlsd`: line segments.
enum MLSDNode: NodeType {
    static let variant = Param.choice(
        "variant", default: MLSD.Variant.tiny, changeable: true, doc: "tiny for speed, large for exactness"
    ).rebuildsNetwork
    static let threshold = Param.number(
        "threshold", default: 0.1, range: 0...1, synonyms: ["confidence", "score"], doc: "Lowest score kept")
    static let minimumLength = Param.number(
        "minimumLength", default: 40, range: 0...4096, unit: "pixels",
        doc: "Shortest line kept, in pixels of a 512-pixel network input; scaled to the size in use")

    static let contract = Contract(
        "mlsd", aliases: ["lines"], .inference, summary: "Finds line segments (M-LSD)",
        outputs: [OutputPort(adds: [.lines])],
        parameters: [
            variant, NetworkParams.weights, NetworkParams.size, NetworkParams.downscale, NetworkParams.precision,
            threshold, minimumLength, NetworkParams.every,
        ],
        examples: [.init("Lines", #"{ "type": "mlsd", "input": "video", "variant": "tiny", "threshold": 0.1 }"#)])

    static func make(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode {
        try DetectNode.make(node, in: context) { settings in
            let model = try NetworkParams.model("mlsd", variant: settings[variant].rawValue, settings)
            // The decoder counts in pixels of the output map, which is half the input.
            let length = settings[minimumLength] / 2 * Double(model.size.width) / 512
            let options = LineDecoder.Options(
                scoreThreshold: Float(settings[threshold]), minimumLength: Float(length))
            let detector = try LineDetector(
                model.architecture, weights: model.weights, size: model.size, engine: context.engine,
                compile: context.compileOptions(NetworkParams.precision(settings)), options: options)
            return EngineDetector(detector, model) { .lines($0) }
        }
    }
}
