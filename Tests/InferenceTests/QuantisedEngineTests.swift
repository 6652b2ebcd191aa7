// SPDX-License-Identifier: Apache-2.0
import Inference
import Networks
import TestSupport
import Testing

/// Quantised networks on the engine, against the plain loops that define them.
@Suite("Quantised networks on the engine")
struct QuantisedEngineTests {
    private func outputs(
        _ network: Network, _ weights: Weights, _ inputs: [String: [Float]], _ precision: Precision
    ) throws -> [String: [Float]] {
        try EngineRunner(OpenVINOEngine.shared(), precision: precision).run(network, weights: weights, inputs: inputs)
    }

    /// 8-bit sums are exact on both sides; what differs is where a number lies between two levels, by one level.
    @Test("Every layer is what the plain loops say, but for single levels")
    func layers() throws {
        let b = NetworkBuilder(name: "n", variant: "v")
        var x = try b.input("x", shape: [1, 6, 17, 15])
        x = try b.convolutionBlock("a", x, outputChannels: 16, kernel: 3, stride: 2, .relu)
        let skip = x
        x = try b.convolutionBlock("b", x, outputChannels: 16, kernel: 3, groups: 16, .relu6)
        x = try b.convolutionBlock("c", x, outputChannels: 16, .none)
        x = try b.add("sum", x, skip)
        x = try b.concat(
            "join",
            [
                x,
                b.resize(
                    "up", b.apply("down", .maxPool(Pooling(kernel: 2, stride: 2)), skip), .bilinear, height: x.height,
                    width: x.width),
            ])
        x = try b.convolution("d", x, outputChannels: 8, kernel: 3, dilation: 2, bias: true, rows: 2..<7)
        try b.output("y", x)
        let network = b.build()
        let weights = try network.folding(TestModels.randomWeights(for: network, seed: 4))
        let folded = network.folded
        var random = SeededGenerator(seed: 9)
        let inputs = ["x": (0..<6 * 17 * 15).map { _ in Float.random(in: -1...1, using: &random) }]
        var ranges = ["x": ValueRange(-1, 1)]
        for (name, values) in try PlainRunner().run(folded.exposed, weights: weights, inputs: inputs) {
            ranges[name == "y" ? "d" : name] = ValueRange(values.min() ?? 0, values.max() ?? 0)
        }
        let quantised = folded.quantised(using: Quantisation(ranges: ranges))
        let stored = try quantised.quantising(weights)
        #expect(quantised.layers.count { $0.parameters.contains { $0.storage == .int8 } } == 4)
        let plain = try #require(PlainRunner().run(quantised, weights: stored, inputs: inputs)["y"])
        let engine = try #require(outputs(quantised, stored, inputs, .int8)["y"])
        let float = try #require(PlainRunner().run(folded, weights: weights, inputs: inputs)["y"])
        func error(_ a: [Float], _ b: [Float]) -> Float {
            zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        }
        // Far nearer to each other than either is to floating point: the engine really computes in 8 bits.
        #expect(error(engine, plain) < error(plain, float) / 4)
        #expect(error(engine, float) > error(plain, float) / 4)
        #expect(error(plain, float) < float.reduce(0) { $0 + $1 * $1 } / 100)
    }

    @Test("A quantised model is reported as int8, whatever was asked for", arguments: Precision.allCases)
    func settings(precision: Precision) throws {
        let b = NetworkBuilder(name: "n", variant: "v")
        try b.output("y", b.convolution("a", b.input("x", shape: [1, 3, 8, 8]), outputChannels: 4, bias: true))
        let network = b.build().quantised(using: Quantisation(ranges: ["x": ValueRange(0, 1)]))
        let weights = try network.quantising(TestModels.randomWeights(for: b.build(), seed: 1))
        let engine = try OpenVINOEngine.shared()
        let model = try engine.compile(
            ModelSource(name: "q", onnx: network.onnxAsIs(weights: weights)),
            options: TestModels.options(precision: precision))
        #expect(model.settings.precision == .int8)
        let isMixed = precision == .bf16 && engine.capabilities.contains("BF16")
        #expect(model.settings.summary.hasPrefix(isMixed ? "int8 and bf16, " : "int8, "))
    }

    @Test("Ranges are the means of each input's least and largest numbers, under the layers' names")
    func ranges() throws {
        let architecture = try Architecture.find("mlsd", "tiny")
        let network = try architecture.build(at: InputSize(width: 32, height: 32))
        let weights = TestModels.randomWeights(for: network, seed: 2)
        let observer = try RangeObserver(
            network, weights: weights, engine: OpenVINOEngine.shared(), compile: TestModels.options())
        let (folded, numbers) = try network.foldedModel(weights)
        var expected: [String: (low: Float, high: Float)] = [:]
        for seed in 1...2 as ClosedRange<UInt64> {
            let inputs = folded.randomInputs(seed: seed, architecture.normalisation)
            try observer.observe { _ = $0.update(fromContentsOf: inputs["image"] ?? []) }
            var values = try PlainRunner().run(folded.convolutionInputs, weights: numbers, inputs: inputs)
            values["image"] = inputs["image"]
            for (name, numbers) in values {
                expected[name, default: (0, 0)].low += (numbers.min() ?? 0) / 2
                expected[name, default: (0, 0)].high += (numbers.max() ?? 0) / 2
            }
        }
        #expect(observer.count == 2)
        let found = observer.ranges
        #expect(found.keys.sorted() == expected.keys.sorted())
        for (name, range) in expected {
            let tolerance = 1e-3 * max(abs(range.low), abs(range.high), 1)
            #expect(abs((found[name]?.low ?? .infinity) - range.low) < tolerance, "\(name)")
            #expect(abs((found[name]?.high ?? .infinity) - range.high) < tolerance, "\(name)")
        }
        // Every convolution has what it needs.
        let quantised = folded.quantised(using: Quantisation(ranges: found))
        let convolutions = folded.layers.count { if case .convolution = $0.operation { true } else { false } }
        #expect(quantised.layers.count { $0.parameters.contains { $0.storage == .int8 } } == convolutions)
    }
}
