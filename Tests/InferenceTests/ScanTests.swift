// SPDX-License-Identifier: Apache-2.0
import Foundation
import Networks
import TestSupport
import Testing

@testable import Inference

/// The recurrence of state-space blocks on the engine itself: one form of it is silently wrong there.
@Suite struct ScanTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let shape: [Int]
        let axis: Int
        var testDescription: String { "\(shape) axis \(axis)" }
    }

    /// Rows and columns of 80x45 and 160x90 cells, short ones, one step.
    @Test(arguments: [
        Case(shape: [1, 45, 80, 16], axis: 1), Case(shape: [1, 45, 80, 16], axis: 2),
        Case(shape: [1, 6, 160, 8], axis: 2), Case(shape: [1, 160, 5, 8], axis: 1), Case(shape: [1, 2, 3, 4], axis: 2),
        Case(shape: [1, 1, 7, 4], axis: 1),
    ])
    func `scans of both directions equal the recurrence in double precision`(scan: Case) throws {
        let b = NetworkBuilder(name: "scan", variant: "test")
        let a = try b.input("a", shape: scan.shape)
        let drive = try b.input("b", shape: scan.shape)
        try b.output("h", b.apply("scan", .bidirectionalScan(axis: scan.axis), a, drive))
        let model = try OpenVINOEngine.shared().compile(
            ModelSource(name: "scan", onnx: b.build().onnx(weights: Weights())), options: TestModels.options())
        let request = try model.makeRequest()
        var random = SeededGenerator(seed: 5)
        // Time steps from nothing up to 5, where the state is forgotten at once.
        for i in request.inputs[0].floats.indices {
            request.inputs[0].floats[i] = Float(exp(-Double.random(in: 0...5, using: &random)))
            request.inputs[1].floats[i] = Float.random(in: -2...2, using: &random)
        }
        try request.run()
        let expected = Self.recurrence(Array(request.inputs[0].floats), Array(request.inputs[1].floats), scan)
        let top = expected.map(abs).max() ?? 1
        let error = zip(request.outputs[0].floats, expected).map { abs(Double($0) - $1) }.max() ?? .infinity
        #expect(error / top <= 1e-5)
    }

    private static func recurrence(_ a: [Float], _ b: [Float], _ scan: Case) -> [Double] {
        let inner = scan.shape[(scan.axis + 1)...].reduce(1, *)
        let length = scan.shape[scan.axis]
        var result = [Double](repeating: 0, count: a.count)
        for lane in 0..<a.count / length {
            let start = lane / inner * length * inner + lane % inner
            for order in [Array(0..<length), Array((0..<length).reversed())] {
                var state = 0.0
                for step in order {
                    let i = start + step * inner
                    state = Double(a[i]) * state + Double(b[i])
                    result[i] += state
                }
            }
        }
        return result
    }
}

/// DWTA-Net on the engine against the PyTorch module of our training, with the same formula-made weights and inputs.
@Suite struct DWTANetGoldenTests {
    struct Golden: Sendable {
        let variant: DWTANet.Variant
        let stage: DWTANet.Stage
        let outputs: [Output]
    }

    struct Output: Sendable {
        let name: String
        let mix: Double
        let sum: Double
        let samples: [Float]
    }

    static let golden = [
        Golden(
            variant: .tiny, stage: .enhance,
            outputs: [
                Output(
                    name: "estimate", mix: 847.07704, sum: 4062.4796, samples: [0.45774, -0.20376, -0.13329, 0.38295]),
                Output(name: "features", mix: 0.34868, sum: 107.2037, samples: [0.00215, 0, 0.14334, 0]),
            ]),
        Golden(
            variant: .tiny, stage: .refine,
            outputs: [Output(name: "refined", mix: -24.97558, sum: 3457.2969, samples: [1, 0, 1, 0])]),
        Golden(
            variant: .small, stage: .enhance,
            outputs: [
                Output(
                    name: "estimate", mix: 847.66775, sum: 3676.1251, samples: [0.22729, 0.05391, -0.12281, 0.31905]),
                Output(name: "features", mix: 0.32307, sum: 137.6722, samples: [0.00215, 0, 0, 0.14534]),
            ]),
        Golden(
            variant: .small, stage: .refine,
            outputs: [
                Output(name: "refined", mix: -889.17247, sum: 3448.8463, samples: [0.08412, 0.61791, 0.51858, 0.92683])
            ]),
        Golden(
            variant: .medium, stage: .both,
            outputs: [
                Output(
                    name: "estimate", mix: 846.68516, sum: 3561.7965, samples: [0.20813, -0.09237, -0.08532, 0.25948]),
                Output(name: "features", mix: 0.29091, sum: 203.0572, samples: [0.00215, 0, 0, 0.00761]),
                Output(name: "refined", mix: -400.63134, sum: 3270.0317, samples: [0, 1, 1, 0.30911]),
            ]),
    ]

    static let images = ["frame", "features1", "features2", "current", "blend", "omega"]

    @Test(arguments: golden)
    func `the engine computes what PyTorch does`(golden: Golden) throws {
        let size = InputSize(width: 64, height: 36)
        // The formula numbers the tensors of the whole network, so that stages share them with it.
        let weights = Self.weights(for: try DWTANet(golden.variant).network(at: size))
        let network = try DWTANet(golden.variant, stage: golden.stage).network(at: size)
        let model = try OpenVINOEngine.shared().compile(
            ModelSource(name: "dwtanet", onnx: network.onnx(weights: weights)), options: TestModels.options())
        let request = try model.makeRequest()
        for input in request.inputs {
            let k = try #require(Self.images.firstIndex(of: input.info.name)) + 1000
            for i in input.floats.indices { input.floats[i] = Float(0.5 + 0.5 * Self.wave(i, k)) }
        }
        try request.run()
        for output in golden.outputs {
            let values = try #require(request.outputs.first { $0.info.name == output.name }).floats
            let mix = values.indices.reduce(0) { $0 + Double(values[$1]) * Self.wave($1, 2000) }
            #expect(abs(mix - output.mix) < 0.01, "\(output.name)")
            #expect(abs(values.reduce(0) { $0 + Double(abs($1)) } - output.sum) < 0.01, "\(output.name)")
            let places = [0, 101, values.count / 2, values.count - 1]
            for (place, sample) in zip(places, output.samples) {
                #expect(abs(values[place] - sample) < 1e-4, "\(output.name)[\(place)]")
            }
        }
    }

    private static func wave(_ i: Int, _ k: Int) -> Double { sin(1 + 12.9898 * Double(i + 1) + 78.233 * Double(k + 1)) }

    private static func weights(for network: Network) -> Weights {
        var weights = Weights()
        for (k, parameter) in network.parameters.sorted(by: { $0.name < $1.name }).enumerated() {
            let fan = Double(parameter.shape.dropFirst().reduce(1, *))
            let values = (0..<parameter.shape.reduce(1, *)).map { i -> Float in
                let wave = wave(i, k)
                if parameter.name.hasSuffix("dt.bias") { return Float(-1 + 2 * wave) }
                if parameter.shape.count > 1 { return Float(wave * (3 / fan).squareRoot()) }
                return Float(parameter.role == .scale ? 1 + 0.3 * wave : 0.1 * wave)
            }
            weights[parameter.name] = Tensor(shape: parameter.shape, floats: values)
        }
        return weights
    }
}
