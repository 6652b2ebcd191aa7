// SPDX-License-Identifier: Apache-2.0

/// SSH's release, a caffemodel, and checkpoints of the light network, whose names are the network's own.
///
/// ```
/// conv1_1 ... conv5_3, conv5_128, conv4_128, conv4_fuse_final            blob 0 weight, blob 1 bias
/// m{1,2,3}@ssh_{3x3, dimred, 5x5, 7x7-1, 7x7, cls_score, bbox_pred}      the same
/// conv5_128_up                                                           the fixed bilinear kernel, compared
/// ```
enum SSHImport {
    /// What a file holds of the network; nil for files of others.
    static func draft(of file: ReleaseFile) throws(NetworkError) -> ImportDraft? {
        switch file {
        case .named(let file) where matches(file.weights):
            return try draft(file.weights, file.origin, format: file.format)
        case .layers(let file) where matches(file): return try draft(file)
        default: return nil
        }
    }

    /// Whether a caffemodel has this network's layers.
    static func matches(_ file: CaffeReader) -> Bool { file.layers.contains { $0.name == "m1@ssh_3x3" } }

    /// Whether named tensors are this network's.
    static func matches(_ weights: Weights) -> Bool {
        weights["m1@ssh_3x3.weight"] != nil || (MobileNet.isIn(weights) && weights["m1.3x3.0.weight"] != nil)
    }

    /// A training snapshot repeats layers for hard example mining; the copies share their weights, the first counts.
    static func draft(_ file: CaffeReader) throws(NetworkError) -> ImportDraft {
        var weights = Weights()
        var mappings: [ImportReport.Mapping] = []
        for layer in file.layers where !layer.name.hasSuffix("_ohem") {
            guard layer.name != "conv5_128_up" else {
                try checkKernel(layer)
                continue
            }
            guard layer.blobs.count == 2 else {
                throw NetworkError(
                    .weights, path: layer.name, "\(layer.blobs.count) blobs where a weight and a bias belong")
            }
            for (role, blob) in zip(["weight", "bias"], layer.blobs) {
                let name = "\(layer.name).\(role)"
                guard weights[name] == nil else { continue }
                weights[name] = blob
                mappings.append(
                    .init(
                        source: "\(layer.name)[\(role == "weight" ? 0 : 1)]", target: name, shape: blob.shape, note: "")
                )
            }
        }
        return ImportDraft(
            format: "Caffe model", family: .ssh, variant: SSH(.vgg16).variant, inputSize: nil, isFolded: false,
            weights: weights, mappings: mappings)
    }

    /// A checkpoint or safetensors file.
    static func draft(
        _ weights: Weights, _ origin: [String: String], format: String
    ) throws(NetworkError) -> ImportDraft {
        let variant: String
        var isFolded = false
        if weights["m1@ssh_3x3.weight"] != nil {
            variant = SSH(.vgg16).variant
        } else {
            variant = SSH(.mobileNet(try MobileNet(stemOf: weights))).variant
            isFolded = MobileNet.isFolded(weights)
        }
        return ImportDraft(
            format: format, family: .ssh, variant: variant, inputSize: nil, isFolded: isFolded, weights: weights,
            mappings: ImportReport.Mapping.identity(weights, origin))
    }

    /// The graph has the kernel built in: a file that was trained with another one must not pass for it.
    private static func checkKernel(_ layer: CaffeReader.Layer) throws(NetworkError) {
        let kernel = LayerOperation.bilinearKernel
        guard let values = layer.blobs.first?.floats(), values.count % kernel.count == 0,
            values.indices.allSatisfy({ abs(values[$0] - kernel[$0 % kernel.count]) < 1e-6 })
        else { throw NetworkError(.weights, path: layer.name, "is not the fixed bilinear kernel") }
    }
}
