// SPDX-License-Identifier: Apache-2.0

/// RetinaFace checkpoints: names are the network's own, so the table is the identity.
///
/// ```
/// body.stageS.I.{0,1}      depthwise (stage1.0: plain) convolution, batch norm    body.stageS.I.{3,4}  pointwise
/// fpn.output{1,2,3}.{0,1}  fpn.merge{1,2}.{0,1}
/// ssh{1,2,3}.{conv3X3, conv5X5_1, conv5X5_2, conv7X7_2, conv7x7_3}.{0,1}
/// {BboxHead, ClassHead, LandmarkHead}.{0,1,2}.conv1x1
/// ```
/// The activation family is not in the tensors: it comes from the known releases or from the caller.
enum RetinaFaceImport {
    static func draft(_ weights: Weights, _ origin: [String: String], format: String) -> ImportDraft {
        let isFolded = weights["body.stage1.0.0.bias"] != nil && weights["body.stage1.0.1.weight"] == nil
        return ImportDraft(
            format: format, network: "retinaface", variant: nil, inputSize: nil, isFolded: isFolded, weights: weights,
            mappings: weights.names.map {
                .init(source: origin[$0] ?? $0, target: $0, shape: weights[$0]?.shape ?? [], note: "")
            })
    }
}
