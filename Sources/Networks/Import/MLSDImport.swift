// SPDX-License-Identifier: Apache-2.0

/// M-LSD releases: the TFLite files by operator order, port-named checkpoints by name.
enum MLSDImport {
    /// What a file holds of the network; nil for files of others.
    static func draft(of file: ReleaseFile) throws(NetworkError) -> ImportDraft? {
        switch file {
        case .named(let file):
            guard file.weights["backbone.features.0.0.weight"] != nil else { return nil }
            return try draft(file.weights, file.origin, format: file.format)
        case .operators(let file): return try draft(file)
        case .layers: return nil
        }
    }

    // MARK: - TFLite

    /// The n-th convolution of the file is the n-th of the network: stem, the blocks' expand, depthwise and project,
    /// then per up-block the deep 1x1, the skip 1x1 and two 3x3, last the three of the head.
    ///
    /// Kernel, stride,
    /// dilation and activation of each are compared as well, so a file of another network does not slip through.
    static func draft(_ file: TFLiteReader) throws(NetworkError) -> ImportDraft {
        let counts: [Int: MLSD.Variant] = [41: .tiny, 58: .large]
        guard let variant = counts[file.convolutions.count] else {
            throw NetworkError(
                .unsupported,
                "a TensorFlow Lite file with \(file.convolutions.count) convolutions; M-LSD has 41 (tiny) or 58 (large)"
            )
        }
        let network = try MLSD(variant, head: .full).network(at: InputSize(width: 512, height: 512)).folded
        var activations: [Int: Activation] = [:]
        for layer in network.layers {
            if layer.operation == .relu { activations[layer.inputs[0]] = .relu }
            if layer.operation == .relu6 { activations[layer.inputs[0]] = .relu6 }
        }
        let targets = network.layers.filter { if case .convolution = $0.operation { true } else { false } }
        var weights = Weights()
        var mappings: [ImportReport.Mapping] = []
        for (source, layer) in zip(file.convolutions, targets) {
            guard case .convolution(let wanted) = layer.operation else { continue }
            let activation = activations[layer.outputs[0]] ?? .none
            guard source.stride == wanted.stride, source.dilation == wanted.dilation, source.activation == activation,
                source.isDepthwise == (wanted.groups > 1)
            else {
                throw NetworkError(
                    .weights, path: layer.path,
                    "\(source.name) is another kind of convolution: stride \(source.stride), dilation "
                        + "\(source.dilation), activation \(source.activation); expected \(wanted.stride), "
                        + "\(wanted.dilation), \(activation)")
            }
            let (weight, note) = try transposed(source, wanted, layer.path)
            guard let bias = source.bias, bias.shape == [wanted.outputChannels] else {
                throw NetworkError(.weights, path: layer.path + ".bias", "is missing or of another shape")
            }
            weights[layer.path + ".weight"] = weight
            weights[layer.path + ".bias"] = bias
            for (suffix, tensor, note) in [(".weight", weight, note), (".bias", bias, "")] {
                mappings.append(
                    .init(source: source.name, target: layer.path + suffix, shape: tensor.shape, note: note))
            }
        }
        var size: InputSize?
        if file.inputShape.count == 4 { size = InputSize(width: file.inputShape[2], height: file.inputShape[1]) }
        return ImportDraft(
            format: "TensorFlow Lite", family: .mlsd, variant: variant.rawValue,
            inputSize: size.flatMap { MLSD.sizes.allows($0) ? $0 : nil }, isFolded: true, weights: weights,
            mappings: mappings)
    }

    /// `[out, h, w, in]` to `[out, in, h, w]`, or `[1, h, w, channels]` to `[channels, 1, h, w]`.
    private static func transposed(
        _ source: TFLiteReader.Convolution, _ wanted: Convolution, _ path: String
    ) throws(NetworkError) -> (Tensor, note: String) {
        let shape = source.weight.shape
        guard let old = source.weight.floats(), shape.count == 4, shape[1] == wanted.kernel, shape[2] == wanted.kernel,
            shape[0] == (source.isDepthwise ? 1 : wanted.outputChannels)
        else { throw misshapen(source, wanted, path) }
        let area = wanted.kernel * wanted.kernel
        if source.isDepthwise {
            guard shape[3] == wanted.outputChannels else { throw misshapen(source, wanted, path) }
            let channels = shape[3]
            var new = [Float](repeating: 0, count: old.count)
            for channel in 0..<channels {
                for i in 0..<area { new[channel * area + i] = old[i * channels + channel] }
            }
            return (try stored([channels, 1, shape[1], shape[2]], new, source, path), "")
        }
        let inputs = wanted.inputChannels
        let hasAlpha = path == "backbone.features.0.0" && shape[3] == inputs + 1
        guard shape[3] == inputs || hasAlpha else { throw misshapen(source, wanted, path) }
        var new = [Float](repeating: 0, count: shape[0] * inputs * area)
        for output in 0..<shape[0] {
            for i in 0..<area {
                let row = (output * area + i) * shape[3]
                for input in 0..<inputs { new[(output * inputs + input) * area + i] = old[row + input] }
                if hasAlpha, old[row + inputs] != 0 {
                    throw NetworkError(.weights, path: path + ".weight", "the fourth input channel is not zero")
                }
            }
        }
        return (
            try stored([shape[0], inputs, shape[1], shape[2]], new, source, path),
            hasAlpha ? "fourth input channel dropped (all zero)" : ""
        )
    }

    /// Keeps the file's own precision.
    private static func stored(
        _ shape: [Int], _ floats: [Float], _ source: TFLiteReader.Convolution, _ path: String
    ) throws(NetworkError) -> Tensor {
        guard let tensor = Tensor(shape: shape, floats: floats).converted(to: source.weight.type) else {
            throw NetworkError(.unsupported, path: path, "weights of type \(source.weight.type.rawValue)")
        }
        return tensor
    }

    private static func misshapen(
        _ source: TFLiteReader.Convolution, _ wanted: Convolution, _ path: String
    ) -> NetworkError {
        let expected =
            source.isDepthwise
            ? [1, wanted.kernel, wanted.kernel, wanted.outputChannels]
            : [wanted.outputChannels, wanted.kernel, wanted.kernel, wanted.inputChannels]
        return NetworkError(
            .weights, path: path + ".weight",
            "expected \(dimensions(expected)), got \(dimensions(source.weight.shape)) (\(source.name))")
    }

    // MARK: - Port names

    /// Checkpoints under the port's names.
    ///
    /// Those converted by the port (fourth stem channel, biases in front of batch
    /// norms, epsilon 1e-5 everywhere) are brought to the original graph's form.
    static func draft(
        _ source: Weights, _ origin: [String: String], format: String
    ) throws(NetworkError) -> ImportDraft {
        guard source["block17.weight"] == nil else {
            throw NetworkError(
                .unsupported, path: "block17",
                "a checkpoint trained by the PyTorch port: its padding and upsampling differ from the network here")
        }
        let variant: MLSD.Variant = source["block23.conv3.weight"] != nil ? .large : .tiny
        let isFolded = source["backbone.features.0.0.bias"] != nil && source["backbone.features.0.1.weight"] == nil
        var weights = source
        var notes: [String: String] = [:]
        let stem = "backbone.features.0.0.weight"
        if let tensor = source[stem], tensor.shape == [32, 4, 3, 3] {
            weights[stem] = try withoutAlpha(tensor, stem)
            notes[stem] = "fourth input channel dropped (all zero)"
            try absorbPortDifferences(&weights, &notes, variant)
        }
        return ImportDraft(
            format: format, family: .mlsd, variant: variant.rawValue, inputSize: nil, isFolded: isFolded,
            weights: weights,
            mappings: weights.names.map {
                .init(source: origin[$0] ?? $0, target: $0, shape: weights[$0]?.shape ?? [], note: notes[$0] ?? "")
            })
    }

    private static func withoutAlpha(_ tensor: Tensor, _ name: String) throws(NetworkError) -> Tensor {
        guard let old = tensor.floats() else { throw NetworkError(.weights, path: name, "is not floating point") }
        var new: [Float] = []
        for output in 0..<32 {
            new += old[(output * 36)..<(output * 36 + 27)]
            guard old[(output * 36 + 27)..<(output * 36 + 36)].allSatisfy({ $0 == 0 }) else {
                throw NetworkError(.weights, path: name, "the fourth input channel is not zero")
            }
        }
        return Tensor(shape: [32, 3, 3, 3], floats: new)
    }

    /// A bias in front of a batch norm moves into its mean; another epsilon moves into its variance.
    private static func absorbPortDifferences(
        _ weights: inout Weights, _ notes: inout [String: String], _ variant: MLSD.Variant
    ) throws(NetworkError) {
        let portEpsilon: Float = 1e-5
        let network = try MLSD(variant, head: .full).network(at: InputSize(width: 512, height: 512))
        var producer: [Int: String] = [:]
        for layer in network.layers {
            for value in layer.outputs { producer[value] = layer.path }
            guard case .batchNorm(let epsilon) = layer.operation else { continue }
            let variance = layer.path + ".running_var"
            if epsilon != portEpsilon, let tensor = weights[variance], let numbers = tensor.floats() {
                weights[variance] = Tensor(shape: tensor.shape, floats: numbers.map { $0 + (portEpsilon - epsilon) })
                notes[variance] = "epsilon \(portEpsilon) of the port made \(epsilon)"
            }
            guard let convolution = producer[layer.inputs[0]] else { continue }
            let bias = convolution + ".bias"
            let mean = layer.path + ".running_mean"
            if let offsets = weights[bias]?.floats(), let tensor = weights[mean], let numbers = tensor.floats(),
                offsets.count == numbers.count
            {
                weights[mean] = Tensor(shape: tensor.shape, floats: zip(numbers, offsets).map { $0 - $1 })
                weights[bias] = nil
                notes[mean] = "bias of \(convolution) moved in"
            }
        }
    }
}
