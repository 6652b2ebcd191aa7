// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Networks
internal import PipelineLanguage
internal import Vision

/// `ssh`: faces, without landmarks.
enum SSHNode: NetworkNode {
    static let family = FaceFamily.ssh

    static let variant = NetworkParams.variant(.ssh, doc: "Backbone of the network; the number is its width")
    static let threshold = Param.number(
        "threshold", default: 0.5, range: 0...1, changeable: true, synonyms: ["confidence", "score"],
        doc: "Lowest score kept"
    ).rebuildsNetwork
    static let overlap = Param.number(
        "overlap", default: 0.3, range: 0...1, changeable: true, synonyms: ["nms", "iou"],
        doc: "Of faces that overlap by more than this (IoU), the best one is kept"
    ).rebuildsNetwork
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
        examples: [.init("Faces", #"{ "type": "ssh", "input": "video", "variant": "mobilenet0.25" }"#)],
        check: NetworkParams.problems(.ssh))

    static func options(_ settings: Settings, for model: NodeModel) -> FaceOptions {
        FaceOptions(
            family.options.selection.with(
                scoreThreshold: Float(settings[threshold]), iouThreshold: Float(settings[overlap])),
            pyramid: settings[pyramid])
    }

    static func result(_ faces: [Face]) -> any AnnotationList { faces }

    static func note(_ options: FaceOptions) -> String? { options.pyramid ? "pyramid of 4 sizes" : nil }
}
