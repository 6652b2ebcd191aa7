// SPDX-License-Identifier: Apache-2.0

extension Network {
    /// The same network with every batch normalisation behind a convolution absorbed by it.
    ///
    /// The convolution gains a bias (`path.bias`); a normalisation stays where its input has other readers, is an
    /// output, or comes from another kind of layer.
    public var folded: Network {
        let pairs = foldablePairs
        var renamed: [Int: Int] = [:]
        var kept: [Layer] = []
        for (index, layer) in layers.enumerated() {
            if pairs.normalisations.contains(index) {
                renamed[layer.outputs[0]] = layer.inputs[0]
                continue
            }
            let inputs = layer.inputs.map { renamed[$0] ?? $0 }
            guard pairs.normalisationOf[index] != nil, let weight = layer.parameters.first else {
                kept.append(
                    Layer(
                        path: layer.path, operation: layer.operation, inputs: inputs, outputs: layer.outputs,
                        parameters: layer.parameters))
                continue
            }
            kept.append(
                Layer(
                    path: layer.path, operation: layer.operation.withBias, inputs: inputs, outputs: layer.outputs,
                    parameters: [
                        weight,
                        Parameter(
                            name: layer.path + ".bias", shape: [shapes[layer.outputs[0]][1]], role: .bias, rows: nil),
                    ]))
        }
        let ports = outputs.map { Port(name: $0.name, value: renamed[$0.value] ?? $0.value, shape: $0.shape) }
        return Network(name: name, variant: variant, inputs: inputs, outputs: ports, layers: kept, shapes: shapes)
    }

    /// The weights that make `folded` compute what this network computes with `weights`.
    ///
    /// `weight' = weight * scale / sqrt(variance + epsilon)`, `bias' = (bias - mean) * scale / sqrt(...) + shift`.
    ///
    /// - Throws: `NetworkError.Code.weights` when `weights` do not fit this network.
    public func folding(_ weights: Weights) throws(NetworkError) -> Weights {
        let report = check(weights)
        guard report.isComplete else { throw NetworkError(.weights, report.description) }
        let pairs = foldablePairs
        var result = Weights()
        result.metadata = weights.metadata
        for (index, layer) in layers.enumerated() where !pairs.normalisations.contains(index) {
            guard let normalisation = pairs.normalisationOf[index] else {
                for parameter in layer.parameters { result[parameter.name] = weights[parameter.name] }
                continue
            }
            let (weight, bias) = try fold(layer, layers[normalisation], weights)
            result[layer.path + ".weight"] = weight
            result[layer.path + ".bias"] = bias
        }
        return result
    }

    // MARK: - Private

    /// Indices into `layers`: normalisations that can go, and for each convolution the one that follows it.
    private var foldablePairs: (normalisations: Set<Int>, normalisationOf: [Int: Int]) {
        var producer: [Int: Int] = [:]
        var readers: [Int: Int] = [:]
        for (index, layer) in layers.enumerated() {
            for value in layer.outputs { producer[value] = index }
            for value in layer.inputs { readers[value, default: 0] += 1 }
        }
        for port in outputs { readers[port.value, default: 0] += 1 }
        var normalisations: Set<Int> = []
        var normalisationOf: [Int: Int] = [:]
        for (index, layer) in layers.enumerated() {
            guard case .batchNorm = layer.operation, let source = producer[layer.inputs[0]],
                readers[layer.inputs[0]] == 1, layers[source].operation.canAbsorbScale,
                layers[source].parameters.allSatisfy({ $0.rows == nil })
            else { continue }
            normalisations.insert(index)
            normalisationOf[source] = index
        }
        return (normalisations, normalisationOf)
    }

    private func fold(
        _ layer: Layer, _ normalisation: Layer, _ weights: Weights
    ) throws(NetworkError) -> (weight: Tensor, bias: Tensor) {
        func floats(_ layer: Layer, _ role: Parameter.Role) throws(NetworkError) -> [Float]? {
            guard let parameter = layer.parameters.first(where: { $0.role == role }) else { return nil }
            guard let floats = weights[parameter.name]?.floats() else {
                throw NetworkError(.weights, path: parameter.name, "is missing")
            }
            return floats
        }
        guard case .batchNorm(let epsilon) = normalisation.operation,
            var weight = try floats(layer, .weight), let shape = layer.parameters.first?.shape,
            let scale = try floats(normalisation, .scale), let shift = try floats(normalisation, .shift),
            let mean = try floats(normalisation, .mean), let variance = try floats(normalisation, .variance)
        else { throw NetworkError(.weights, path: layer.path, "cannot be folded") }
        let channels = scale.count
        var bias = try floats(layer, .bias) ?? [Float](repeating: 0, count: channels)
        var factors: [Float] = []
        for channel in 0..<channels {
            let factor = Double(scale[channel]) / (Double(variance[channel]) + Double(epsilon)).squareRoot()
            factors.append(Float(factor))
            bias[channel] = Float((Double(bias[channel]) - Double(mean[channel])) * factor + Double(shift[channel]))
        }
        let each = shape[2] * shape[3]
        switch layer.operation {
        case .transposedConvolution(let c):
            // [in, out / groups, k, k]: an input channel belongs to one group of output channels.
            let perGroup = c.outputChannels / c.groups
            let inputsPerGroup = c.inputChannels / c.groups
            for input in 0..<c.inputChannels {
                for output in 0..<perGroup {
                    let factor = factors[input / inputsPerGroup * perGroup + output]
                    for i in 0..<each { weight[(input * perGroup + output) * each + i] *= factor }
                }
            }
        default:
            let row = shape[1] * each
            for channel in 0..<channels {
                for i in channel * row..<(channel + 1) * row { weight[i] *= factors[channel] }
            }
        }
        return (Tensor(shape: shape, floats: weight), Tensor(shape: [channels], floats: bias))
    }
}

extension LayerOperation {
    fileprivate var canAbsorbScale: Bool {
        switch self {
        case .convolution, .transposedConvolution: true
        default: false
        }
    }

    fileprivate var withBias: LayerOperation {
        switch self {
        case .convolution(var c):
            c.hasBias = true
            return .convolution(c)
        case .transposedConvolution(var c):
            c.hasBias = true
            return .transposedConvolution(c)
        default: return self
        }
    }
}
