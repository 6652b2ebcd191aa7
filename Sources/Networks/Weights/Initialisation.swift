// SPDX-License-Identifier: Apache-2.0

extension Network {
    /// Weights to start training from: Kaiming's for convolutions, batch norms that change nothing, biases of 0.
    ///
    /// Kernels are uniform in `±sqrt(6 / fanIn)`, which keeps the variance through layers with ReLU. Every tensor has its
    /// own stream of numbers, made of `seed` and its name: the same name and shape get the same numbers in any network,
    /// on any machine.
    ///
    /// - Note: Source: He et al., "Delving Deep into Rectifiers", ICCV 2015.
    public func initialWeights(seed: UInt64) -> Weights {
        var weights = Weights()
        for layer in layers {
            for parameter in layer.parameters {
                let count = parameter.shape.reduce(1, *)
                let values: [Float]
                switch parameter.role {
                case .weight:
                    var generator = SplitMix64(seed: seed, name: parameter.name)
                    let bound = (6 / Double(max(1, layer.operation.fanIn(of: parameter)))).squareRoot()
                    values = (0..<count).map { _ in Float((2 * generator.unit() - 1) * bound) }
                case .scale, .variance: values = [Float](repeating: 1, count: count)
                case .bias, .shift, .mean: values = [Float](repeating: 0, count: count)
                }
                weights[parameter.name] = Tensor(shape: parameter.shape, floats: values)
            }
        }
        weights.metadata = [
            Weights.MetadataKey.network: name, Weights.MetadataKey.variant: variant,
            Weights.MetadataKey.state: Weights.State.untrained,
            Weights.MetadataKey.provenance: "random, seed \(seed)",
        ]
        return weights
    }
}

extension LayerOperation {
    /// The inputs that each output number sums over.
    fileprivate func fanIn(of parameter: Parameter) -> Int {
        switch self {
        case .transposedConvolution(let c):
            return c.inputChannels / c.groups * parameter.shape.dropFirst(2).reduce(1, *) / (c.stride * c.stride)
        default: return parameter.shape.dropFirst().reduce(1, *)
        }
    }
}

/// Sebastiano Vigna's SplitMix64: small, and the same numbers everywhere.
struct SplitMix64 {
    private var state: UInt64

    /// A stream of its own for every name (FNV-1a).
    init(seed: UInt64, name: String) {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        state = hash ^ (seed &* 0x9E37_79B9_7F4A_7C15)
    }

    /// 0 to just below 1.
    mutating func unit() -> Double {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return Double((z ^ (z >> 31)) >> 11) / Double(1 << 53)
    }
}
