// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Networks
internal import PipelineLanguage
internal import Vision

/// `mlsd`: line segments.
enum MLSDNode: NetworkNode {
    static let family = LineFamily.mlsd

    static let variant = NetworkParams.variant(
        .mlsd, changeable: true, doc: "tiny for speed, large for exactness")
    static let threshold = Param.number(
        "threshold", default: 0.1, range: 0...1, changeable: true, synonyms: ["confidence", "score"],
        doc: "Lowest score kept"
    ).rebuildsNetwork
    static let minimumLength = Param.number(
        "minimumLength", default: 40, range: 0...4096, unit: "pixels", changeable: true,
        doc: "Shortest line kept, in pixels of a 512-pixel network input; scaled to the size in use"
    ).rebuildsNetwork

    static let contract = Contract(
        "mlsd", aliases: ["lines"], .inference, summary: "Finds line segments (M-LSD)",
        outputs: [OutputPort(adds: [.lines])],
        parameters: [
            variant, NetworkParams.weights, NetworkParams.size, NetworkParams.downscale, NetworkParams.precision,
            threshold, minimumLength, NetworkParams.every,
        ],
        examples: [.init("Lines", #"{ "type": "mlsd", "input": "video", "variant": "tiny", "threshold": 0.1 }"#)],
        check: NetworkParams.problems(.mlsd))

    static func options(_ settings: Settings, for model: NodeModel) -> LineDecoder.Options {
        // The decoder counts in pixels of the output map, which is half the input.
        let length = settings[minimumLength] / 2 * Double(model.size.width) / 512
        return LineDecoder.Options(scoreThreshold: Float(settings[threshold]), minimumLength: Float(length))
    }

    static func result(_ lines: [LineSegment]) -> any AnnotationList { lines }
}
