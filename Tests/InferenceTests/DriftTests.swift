// SPDX-License-Identifier: Apache-2.0
import Inference
import Networks
import Testing

@Suite("Layer drift")
struct DriftTests {
    /// A runner that gets one tensor wrong.
    struct Wrong: NetworkRunner {
        let name = "wrong"
        let tensor: String
        let factor: Float

        func run(_ network: Network, weights: Weights, inputs: [String: [Float]]) throws -> [String: [Float]] {
            var changed = weights
            let right = try #require(weights[tensor])
            changed[tensor] = Tensor(shape: right.shape, floats: try #require(right.floats()).map { $0 * factor })
            return try PlainRunner().run(network, weights: changed, inputs: inputs)
        }
    }

    /// The smallest network of each architecture that plain loops get through in a debug build; `vpipe models verify`
    /// and `Benchmarks/crosscheck` have no such limit.
    private static let light: [Int] = Architecture.all.indices.filter { index in
        let network = try? Self.smallest(Architecture.all[index])
        return network.map { $0.parameterCount < 4_000_000 && $0.multiplyAccumulates < 60_000_000 } ?? true
    }

    private static func smallest(_ architecture: Architecture) throws -> Network {
        try architecture.build(at: architecture.sizes.nearest(to: InputSize(width: 32, height: 32))[0])
    }

    @Test("Plain loops and the engine agree layer by layer, in every light architecture", arguments: light)
    func everyArchitecture(index: Int) throws {
        let architecture = Architecture.all[index]
        let network = try Self.smallest(architecture)
        let report = try DriftReport(
            network, weights: TestModels.randomWeights(for: network, seed: 5),
            inputs: network.randomInputs(seed: 1, architecture.normalisation), reference: PlainRunner(),
            candidate: EngineRunner(OpenVINOEngine.shared(), precision: .f32), tolerance: 1e-3)
        #expect(report.entries.map(\.layer).count == network.folded.layers.reduce(0) { $0 + $1.outputs.count })
        #expect(report.outputs.count == network.outputs.count)
        #expect(report.first == nil, "\(report.first.map { "\($0)" } ?? "")")
        #expect(report.entries.allSatisfy { $0.scale > 0 })
    }

    @Test(
        "The first layer that drifts is the one that was got wrong",
        arguments: ["backbone.features.4.conv.2", "block16.conv3"])
    func planted(layer: String) throws {
        let architecture = try Architecture.find("mlsd", "tiny")
        let network = try architecture.build(at: InputSize(width: 32, height: 32))
        let weights = TestModels.randomWeights(for: network, seed: 9)
        let inputs = network.randomInputs(seed: 2, architecture.normalisation)
        let report = try DriftReport(
            network, weights: weights, inputs: inputs, reference: PlainRunner(),
            candidate: Wrong(tensor: layer + ".weight", factor: 1.01), tolerance: 1e-3)
        #expect(report.first?.layer == layer)
        #expect(report.entries.prefix { $0.layer != layer }.allSatisfy { $0.difference == 0 })
        let same = try DriftReport(
            network, weights: weights, inputs: inputs, reference: PlainRunner(),
            candidate: Wrong(tensor: layer + ".weight", factor: 1), tolerance: 0)
        #expect(same.first == nil && same.worst?.relative == 0)
    }

    @Test("bf16 drifts where the processor has it, and is refused where it falls back")
    func precisions() throws {
        let engine = try OpenVINOEngine.shared()
        let architecture = try Architecture.find("mlsd", "tiny")
        let network = try architecture.build(at: InputSize(width: 32, height: 32))
        func report(_ tolerance: Float) throws -> DriftReport {
            try DriftReport(
                network, weights: TestModels.randomWeights(for: network, seed: 5),
                inputs: network.randomInputs(seed: 1, architecture.normalisation),
                reference: EngineRunner(engine, precision: .f32), candidate: EngineRunner(engine, precision: .bf16),
                tolerance: tolerance)
        }
        if engine.capabilities.contains("BF16") {
            #expect(try report(1e-6).first != nil)
            #expect(try report(0.5).first == nil)
        } else {
            let error = #expect(throws: InferenceError.self) { try report(1) }
            #expect(error?.detail.contains("has no bf16") == true)
        }
    }
}
