// SPDX-License-Identifier: Apache-2.0

extension FoldedModel {
    /// Takes back what rounding the kernels adds to the means of the outputs: `b' = b - sum (W~ - W) E[x]`.
    ///
    /// Borders, where a kernel hangs over the edge, are ignored.
    ///
    /// - Parameter quantisation: says which kernels are going to be rounded.
    mutating func correctBiases(_ quantisation: Quantisation, _ normalisation: InputNormalisation) {
        let known = moments(normalisation)
        let quantised = network.quantised(using: quantisation)
        let rounded = Set(quantised.layers.filter { $0.weightScale != nil }.map(\.path))
        for layer in network.layers where rounded.contains(layer.path) {
            guard case .convolution(let c) = layer.operation, c.hasBias, let x = known[layer.inputs[0]],
                let kernel = numbers[layer.parameters[0].name]
            else { continue }
            let stored = layer.parameters[0].shape[0]
            let row = kernel.count / stored
            let changed = QuantisedRows(kernel, count: stored).floats
            let (perGroup, outPerGroup) = (c.inputChannels / c.groups, c.outputChannels / c.groups)
            for (output, place) in (layer.parameters[0].rows ?? 0..<stored).enumerated() {
                var shift = 0.0
                for i in 0..<row {
                    let channel = output / outPerGroup * perGroup + i / (c.kernel * c.kernel)
                    let at = place * row + i
                    shift += (Double(changed[at]) - Double(kernel[at])) * x[channel].mean
                }
                numbers[layer.parameters[1].name]?[place] -= Float(shift)
            }
        }
    }
}
