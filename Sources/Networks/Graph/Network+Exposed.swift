// SPDX-License-Identifier: Apache-2.0

extension Network {
    /// The same network with the result of every layer as an output, in the order of the layers.
    ///
    /// Outputs there were keep their names; the others have the layer's path. The integers of quantised values are left out:
    /// what they stand for is the next layer's result.
    public var exposed: Network {
        var names: [Int: String] = [:]
        for port in outputs { names[port.value] = port.name }
        let ports = layers.flatMap { layer in
            if case .quantise = layer.operation { return [Port]() }
            return layer.outputs.enumerated().map { index, value in
                let path = layer.outputs.count == 1 ? layer.path : "\(layer.path):\(index)"
                return Port(name: names[value] ?? path, value: value, shape: shapes[value])
            }
        }
        return Network(name: name, variant: variant, inputs: inputs, outputs: ports, layers: layers, shapes: shapes)
    }

    /// Seeded random numbers for every input, by name: images in the range that bytes have after `normalisation`,
    /// everything else in -1...1.
    public func randomInputs(seed: UInt64, _ normalisation: InputNormalisation) -> [String: [Float]] {
        var inputs: [String: [Float]] = [:]
        for port in self.inputs {
            var generator = SplitMix64(seed: seed, name: port.name)
            let channels = port.shape.count == 4 ? port.shape[1] : 0
            let area = port.shape.suffix(2).reduce(1, *)
            inputs[port.name] = (0..<port.shape.reduce(1, *)).map { index in
                guard channels == normalisation.mean.count else { return Float(2 * generator.unit() - 1) }
                let channel = index / area % channels
                return (Float(255 * generator.unit()) - normalisation.mean[channel]) * normalisation.scale[channel]
            }
        }
        return inputs
    }
}
