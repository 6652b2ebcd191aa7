// SPDX-License-Identifier: Apache-2.0

/// DDRNet checkpoints: names are the network's own, so the table is the identity.
///
/// ```
/// conv1.{0,1,3,4}   layerN.I.{conv1,bn1,conv2,bn2,downsample.{0,1}}   layerN_...   (the fine branch)
/// downN.{0,1,3,4}   compressionN.{0,1}   layer5[_].0.{conv1...bn3}
/// spp.{scale0...4, process1...4, compression, shortcut}   final_layer.{bn1,conv1,bn2,conv2}
/// ```
/// Depth, width and number of classes follow from the shapes. Left out on purpose: the second head of training
/// (`seghead_extra`) and the losses' constants (`loss`).
enum DDRNetImport {
    /// What a file holds of the network; nil for files of others.
    static func draft(of file: ReleaseFile) throws(NetworkError) -> ImportDraft? {
        guard case .named(let file) = file, matches(file.weights) else { return nil }
        return try draft(file.weights, file.origin, format: file.format)
    }

    static func matches(_ weights: Weights) -> Bool {
        weights["layer3_.0.conv1.weight"] != nil || weights["layer3_1_.0.conv1.weight"] != nil
    }

    static func draft(
        _ source: Weights, _ origin: [String: String], format: String
    ) throws(NetworkError) -> ImportDraft {
        if source["final_layer.conv2.weight"] == nil, source["linear.weight"] != nil {
            throw NetworkError(
                .unsupported, path: "linear.weight",
                "a DDRNet trained to classify ImageNet: it has no segmentation head, training starts from it")
        }
        guard let found = DDRNet(weights: source) else {
            throw NetworkError(.weights, path: "final_layer.conv2.weight", "a DDRNet without a usable head")
        }
        var weights = source
        let unused = source.names.filter { $0.hasPrefix("seghead_extra.") || $0.hasPrefix("loss.") }
        for name in unused { weights[name] = nil }
        let isFolded = weights["conv1.1.weight"] == nil
        return ImportDraft(
            format: format, family: .ddrnet, variant: found.variant.rawValue, inputSize: nil, isFolded: isFolded,
            weights: weights,
            mappings: weights.names.map {
                .init(source: origin[$0] ?? $0, target: $0, shape: weights[$0]?.shape ?? [], note: "")
            }, ignored: unused.map { origin[$0] ?? $0 })
    }
}
