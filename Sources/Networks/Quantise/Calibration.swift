// SPDX-License-Identifier: Apache-2.0

extension Network {
    /// The same network, whose outputs are what its convolutions read, named as ``Quantisation/ranges`` names it.
    ///
    /// Inputs of the network are left out: who runs it knows them.
    public var convolutionInputs: Network {
        let inputs = Set(self.inputs.map(\.value))
        var read: [Int] = []
        for layer in layers {
            guard case .convolution = layer.operation, !inputs.contains(layer.inputs[0]),
                !read.contains(layer.inputs[0])
            else { continue }
            read.append(layer.inputs[0])
        }
        let ports = layers.flatMap { layer in
            layer.outputs.filter { read.contains($0) }.map { Port(name: layer.path, value: $0, shape: shapes[$0]) }
        }
        return Network(
            name: name, variant: variant, inputs: self.inputs, outputs: ports, layers: layers, shapes: shapes)
    }
}
