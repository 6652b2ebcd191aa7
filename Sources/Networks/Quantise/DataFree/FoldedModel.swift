// SPDX-License-Identifier: Apache-2.0

/// A folded network, its weights as numbers that can be changed, and what batch normalisation knew of every convolution.
///
/// The steps of data-free quantisation work on it; each leaves the function as it was, but for rounding.
struct FoldedModel {
    let network: Network
    private(set) var weights: Weights
    /// Kernels and biases by tensor name.
    var numbers: [String: [Float]] = [:]
    /// Mean and variance of each convolution's output channels, before any non-linearity, by the layer's path.
    var statistics: [String: [ChannelMoments]] = [:]

    /// Folds `network`, whose weights hold batch normalisations.
    ///
    /// - Throws: `NetworkError.Code.weights` when they do not fit, or have no statistics, as folded releases have none.
    init(_ network: Network, weights: Weights) throws(NetworkError) {
        guard network.layers.contains(where: { if case .batchNorm = $0.operation { true } else { false } }) else {
            throw NetworkError(
                .unsupported, path: network.name, "has no batch normalisation to tell ranges from: use pictures")
        }
        if network.folded.check(weights).isComplete, !network.check(weights).isComplete {
            throw NetworkError(
                .unsupported, path: network.name,
                "these weights' batch normalisations are folded, their statistics gone: use pictures")
        }
        self.network = network.folded
        self.weights = try network.folding(weights)
        for parameter in self.network.parameters {
            numbers[parameter.name] = self.weights[parameter.name]?.floats()
        }
        let kept = Set(self.network.layers.map(\.path))
        var producer: [Int: Layer] = [:]
        for layer in network.layers { for value in layer.outputs { producer[value] = layer } }
        for layer in network.layers {
            guard case .batchNorm = layer.operation, let scale = weights[layer.parameters[0].name]?.floats(),
                let shift = weights[layer.parameters[1].name]?.floats()
            else { continue }
            // A folded normalisation speaks for its convolution, one that stays for itself.
            let path = kept.contains(layer.path) ? layer.path : producer[layer.inputs[0]]?.path ?? layer.path
            statistics[path] = zip(shift, scale).map {
                ChannelMoments(mean: Double($0), variance: Double($1) * Double($1))
            }
        }
    }

    /// The weights as they are now.
    var current: Weights {
        var result = weights
        for parameter in network.parameters {
            guard let numbers = numbers[parameter.name] else { continue }
            result[parameter.name] = Tensor(shape: parameter.shape, floats: numbers)
        }
        return result
    }

    /// Two convolutions with nothing between them but a non-linearity that lets factors above 0 pass.
    struct Pair {
        let first: Layer
        let second: Layer
        /// The non-linearity between; nil for none.
        let between: LayerOperation?
    }

    /// All pairs of convolutions of which the second alone reads what the first makes.
    var pairs: [Pair] {
        var readers: [Int: [Layer]] = [:]
        for layer in network.layers { for value in layer.inputs { readers[value, default: []].append(layer) } }
        let ports = Set(network.outputs.map(\.value))
        func only(_ value: Int) -> Layer? {
            guard !ports.contains(value), let list = readers[value], list.count == 1 else { return nil }
            return list[0]
        }
        return network.layers.compactMap { first in
            guard first.isWholeConvolution, var next = only(first.outputs[0]) else { return nil }
            var between: LayerOperation?
            switch next.operation {
            case .relu, .leakyRelu:
                between = next.operation
                guard let after = only(next.outputs[0]) else { return nil }
                next = after
            default: break
            }
            return next.isWholeConvolution ? Pair(first: first, second: next, between: between) : nil
        }
    }

    /// Positions in a kernel of the numbers that an input channel is multiplied by.
    static func taps(ofInput channel: Int, _ c: Convolution) -> [Int] {
        let (perGroup, outputs) = (c.inputChannels / c.groups, c.outputChannels / c.groups)
        let area = c.kernel * c.kernel
        let (group, member) = (channel / perGroup, channel % perGroup)
        return (group * outputs..<(group + 1) * outputs).flatMap { output in
            let start = (output * perGroup + member) * area
            return start..<start + area
        }
    }
}

extension Layer {
    /// The convolution it is, where its kernel is used whole.
    var wholeConvolution: Convolution? {
        guard case .convolution(let c) = operation, parameters.allSatisfy({ $0.rows == nil }) else { return nil }
        return c
    }

    fileprivate var isWholeConvolution: Bool { wholeConvolution != nil }
}
