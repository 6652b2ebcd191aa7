// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

@testable import Networks

/// Each formula against its definition in numbers.
@Suite("Data-free quantisation")
struct DataFreeTests {
    /// Mean and variance of a function of a normal variable, by adding up 200,000 slices of its density.
    private func integral(_ mean: Double, _ deviation: Double, _ f: (Double) -> Double) -> (
        mean: Double, variance: Double
    ) {
        let (steps, reach) = (200_000, 10.0)
        var (first, square, total) = (0.0, 0.0, 0.0)
        for i in 0..<steps {
            let z = -reach + (Double(i) + 0.5) * 2 * reach / Double(steps)
            let weight = Normal.density(z) * 2 * reach / Double(steps)
            let y = f(mean + deviation * z)
            first += weight * y
            square += weight * y * y
            total += weight
        }
        first /= total
        return (first, square / total - first * first)
    }

    @Test(
        "Moments behind ReLU, ReLU6, clip and leaky ReLU are the integrals over the density",
        arguments: [(0, 1), (-2, 0.5), (3, 2), (7, 3), (-1, 4), (0.2, 0.01)] as [(Double, Double)])
    func moments(mean: Double, deviation: Double) {
        let x = ChannelMoments(mean: mean, variance: deviation * deviation)
        let cases: [(ChannelMoments, (Double) -> Double)] = [
            (x.clipped(0, .infinity), { max($0, 0) }), (x.clipped(0, 6), { min(max($0, 0), 6) }),
            (x.clipped(-1, 2), { min(max($0, -1), 2) }), (x.leaky(0.1), { $0 < 0 ? 0.1 * $0 : $0 }),
            (x.clipped(-.infinity, .infinity), { $0 }),
        ]
        for (index, (found, f)) in cases.enumerated() {
            let expected = integral(mean, deviation, f)
            #expect(abs(found.mean - expected.mean) < 1e-5 * max(1, abs(expected.mean)), "mean of \(index)")
            #expect(abs(found.variance - expected.variance) < 1e-4 * max(1, expected.variance), "variance of \(index)")
            #expect(found.low == f(mean - 6 * deviation) && found.high == f(mean + 6 * deviation), "ends of \(index)")
        }
    }

    @Test("A channel that never changes stays a number")
    func constant() {
        let x = ChannelMoments(mean: 3, variance: 0).clipped(0, 2)
        #expect(x == ChannelMoments(mean: 2, variance: 0, low: 2, high: 2))
        #expect(ChannelMoments(mean: -1, variance: 0).leaky(0.1).mean == -0.1)
    }

    @Test("Sums of independent channels: means and variances add, the interval is the narrower one")
    func sums() {
        let a = ChannelMoments(mean: 1, variance: 4).clipped(0, .infinity)
        let b = ChannelMoments(mean: -2, variance: 1)
        let sum = a.adding(b)
        #expect(sum.mean == a.mean + b.mean && sum.variance == a.variance + b.variance)
        #expect(sum.low == max(a.low + b.low, sum.mean - 6 * sum.variance.squareRoot()))
        #expect(sum.high <= a.high + b.high)
        #expect(ChannelMoments.uniform(-1, 3) == ChannelMoments(mean: 1, variance: 16.0 / 12, low: -1, high: 3))
        #expect(ChannelMoments.uniform(0, 2).scaled(-3, offset: 1).low == -5)
    }

    /// Convolution, depthwise convolution, convolution: channels of very different ranges, as in the paper's figure 2.
    private func chain(
        _ activation: Activation, spread: Float = 1.5, seed: UInt64 = 11
    ) throws -> (network: Network, weights: Weights) {
        let b = NetworkBuilder(name: "n", variant: "v")
        var x = try b.input("x", shape: [1, 3, 14, 14])
        x = try b.convolutionBlock("z", x, outputChannels: 16, kernel: 3, activation)
        x = try b.convolutionBlock("a", x, outputChannels: 64, activation)
        x = try b.convolutionBlock("b", x, outputChannels: 64, kernel: 3, groups: 64, activation)
        x = try b.convolutionBlock("c", x, outputChannels: 32, .none)
        try b.output("y", x)
        let network = b.build()
        var weights = syntheticWeights(for: network, seed: seed)
        // Normalisations that know their channels: mean and variance of what the convolutions make of this input.
        var generator = SeededGenerator(seed: seed)
        for layer in network.layers {
            guard case .batchNorm = layer.operation else { continue }
            let channels = layer.parameters[0].shape[0]
            // Log-normal factors.
            let factors: [Float] = (0..<channels).map { _ -> Float in
                Float(Normal.inverseSample(&generator)) * spread
            }.map { Float(2.718281828).power($0) }
            weights[layer.parameters[0].name] = Tensor(shape: [channels], floats: factors)
            weights[layer.parameters[1].name] = Tensor(
                shape: [channels], floats: factors.map { $0 * generator.floats(1)[0] })
            let source = try #require(network.layers.first { $0.outputs == layer.inputs })
            let observed = try observe(network, weights, until: source)
            weights[layer.parameters[2].name] = Tensor(shape: [channels], floats: observed.map { Float($0.mean) })
            weights[layer.parameters[3].name] = Tensor(shape: [channels], floats: observed.map { Float($0.variance) })
        }
        return (network, weights)
    }

    private let normalisation = InputNormalisation(
        channelOrder: .rgb, mean: [127.5, 127.5, 127.5], scale: [1 / 127.5, 1 / 127.5, 1 / 127.5], fit: .stretch)

    private func input(_ seed: UInt64, _ count: Int) -> [Float] {
        var generator = SeededGenerator(seed: seed)
        return generator.floats(count)
    }

    private func run(_ network: Network, _ weights: Weights, seed: UInt64) throws -> [String: [Float]] {
        let inputs = Dictionary(
            uniqueKeysWithValues: network.inputs.map { ($0.name, input(seed, $0.shape.reduce(1, *))) })
        return try ReferenceExecutor(network: network, weights: weights).run(inputs)
    }

    private func observe(_ network: Network, _ weights: Weights, until layer: Layer) throws -> [ChannelMoments] {
        let exposed = network.exposed
        let values = try #require(run(exposed, weights, seed: 1)[layer.path])
        let channels = network.shapes[layer.outputs[0]][1]
        let area = values.count / channels
        return (0..<channels).map { channel in
            let part = values[channel * area..<(channel + 1) * area].map(Double.init)
            let mean = part.reduce(0, +) / Double(area)
            return ChannelMoments(
                mean: mean, variance: part.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(area))
        }
    }

    private func decibels(_ signal: [Float], _ other: [Float]) -> Double {
        let power = signal.reduce(0.0) { $0 + Double($1) * Double($1) }
        let noise = zip(signal, other).reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
        return 10 * (power / max(noise, 1e-30)).logarithm10
    }

    @Test(
        "Equalisation leaves the function as it is and evens the ranges",
        arguments: [Activation.relu, .leakyRelu(slope: 0.1), .none])
    func equalisation(activation: Activation) throws {
        let (network, weights) = try chain(activation)
        var model = try FoldedModel(network, weights: weights)
        let before = try run(model.network, model.current, seed: 2)["y"] ?? []
        #expect(model.pairs.map(\.first.path) == ["z.0", "a.0", "b.0"])
        let rounds = model.equalise()
        #expect(rounds < 50)
        let after = try run(model.network, model.current, seed: 2)["y"] ?? []
        #expect(decibels(before, after) > 90)
        for pair in model.pairs {
            let (c1, c2) = (try #require(pair.first.wholeConvolution), try #require(pair.second.wholeConvolution))
            let first = try #require(model.numbers[pair.first.parameters[0].name])
            let second = try #require(model.numbers[pair.second.parameters[0].name])
            for channel in 0..<c1.outputChannels {
                let row = first.count / c1.outputChannels
                let r1 = first[channel * row..<(channel + 1) * row].map(abs).max() ?? 0
                let r2 = FoldedModel.taps(ofInput: channel, c2).map { abs(second[$0]) }.max() ?? 0
                #expect(abs(r1 / r2 - 1) < 0.01)
            }
        }
        // Statistics follow: they still say what the convolutions make.
        let fresh = try FoldedModel(network, weights: weights)
        let observedBefore = try observe(fresh.network, fresh.current, until: fresh.network.layers[0])
        let observedAfter = try observe(model.network, model.current, until: model.network.layers[0])
        for (channel, pair) in zip(observedBefore, observedAfter).enumerated() {
            let s = pair.0.variance / pair.1.variance
            let stated =
                (fresh.statistics["z.0"]?[channel].variance ?? 0) / (model.statistics["z.0"]?[channel].variance ?? 1)
            #expect(abs(s / stated - 1) < 1e-3)
        }
    }

    @Test("Pairs end at ReLU6, at a second reader, at an output and at kernels used in part")
    func pairs() throws {
        #expect(try FoldedModel(chain(.relu6).network, weights: chain(.relu6).weights).pairs.isEmpty)
        let b = NetworkBuilder(name: "n", variant: "v")
        let x = try b.convolutionBlock("a", b.input("x", shape: [1, 3, 4, 4]), outputChannels: 4, .relu)
        let y = try b.convolutionBlock("b", x, outputChannels: 4, .relu)
        let z = try b.convolutionBlock("c", y, outputChannels: 4, .relu)
        try b.output("seen", z)
        let part = try b.convolution("d", z, outputChannels: 4, rows: 1..<2)
        try b.output("sum", b.add("sum", part, b.convolution("e", x, outputChannels: 1)))
        let network = b.build()
        let model = try FoldedModel(network, weights: syntheticWeights(for: network))
        #expect(model.pairs.map { "\($0.first.path) \($0.second.path)" } == ["b.0 c.0"])
    }

    @Test("Equalisation and bias correction gain more than 20 dB where channels' ranges differ by thousands")
    func gain() throws {
        let (network, weights) = try chain(.relu)
        let plain = try FoldedModel(network, weights: weights)
        let reference = try run(plain.network, plain.current, seed: 1)["y"] ?? []
        func quantised(_ model: FoldedModel, perTensor: Bool) throws -> Double {
            var rounded = model.current
            for layer in model.network.layers {
                guard let kernel = layer.parameters.first, let numbers = model.numbers[kernel.name] else { continue }
                let rows = QuantisedRows(numbers, count: perTensor ? 1 : kernel.shape[0])
                rounded[kernel.name] = Tensor(shape: kernel.shape, floats: rows.floats)
            }
            return try decibels(reference, run(model.network, rounded, seed: 1)["y"] ?? [])
        }
        var equalised = plain
        equalised.equalise()
        var corrected = equalised
        corrected.correctBiases(Quantisation(ranges: corrected.ranges(normalisation)), normalisation)
        let figures = [
            try quantised(plain, perTensor: true), try quantised(equalised, perTensor: true),
            try quantised(plain, perTensor: false), try quantised(equalised, perTensor: false),
            try quantised(corrected, perTensor: false),
        ]
        #expect(figures[1] - figures[0] > 20, "\(figures)")
        #expect(figures[3] > figures[2], "\(figures)")
    }

    @Test("Absorbed biases change nothing where pre-activations stay above, and statistics follow")
    func absorption() throws {
        let b = NetworkBuilder(name: "n", variant: "v")
        let x = try b.convolutionBlock("a", b.input("x", shape: [1, 3, 8, 8]), outputChannels: 4, kernel: 3, .relu)
        let y = try b.convolutionBlock("b", x, outputChannels: 4, .relu)
        try b.output("y", b.convolutionBlock("c", y, outputChannels: 4, kernel: 3, .none))
        let network = b.build()
        var weights = syntheticWeights(for: network)
        for name in ["a", "b"] {
            weights["\(name).1.weight"] = Tensor(shape: [4], floats: [0.5, 1, 1, 2])
            weights["\(name).1.bias"] = Tensor(shape: [4], floats: [10, 2, 20, -4])
            let source = try #require(network.layers.first { $0.path == "\(name).0" })
            let observed = try observe(network, weights, until: source)
            weights["\(name).1.running_mean"] = Tensor(shape: [4], floats: observed.map { Float($0.mean) })
            weights["\(name).1.running_var"] = Tensor(shape: [4], floats: observed.map { Float($0.variance) })
        }
        var model = try FoldedModel(network, weights: weights)
        let before = try run(model.network, model.current, seed: 1)["y"] ?? []
        let bias = try #require(model.numbers["a.0.bias"])
        model.absorbBiases()
        let moved = try #require(model.numbers["a.0.bias"])
        let absorbed: [Float] = [8.5, 0, 17, 0]
        for (channel, expected) in absorbed.enumerated() {
            #expect(abs(bias[channel] - moved[channel] - expected) < 1e-4)
        }
        // c has padding: b's bias stays.
        #expect(abs((model.statistics["b.0"]?[0].mean ?? 0) - 10) < 1e-6)
        #expect(abs((model.statistics["a.0"]?[0].mean ?? 0) - 1.5) < 1e-6)
        let after = try run(model.network, model.current, seed: 1)["y"] ?? []
        #expect(decibels(before, after) > 40)
    }

    @Test("Bias correction takes out the shift of the output's mean")
    func correction() throws {
        let b = NetworkBuilder(name: "n", variant: "v")
        let x = try b.convolutionBlock("a", b.input("x", shape: [1, 3, 40, 40]), outputChannels: 8, .relu)
        try b.output("y", b.convolutionBlock("b", x, outputChannels: 8, .none))
        let network = b.build()
        var weights = syntheticWeights(for: network)
        for name in ["a", "b"] {
            weights["\(name).1.weight"] = Tensor(shape: [8], floats: [Float](repeating: 1, count: 8))
            let source = try #require(network.layers.first { $0.path == "\(name).0" })
            let observed = try observe(network, weights, until: source)
            weights["\(name).1.running_mean"] = Tensor(shape: [8], floats: observed.map { Float($0.mean) })
            weights["\(name).1.running_var"] = Tensor(shape: [8], floats: observed.map { Float($0.variance) })
        }
        var model = try FoldedModel(network, weights: weights)
        // A kernel that rounds badly: one large number, the others a third of a step above a level.
        let kernel = (0..<64).map { $0 % 8 == 0 ? Float(127) : 3.33 }
        model.numbers["b.0.weight"] = kernel
        let last = try #require(model.network.layers.last)
        func means(_ model: FoldedModel, _ rounded: Bool) throws -> [Double] {
            var weights = model.current
            if rounded {
                weights["b.0.weight"] = Tensor(shape: [8, 8, 1, 1], floats: QuantisedRows(kernel, count: 8).floats)
            }
            var observed = [Double](repeating: 0, count: 8)
            let values = try #require(run(model.network, weights, seed: 1)["y"])
            let area = values.count / 8
            for channel in 0..<8 {
                observed[channel] =
                    values[channel * area..<(channel + 1) * area].reduce(0.0) { $0 + Double($1) } / Double(area)
            }
            return observed
        }
        #expect(last.path == "b.0")
        let plain = try means(model, false)
        let shifted = try means(model, true)
        model.correctBiases(Quantisation(ranges: model.ranges(normalisation)), normalisation)
        let corrected = try means(model, true)
        let (before, after) = (
            zip(plain, shifted).map { abs($0 - $1) }.reduce(0, +),
            zip(plain, corrected).map { abs($0 - $1) }.reduce(0, +)
        )
        #expect(before > 1)
        #expect(after < before / 4, "\(before) became \(after)")
    }

    @Test("Whole networks: nearly the same results, ranges that hold what happens")
    func whole() throws {
        let network = try RetinaFace(.relu).network(at: InputSize(width: 64, height: 64))
        let weights = syntheticWeights(for: network)
        let free = try DataFreeQuantisation(network, weights: weights, normalisation: RetinaFace.normalisation)
        #expect(free.network == network.folded)
        #expect(free.network.check(free.weights).isComplete)
        let needed = free.network.layers.compactMap { layer -> String? in
            guard case .convolution = layer.operation else { return nil }
            return free.network.layers.first { $0.outputs == layer.inputs }?.path ?? "image"
        }
        for name in needed { #expect(free.quantisation.ranges[name]?.isSound == true, "\(name)") }
    }

    @Test("Weights without statistics are refused with the way out")
    func refused() throws {
        let network = try RetinaFace(.relu).network(at: InputSize(width: 32, height: 32))
        let folded = try network.folding(syntheticWeights(for: network))
        #expect {
            try DataFreeQuantisation(network, weights: folded, normalisation: RetinaFace.normalisation)
        } throws: { error in
            "\(error)".contains("batch normalisations are folded, their statistics gone: use pictures")
        }
    }
}

extension Normal {
    /// A standard normal number, as the sum of twelve uniform ones.
    fileprivate static func inverseSample(_ generator: inout SeededGenerator) -> Double {
        generator.floats(12, in: 0...1).reduce(0.0) { $0 + Double($1) } - 6
    }
}

extension Float {
    fileprivate func power(_ exponent: Float) -> Float { Float(pow(Double(self), Double(exponent))) }
}

extension Double {
    fileprivate var logarithm10: Double { log10(self) }
}
