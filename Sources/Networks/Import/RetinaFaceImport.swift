// SPDX-License-Identifier: Apache-2.0

/// RetinaFace checkpoints: names are the network's own, so the table is the identity.
///
/// ```
/// body.stageS.I.{0,1}      depthwise (stage1.0: plain) convolution, batch norm    body.stageS.I.{3,4}  pointwise
/// body.{conv1, bn1, layerL.B.{convK, bnK, downsample.{0,1}}}                      ResNet-50's instead
/// fpn.output{1,2,3}.{0,1}  fpn.merge{1,2}.{0,1}
/// ssh{1,2,3}.{conv3X3, conv5X5_1, conv5X5_2, conv7X7_2, conv7x7_3}.{0,1}
/// {BboxHead, ClassHead, LandmarkHead}.{0,1,2}.conv1x1
/// ```
/// The family of the light network is in no tensor, nor do the batch norms' statistics tell it: it comes from the known
/// releases, from the caller, or from a trial on a picture.
enum RetinaFaceImport {
    /// What a file holds of the network; nil for files of others.
    static func draft(of file: ReleaseFile) throws(NetworkError) -> ImportDraft? {
        guard case .named(let file) = file, matches(file.weights) else { return nil }
        return try draft(file.weights, file.origin, format: file.format)
    }

    /// Whether named tensors are this network's.
    static func matches(_ weights: Weights) -> Bool { weights["fpn.output1.0.weight"] != nil }

    static func draft(
        _ weights: Weights, _ origin: [String: String], format: String
    ) throws(NetworkError) -> ImportDraft {
        let variant: String?
        let isFolded: Bool
        var choices: [String] = []
        if weights["body.layer1.0.conv1.weight"] != nil {
            variant = RetinaFace(.leaky, backbone: .resNet50).variant
            isFolded = weights["body.conv1.bias"] != nil && weights["body.bn1.weight"] == nil
        } else {
            let backbone = RetinaFace.Backbone.mobileNet(try MobileNet(stemOf: weights))
            variant = nil
            choices = RetinaFace.Family.allCases.map { RetinaFace($0, backbone: backbone).variant }
            isFolded = MobileNet.isFolded(weights)
        }
        return ImportDraft(
            format: format, family: .retinaFace, variant: variant, inputSize: nil, isFolded: isFolded,
            weights: weights, mappings: ImportReport.Mapping.identity(weights, origin), choices: choices)
    }
}
