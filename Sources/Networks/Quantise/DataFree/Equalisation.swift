// SPDX-License-Identifier: Apache-2.0

extension FoldedModel {
    /// Evens the ranges of channels across neighbouring convolutions: `f(W1 x + b1) W2 = f(W1/s x + b1/s) (W2 s)`.
    ///
    /// Channel by channel `s = sqrt(r1 r2) / r2`, r1 the largest magnitude of the first kernel's output channel, r2 that of
    /// the second's input channel; both are then `sqrt(r1 r2)`. Repeated over all pairs until nothing moves. Channels
    /// without numbers on one side stay. Non-linearities that a factor does not pass (ReLU6, sigmoid) end a pair.
    ///
    /// - Returns: rounds over all pairs.
    @discardableResult mutating func equalise(tolerance: Double = 1e-4, rounds: Int = 50) -> Int {
        let pairs = self.pairs
        for round in 0..<rounds {
            let moved = pairs.map { equalise($0) }.max() ?? 0
            if moved <= tolerance { return round + 1 }
        }
        return rounds
    }

    /// The largest change of a factor from 1.
    private mutating func equalise(_ pair: Pair) -> Double {
        guard let c1 = pair.first.wholeConvolution, let c2 = pair.second.wholeConvolution,
            var first = numbers[pair.first.parameters[0].name], var second = numbers[pair.second.parameters[0].name]
        else { return 0 }
        let bias = pair.first.parameters.count > 1 ? pair.first.parameters[1].name : nil
        let row = first.count / c1.outputChannels
        var moved = 0.0
        for channel in 0..<c1.outputChannels {
            let taps = Self.taps(ofInput: channel, c2)
            let r1 = Double(first[channel * row..<(channel + 1) * row].reduce(0) { max($0, abs($1)) })
            let r2 = Double(taps.reduce(Float(0)) { max($0, abs(second[$1])) })
            guard r1 > 0, r2 > 0 else { continue }
            let s = min(max((r1 * r2).squareRoot() / r2, 1e-8), 1e8)
            moved = max(moved, abs(s - 1))
            for i in channel * row..<(channel + 1) * row { first[i] = Float(Double(first[i]) / s) }
            for i in taps { second[i] = Float(Double(second[i]) * s) }
            if let bias, let b = numbers[bias]?[channel] { numbers[bias]?[channel] = Float(Double(b) / s) }
            if let known = statistics[pair.first.path]?[channel] {
                statistics[pair.first.path]?[channel] = known.scaled(1 / s)
            }
        }
        numbers[pair.first.parameters[0].name] = first
        numbers[pair.second.parameters[0].name] = second
        return moved
    }

    /// Moves the part of a bias that a ReLU never sees into the next layer: `f(Wx + b - c) = f(Wx + b) - c`.
    ///
    /// `c = max(0, mean - 3 deviations)`, so that 99.87 % of a normal distribution lies above it. Only in front of
    /// convolutions without padding, whose borders would not know of it.
    mutating func absorbBiases() {
        for pair in pairs where pair.between != nil {
            guard let c1 = pair.first.wholeConvolution, let c2 = pair.second.wholeConvolution, c1.hasBias, c2.hasBias,
                c2.padding == .none, let known = statistics[pair.first.path],
                let kernel = numbers[pair.second.parameters[0].name]
            else { continue }
            let (bias1, bias2) = (pair.first.parameters[1].name, pair.second.parameters[1].name)
            let row = kernel.count / c2.outputChannels
            for channel in 0..<c1.outputChannels {
                let moments = known[channel]
                let c = max(0, moments.mean - 3 * max(0, moments.variance).squareRoot())
                guard c > 0 else { continue }
                numbers[bias1]?[channel] -= Float(c)
                statistics[pair.first.path]?[channel] = moments.scaled(1, offset: -c)
                for i in Self.taps(ofInput: channel, c2) { numbers[bias2]?[i / row] += Float(Double(kernel[i]) * c) }
            }
        }
    }
}
