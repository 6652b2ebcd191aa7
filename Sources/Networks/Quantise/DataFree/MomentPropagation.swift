// SPDX-License-Identifier: Apache-2.0

extension FoldedModel {
    /// What is known of every value, channel by channel, by index; values that nothing is known of are absent.
    ///
    /// Convolutions with statistics are what those say; others, and sums, are propagated as if channels and places were
    /// independent. Pooling and resizing leave channels as they are.
    ///
    /// - Parameter normalisation: tells the range of the input image; bytes are taken as equally likely.
    func moments(_ normalisation: InputNormalisation) -> [Int: [ChannelMoments]] {
        var known: [Int: [ChannelMoments]] = [:]
        for port in network.inputs where port.shape.count == 4 && port.shape[1] == normalisation.mean.count {
            known[port.value] = zip(normalisation.mean, normalisation.scale).map { mean, scale -> ChannelMoments in
                let (black, white): (Float, Float) = (-mean * scale, (255 - mean) * scale)
                return .uniform(Double(black), Double(white))
            }
        }
        for layer in network.layers {
            let inputs = layer.inputs.map { known[$0] }
            if let stated = statistics[layer.path] {
                known[layer.outputs[0]] = stated
                continue
            }
            guard let x = inputs[0] else { continue }
            for (value, result) in zip(layer.outputs, propagate(layer, x, inputs)) { known[value] = result }
        }
        return known
    }

    private func propagate(
        _ layer: Layer, _ x: [ChannelMoments], _ inputs: [[ChannelMoments]?]
    ) -> [[ChannelMoments]] {
        switch layer.operation {
        case .convolution(let c): return convolution(layer, c, x).map { [$0] } ?? []
        case .relu: return [x.map { $0.clipped(0, .infinity) }]
        case .relu6: return [x.map { $0.clipped(0, 6) }]
        case .clip(let low, let high): return [x.map { $0.clipped(Double(low), Double(high)) }]
        case .leakyRelu(let slope): return [x.map { $0.leaky(Double(slope)) }]
        case .add:
            guard inputs.count == 2, let other = inputs[1], other.count == x.count else { return [] }
            return [zip(x, other).map { $0.adding($1) }]
        case .subtract:
            guard inputs.count == 2, let other = inputs[1], other.count == x.count else { return [] }
            return [zip(x, other).map { $0.adding($1.scaled(-1)) }]
        case .affine(let scale, let offset):
            return [x.indices.map { x[$0].scaled(Double(scale[$0]), offset: Double(offset[$0])) }]
        case .concat(axis: 1):
            guard inputs.allSatisfy({ $0 != nil }) else { return [] }
            return [inputs.flatMap { $0 ?? [] }]
        case .slice(axis: 1, let range): return [Array(x[range])]
        case .split(axis: 1, let sizes):
            var start = 0
            return sizes.map { size in
                defer { start += size }
                return Array(x[start..<start + size])
            }
        case .resize, .maxPool, .averagePool, .globalAveragePool, .bilinearDeconvolution: return [x]
        default: return []
        }
    }

    /// Mean and variance of sums of independent numbers.
    private func convolution(_ layer: Layer, _ c: Convolution, _ x: [ChannelMoments]) -> [ChannelMoments]? {
        guard let kernel = numbers[layer.parameters[0].name] else { return nil }
        let bias = layer.parameters.count > 1 ? numbers[layer.parameters[1].name] : nil
        let stored = layer.parameters[0].shape[0]
        let row = kernel.count / stored
        let (perGroup, outPerGroup, area) = (
            c.inputChannels / c.groups, c.outputChannels / c.groups, c.kernel * c.kernel
        )
        let rows: Range<Int> = layer.parameters[0].rows ?? 0..<stored
        return rows.enumerated().map { output, place -> ChannelMoments in
            let first = output / outPerGroup * perGroup
            var mean = Double(bias?[place] ?? 0)
            var variance = 0.0
            for i in 0..<row {
                let weight = Double(kernel[place * row + i])
                let input = x[first + i / area]
                mean += weight * input.mean
                variance += weight * weight * input.variance
            }
            return ChannelMoments(mean: mean, variance: variance)
        }
    }

    /// Ranges of all values whose channels are all known, by the path of the layer or the name of the input.
    func ranges(_ normalisation: InputNormalisation) -> [String: ValueRange] {
        let known = moments(normalisation)
        var result: [String: ValueRange] = [:]
        func record(_ name: String, _ value: Int) {
            guard let channels = known[value], let low = channels.map(\.low).min(),
                let high = channels.map(\.high).max()
            else { return }
            result[name] = ValueRange(Float(low), Float(high))
        }
        for port in network.inputs { record(port.name, port.value) }
        for layer in network.layers where layer.outputs.count == 1 { record(layer.path, layer.outputs[0]) }
        return result
    }
}
