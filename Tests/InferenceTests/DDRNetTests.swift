// SPDX-License-Identifier: Apache-2.0
import Inference
import Networks
import TestSupport
import Testing

/// DDRNet on the engine: the reference implementation's numbers for weights made by a formula, and any size.
@Suite("DDRNet on the engine")
struct DDRNetTests {
    struct Golden: Sendable, CustomTestStringConvertible {
        let variant: DDRNet.Variant
        let first: [Float]
        let last: [Float]
        let mean: Double
        let absoluteMean: Double
        let labels: [Int]
        var testDescription: String { variant.rawValue }
    }

    /// Outputs of the reference's own modules, float32.
    static let golden = [
        Golden(
            variant: .slim23, first: [0.00920885, 0.00472708, 0.00476553], last: [-0.0609222, -0.0571935, -0.0694273],
            mean: 0.00685753, absoluteMean: 0.104306, labels: [17, 17, 17, 17, 17, 17, 17, 17]),
        Golden(
            variant: .plain23, first: [0.117514, 0.806682, 0.555409], last: [-1.75168, -1.63439, -2.12286],
            mean: -0.0979924, absoluteMean: 0.668136, labels: [8, 0, 15, 17, 17, 15, 0, 17]),
        Golden(
            variant: .deep39, first: [-33268.7, -38069.4, 10866.0], last: [171618.0, 206314.0, 87821.8],
            mean: -65968, absoluteMean: 98329.2, labels: [18, 17, 14, 18, 17, 18, 18, 14]),
    ]

    /// `t_j = ((1103 j + 7919 i + 12345) mod 2003) / 1001.5 - 1` for element j of tensor i, scaled by the tensor's role.
    static func formulaWeights(for network: Network) -> Weights {
        let steps = (0..<2003).map { Float(Double($0) / 1001.5 - 1) }
        var weights = Weights()
        for (i, parameter) in network.parameters.enumerated() {
            let fanIn = Double(parameter.shape.dropFirst().reduce(1, *))
            // A table of all values there can be: tens of millions of weights are looked up, not computed.
            let table = steps.map { t in
                switch parameter.role {
                case .weight: t * Float((3 / fanIn).squareRoot())
                case .scale: 1 + 0.2 * t
                case .bias, .shift: 0.1 * t
                case .mean: 0.05 * t
                case .variance: 1 + 0.5 * abs(t)
                }
            }
            let count = parameter.shape.reduce(1, *)
            let numbers = [Float](unsafeUninitializedCapacity: count) { target, filled in
                table.withUnsafeBufferPointer { table in
                    var place = (7919 * i + 12345) % 2003
                    var j = 0
                    while j < count {
                        target[j] = table[place]
                        place = place &+ 1103 &- (place >= 900 ? 2003 : 0)
                        j &+= 1
                    }
                }
                filled = count
            }
            weights[parameter.name] = Tensor(shape: parameter.shape, floats: numbers)
        }
        return weights
    }

    static func request(_ variant: DDRNet.Variant, _ size: InputSize, _ weights: Weights) throws -> InferRequest {
        let network = try Architecture.find("ddrnet", variant.rawValue).build(at: size, for: weights)
        // Folding is for the slim one: in a build for debugging it takes a minute for the others' weights.
        let onnx = try variant == .slim23 ? network.onnx(weights: weights) : network.onnxAsIs(weights: weights)
        return try OpenVINOEngine.shared()
            .compile(
                ModelSource(name: "ddrnet \(variant.rawValue) \(size)", onnx: onnx),
                options: TestModels.options(cores: 2)
            ).makeRequest()
    }

    @Test("The engine gives the reference's numbers", arguments: golden)
    func numbers(expected: Golden) throws {
        let size = InputSize(width: 256, height: 128)
        let network = try DDRNet(expected.variant).network(at: size)
        let request = try Self.request(expected.variant, size, Self.formulaWeights(for: network))
        let input = request.inputs[0].floats
        for c in 0..<3 {
            for y in 0..<128 {
                for x in 0..<256 {
                    input[(c * 128 + y) * 256 + x] = Float((3 * y + 5 * x + 7 * c) % 256) / 127.5 - 1
                }
            }
        }
        try request.run()

        let logits = request.outputs[0].floats
        #expect(request.outputs[0].info.shape == [1, 19, 16, 32])
        let tolerance = expected.absoluteMean * 1e-3
        for (index, value) in expected.first.enumerated() {
            #expect(abs(Double(logits[index] - value)) < tolerance, "\(logits[index]) against \(value)")
        }
        for (index, value) in expected.last.enumerated() {
            let found = logits[19 * 16 * 32 - 3 + index]
            #expect(abs(Double(found - value)) < tolerance, "\(found) against \(value)")
        }
        let count = Double(logits.count)
        #expect(abs(logits.reduce(0) { $0 + Double($1) } / count - expected.mean) < tolerance)
        #expect(abs(logits.reduce(0) { $0 + Double(abs($1)) } / count - expected.absoluteMean) < tolerance)
        let labels = (0..<8).map { x in (0..<19).max { logits[$0 * 512 + x] < logits[$1 * 512 + x] } }
        #expect(labels == expected.labels)
    }

    /// 11 classes, the normalisations in the convolutions already: done once, the same for every size.
    static let folded = Result {
        let network = try DDRNet(.slim23, classes: 11).network(at: InputSize(width: 64, height: 64))
        return try network.folding(formulaWeights(for: network))
    }

    @Test("Engine and plain loops agree at any size", arguments: [(48, 24), (8, 8), (40, 24), (24, 40), (16, 56)])
    func parity(width: Int, height: Int) throws {
        let size = InputSize(width: width, height: height)
        let network = try DDRNet(.slim23, classes: 11).network(at: size).folded
        let weights = try Self.folded.get()
        let request = try OpenVINOEngine.shared()
            .compile(
                ModelSource(name: "ddrnet \(size)", onnx: network.onnxAsIs(weights: weights)),
                options: TestModels.options()
            ).makeRequest()
        var random = SeededGenerator(seed: 9)
        let image = (0..<3 * width * height).map { _ in Float.random(in: -2...2, using: &random) }
        for (index, value) in image.enumerated() { request.inputs[0].floats[index] = value }
        try request.run()
        let plain = try #require(
            ReferenceExecutor(network: network, weights: weights).run(["image": image])["logits"])
        let largest = plain.map(abs).max() ?? 0
        #expect(largest > 0)
        #expect(plain.count == request.outputs[0].floats.count)
        for (a, b) in zip(plain, request.outputs[0].floats) { #expect(abs(a - b) <= 1e-4 * largest) }
    }
}
