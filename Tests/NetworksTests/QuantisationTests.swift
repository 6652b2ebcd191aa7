// SPDX-License-Identifier: Apache-2.0
import Networks
import TestSupport
import Testing

@Suite("Quantised networks")
struct QuantisationTests {
    @Test(
        "Integers are the nearest, ties to even, kept within 8 bits; zero is exact",
        arguments: [
            (ValueRange(0, 255), Float(1), UInt8(0), [0.4: 0, 0.5: 0, 1.5: 2, 2.5: 2, -3: 0, 255.4: 255, 999: 255]),
            (ValueRange(-100, 410), 2, 50, [0: 50, 1: 50, 3: 52, -3: 48, 410: 255, 999: 255, -999: 0]),
            (ValueRange(100, 127.5), 0.5, 0, [0: 0, 127.5: 255]), (ValueRange(-510, -5), 2, 255, [0: 255, -510: 0]),
            (ValueRange(0, 0), 1, 0, [0: 0]),
        ] as [(ValueRange, Float, UInt8, [Float: Float])])
    func levels(range: ValueRange, scale: Float, zero: UInt8, expected: [Float: Float]) {
        let quantiser = Quantiser(range)
        #expect(quantiser.scale == scale)
        #expect(quantiser.zeroPoint == zero)
        #expect(quantiser.dequantised(quantiser.quantised(0)) == 0)
        for (x, level) in expected { #expect(quantiser.quantised(x) == level, "\(x)") }
    }

    @Test("What is no number, or has no range, makes no level out of bounds")
    func notNumbers() {
        let quantiser = Quantiser(ValueRange(-1, 1))
        #expect(quantiser.quantised(.nan) == Float(quantiser.zeroPoint))
        #expect(quantiser.quantised(.infinity) == 255)
        #expect(quantiser.quantised(-.infinity) == 0)
        #expect(Quantiser(ValueRange(0, .infinity)).scale == 1)
        #expect(Quantiser(ValueRange(0, .leastNonzeroMagnitude)).scale == 1)
    }

    /// A convolution on integers by hand: the definition that the graph's chain of layers must equal.
    @Test("A quantised convolution is the integers' sum times both scales, plus the bias")
    func convolution() throws {
        let b = NetworkBuilder(name: "n", variant: "v")
        let x = try b.input("x", shape: [1, 2, 3, 3])
        try b.output("y", b.convolution("c", x, outputChannels: 2, bias: true))
        let network = b.build()
        var weights = Weights()
        weights["c.weight"] = Tensor(shape: [2, 2, 1, 1], floats: [0.5, -1.27, 12.7, 3])
        weights["c.bias"] = Tensor(shape: [2], floats: [0.125, -7])
        let range = ValueRange(-12.8, 12.7)
        let quantised = network.quantised(using: Quantisation(ranges: ["x": range]))
        let stored = try quantised.quantising(weights)
        #expect(stored["c.weight"]?.integers() == [50, -127, 127, 30])
        #expect(stored["c.weight_scale"]?.floats() == [1.27 / 127, 12.7 / 127])
        #expect(quantised.check(stored).isComplete)

        var generator = SeededGenerator(seed: 3)
        let input = generator.floats(18, in: -14...14)
        let result = try #require(ReferenceExecutor(network: quantised, weights: stored).run(["x": input])["y"])
        let kernel: [[Float]] = [[50, -127], [127, 30]]
        for o in 0..<2 {
            for i in 0..<9 {
                let levels = [input[i], input[9 + i]].map {
                    min(max(($0 / 0.1).rounded(.toNearestOrEven) + 128, 0), 255) - 128
                }
                let sum = levels[0] * kernel[o][0] + levels[1] * kernel[o][1]
                let expected = sum * (o == 0 ? 0.01 : 0.1) * 0.1 + (o == 0 ? 0.125 : -7)
                #expect(abs(result[o * 9 + i] - expected) < 1e-3)
            }
        }
    }

    /// The ranges of all values on one input: what calibration finds.
    static func ranges(_ network: Network, _ weights: Weights, _ inputs: [String: [Float]]) throws -> [String:
        ValueRange]
    {
        var values = inputs
        for (name, result) in try ReferenceExecutor(network: network.exposed, weights: weights).run(inputs) {
            values[name] = result
        }
        return values.mapValues { ValueRange($0.min() ?? 0, $0.max() ?? 0) }
    }

    @Test("Whole networks stay close to themselves, all parts of them in 8 bits")
    func networks() throws {
        let size = InputSize(width: 64, height: 64)
        for network in [try MLSD(.tiny).network(at: size), try RetinaFace(.relu).network(at: size)] {
            let weights = try network.folding(syntheticWeights(for: network, seed: 5))
            let folded = network.folded
            let normalisation = InputNormalisation(
                channelOrder: .rgb, mean: [127.5, 127.5, 127.5], scale: [1 / 127.5, 1 / 127.5, 1 / 127.5], fit: .stretch
            )
            let inputs = folded.randomInputs(seed: 1, normalisation)
            let ranges = try Self.ranges(folded, weights, inputs)
            let quantised = folded.quantised(using: Quantisation(ranges: ranges))
            let convolutions = folded.layers.count { if case .convolution = $0.operation { true } else { false } }
            #expect(
                quantised.layers.count { $0.parameters.last?.name.hasSuffix("weight_scale") == true } == convolutions)
            let plain = try ReferenceExecutor(network: folded, weights: weights).run(inputs)
            let result = try ReferenceExecutor(network: quantised, weights: quantised.quantising(weights)).run(inputs)
            #expect(result.keys.sorted() == plain.keys.sorted())
            for (name, values) in plain {
                let other = try #require(result[name])
                let mean = values.reduce(0, +) / Float(values.count)
                let signal = values.reduce(Float(0)) { $0 + ($1 - mean) * ($1 - mean) }
                let noise = zip(values, other).reduce(Float(0)) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
                #expect(noise < signal / 10, "\(network.name) \(name): \(noise) of \(signal)")
                #expect(noise > 0)
            }
        }
    }

    @Test("Blocks that stay in floating point, and values without ranges, are as they were")
    func assignment() throws {
        let network = try MLSD(.tiny).network(at: InputSize(width: 64, height: 64)).folded
        var ranges: [String: ValueRange] = ["image": ValueRange(-1, 1)]
        for layer in network.layers { ranges[layer.path] = ValueRange(-1, 1) }
        func int8(_ quantisation: Quantisation) -> [String] {
            network.quantised(using: quantisation).layers.filter { $0.parameters.contains { $0.storage == .int8 } }.map(
                \.path)
        }
        let all = int8(Quantisation(ranges: ranges))
        let head = Set(["block16.conv1.0", "block16.conv2.0", "block16.conv3"])
        #expect(int8(Quantisation(ranges: ranges, floatBlocks: ["block16"])) == all.filter { !head.contains($0) })
        // "block1" names no layer: components of paths are whole.
        #expect(int8(Quantisation(ranges: ranges, floatBlocks: ["block1"])) == all)
        #expect(
            int8(Quantisation(ranges: ranges, floatBlocks: ["block16.conv3"])) == all.filter { $0 != "block16.conv3" })
        #expect(network.quantised(using: Quantisation(ranges: [:])) == network)
        #expect(int8(Quantisation(ranges: ["image": ValueRange(-1, 1)])) == ["backbone.features.0.0"])
        #expect(int8(Quantisation(ranges: ["image": ValueRange(1, -1)])) == [])
        #expect(int8(Quantisation(ranges: ["image": ValueRange(-.infinity, 1)])) == [])
    }

    @Test("A value read by several layers is quantised once, outputs keep their floats")
    func shared() throws {
        let b = NetworkBuilder(name: "n", variant: "v")
        let x = try b.apply("r", .relu, b.input("x", shape: [1, 2, 4, 4]))
        let left = try b.convolution("a", x, outputChannels: 2)
        let right = try b.convolution("b", x, outputChannels: 2)
        try b.output("positive", x)
        try b.output("y", b.add("sum", left, right))
        let network = b.build()
        let quantised = network.quantised(using: Quantisation(ranges: ["r": ValueRange(0, 1)]))
        #expect(quantised.layers.map(\.path) == ["r", "r.quantised", "r.dequantised", "a", "b", "sum"])
        #expect(quantised.outputs == network.outputs)
        #expect(quantised.layers[3].inputs == quantised.layers[2].outputs)
        #expect(quantised.layers[4].inputs == quantised.layers[2].outputs)
    }

    @Test("Kernels of a pruned head, channels of zeros")
    func rows() throws {
        let b = NetworkBuilder(name: "n", variant: "v")
        let x = try b.input("x", shape: [1, 1, 2, 2])
        try b.output("y", b.convolution("c", x, outputChannels: 4, bias: true, rows: 1..<3))
        let network = b.build()
        var weights = Weights()
        weights["c.weight"] = Tensor(shape: [4, 1, 1, 1], floats: [9, 2, 0, 9])
        weights["c.bias"] = Tensor(shape: [4], floats: [0, 1, 5, 0])
        let quantised = network.quantised(using: Quantisation(ranges: ["x": ValueRange(0, 255)]))
        let result = try ReferenceExecutor(network: quantised, weights: quantised.quantising(weights))
            .run(["x": [0, 1, 2, 3]])
        #expect(result["y"] == [1, 3, 5, 7, 5, 5, 5, 5])
    }

    @Test("Weights that do not fit are refused by name")
    func misfits() throws {
        let network = try RetinaFace(.relu).network(at: InputSize(width: 32, height: 32))
        let folded = network.folded
        let quantised = folded.quantised(using: Quantisation(ranges: ["image": ValueRange(0, 255)]))
        var weights = try network.folding(syntheticWeights(for: network))
        #expect(!quantised.check(weights).isComplete)
        weights["body.stage1.0.0.weight"] = nil
        #expect {
            try quantised.quantising(weights)
        } throws: { error in
            "\(error)" == "body.stage1.0.0.weight: is missing or of another shape"
        }
    }

    @Test(
        "Blocks hold each convolution once, none more than a sixteenth of them",
        arguments: Architecture.all.map { [$0.network, $0.variant] })
    func blocks(name: [String]) throws {
        let architecture = try Architecture.find(name[0], name[1])
        let network = try architecture.build(at: architecture.sizes.nearest(to: InputSize(width: 256, height: 256))[0])
        let convolutions = network.layers.filter { if case .convolution = $0.operation { true } else { false } }.map(
            \.path)
        #expect(network.blocks.flatMap(\.convolutions).sorted() == convolutions.sorted())
        #expect(Set(network.blocks.map(\.name)).count == network.blocks.count)
        for block in network.blocks {
            #expect(block.convolutions.count <= max(1, convolutions.count / 16))
            #expect(block.convolutions.allSatisfy { $0 == block.name || $0.hasPrefix(block.name + ".") })
        }
    }
}
