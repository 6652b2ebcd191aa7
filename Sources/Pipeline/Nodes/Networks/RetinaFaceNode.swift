// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Networks
internal import PipelineLanguage
internal import Vision

/// `retinaface`: faces with five landmarks.
enum RetinaFaceNode: NetworkNode {
    static let family = FaceFamily.retinaFace

    static let variant = NetworkParams.variant(
        .retinaFace, doc: "Backbone of the network; the number is its width")
    static let threshold = Param.number(
        "threshold", default: 0.5, range: 0...1, changeable: true, synonyms: ["confidence", "score"],
        doc: "Lowest score kept"
    ).rebuildsNetwork
    static let overlap = Param.number(
        "overlap", default: 0.4, range: 0...1, changeable: true, synonyms: ["nms", "iou"],
        doc: "Of faces that overlap by more than this (IoU), the best one is kept"
    ).rebuildsNetwork

    static let contract = Contract(
        "retinaface", aliases: ["faces"], .inference, summary: "Finds faces with five landmarks (RetinaFace)",
        outputs: [OutputPort(adds: [.faces])],
        parameters: [
            variant, NetworkParams.weights, NetworkParams.size, NetworkParams.downscale, NetworkParams.precision,
            threshold, overlap, NetworkParams.every,
        ],
        examples: [.init("Faces", #"{ "type": "retinaface", "input": "video", "size": "640x480" }"#)],
        check: NetworkParams.problems(.retinaFace))

    static func options(_ settings: Settings, for model: NodeModel) -> FaceOptions {
        FaceOptions(
            family.options.selection.with(
                scoreThreshold: Float(settings[threshold]), iouThreshold: Float(settings[overlap])))
    }

    static func result(_ faces: [Face]) -> any AnnotationList { faces }
}
