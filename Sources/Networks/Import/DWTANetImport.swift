// SPDX-License-Identifier: Apache-2.0

/// DWTA-Net checkpoints of our own training: names are the network's, so the table is the identity.
///
/// A training checkpoint holds the weights twice beside the optimiser's state: `net.*` as trained last and `ema.*`
/// averaged over the last steps, which is what is meant to be used.
enum DWTANetImport {
    /// What a file holds of the network; nil for files of others.
    static func draft(of file: ReleaseFile) -> ImportDraft? {
        guard case .named(let file) = file, matches(file.weights) else { return nil }
        return draft(file.weights, file.origin, format: file.format)
    }

    /// The tensors of a training checkpoint that are weights, without their prefix; nil for any other file.
    static func averaged(_ source: Weights) -> Weights? {
        let prefix = "ema."
        guard source[prefix + "E0.weight"] != nil else { return nil }
        var weights = Weights()
        weights.metadata = source.metadata
        for name in source.names where name.hasPrefix(prefix) {
            weights[String(name.dropFirst(prefix.count))] = source[name]
        }
        return weights
    }

    /// Whether the tensors are DWTA-Net's.
    static func matches(_ weights: Weights) -> Bool {
        weights["E0.weight"] != nil && weights["V.0.row.proj.weight"] != nil
    }

    static func draft(_ weights: Weights, _ origin: [String: String], format: String) -> ImportDraft {
        let channels = weights["E0.weight"]?.shape.first
        let variant = DWTANet.Variant.allCases.first { DWTANet($0).featureChannels == channels }
        return ImportDraft(
            format: format, family: .dwtaNet, variant: variant?.rawValue, inputSize: nil, isFolded: false,
            weights: weights,
            mappings: weights.names.map {
                .init(source: origin[$0] ?? $0, target: $0, shape: weights[$0]?.shape ?? [], note: "")
            })
    }
}
