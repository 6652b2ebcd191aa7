// SPDX-License-Identifier: Apache-2.0
import Inference
import Networks
import Testing

/// The face networks on the engine: golden values of the reference on made-up weights, and the plain executor.
@Suite("Face networks")
struct FaceNetworkTests {
    // MARK: - Golden values

    /// The numbers that the reference's values were made with: `t_j` of tensor `i`, which repeat after 2003.
    private static func numbers(tensor: Int, count: Int, scale: Double) -> [Float] {
        let period = (0..<2003).map { j in
            Float(Double((1103 * j + 7919 * tensor + 12345) % 2003) / 1001.5 - 1) * Float(scale)
        }
        var numbers: [Float] = []
        numbers.reserveCapacity(count + period.count)
        while numbers.count < count { numbers += period }
        numbers.removeLast(numbers.count - count)
        return numbers
    }

    /// Batch norms change nothing: the reference has none.
    private static func goldenWeights(_ network: Network) -> Weights {
        var weights = Weights()
        var index = -1
        for parameter in network.parameters {
            let count = parameter.shape.reduce(1, *)
            let values: [Float]
            switch parameter.role {
            case .weight:
                index += 1
                let fanIn = Double(parameter.shape.dropFirst().reduce(1, *))
                values = numbers(tensor: 2 * index, count: count, scale: (3 / fanIn).squareRoot())
            case .bias: values = numbers(tensor: 2 * index + 1, count: count, scale: 0.1)
            case .scale, .variance: values = [Float](repeating: 1, count: count)
            case .shift, .mean: values = [Float](repeating: 0, count: count)
            }
            weights[parameter.name] = Tensor(shape: parameter.shape, floats: values)
        }
        return weights
    }

    struct Golden: Sendable {
        let rows: Int
        let columns: Int
        let score: [Float]
        let box: [Float]
        let scoreMean: Double
        let boxMean: Double
        let boxMagnitude: Double
    }

    private static let golden = [
        Golden(
            rows: 13, columns: 17, score: [-0.0403049, -0.138411, -0.0394187, -0.136713],
            box: [-0.0937257, -0.204439, -0.077432, -0.159261], scoreMean: -0.0955952, boxMean: -0.117197,
            boxMagnitude: 0.117197),
        Golden(
            rows: 7, columns: 9, score: [-0.302114, -0.38955, -0.317504, -0.389794],
            box: [-0.390436, -0.162463, -0.328589, -0.29082], scoreMean: -0.315491, boxMean: -0.118384,
            boxMagnitude: 0.202259),
        Golden(
            rows: 4, columns: 5, score: [-0.232834, -0.211745, -0.33764, -0.265016],
            box: [-0.385585, -0.302636, -0.376799, -0.241342], scoreMean: -0.265346, boxMean: -0.172906,
            boxMagnitude: 0.230381),
    ]

    /// Odd maps on purpose: pooling rounds up, the enlarged map is cut off.
    @Test("SSH gives the reference's numbers")
    func ssh() throws {
        let (width, height) = (132, 100)
        let network = try SSH(.vgg16).network(at: InputSize(width: width, height: height))
        let onnx = try network.onnx(weights: Self.goldenWeights(network))
        let model = try OpenVINOEngine.shared()
            .compile(ModelSource(name: "ssh", onnx: onnx), options: TestModels.options(cores: 2))
        let request = try model.makeRequest()
        let input = request.inputs[0].floats
        for (channel, mean) in SSH.normalisation.mean.enumerated() {
            for y in 0..<height {
                for x in 0..<width {
                    input[(channel * height + y) * width + x] = Float((3 * y + 5 * x + 7 * channel) % 256) - mean
                }
            }
        }
        try request.run()
        for (index, golden) in Self.golden.enumerated() {
            let score = try #require(request.outputs.first { $0.info.name == "m\(index + 1).score" })
            let box = try #require(request.outputs.first { $0.info.name == "m\(index + 1).box" })
            let area = golden.rows * golden.columns
            #expect(score.info.shape == [1, 4, golden.rows, golden.columns])
            #expect(box.info.shape == [1, 8, golden.rows, golden.columns])
            for channel in 0..<4 {
                #expect(abs(score.floats[channel * area] - golden.score[channel]) < 2e-5)
                #expect(abs(box.floats[channel * area + area - 1] - golden.box[channel]) < 2e-5)
            }
            func mean(_ tensor: TensorBuffer, _ change: (Double) -> Double) -> Double {
                tensor.floats.reduce(0) { $0 + change(Double($1)) } / Double(tensor.floats.count)
            }
            #expect(abs(mean(score) { $0 } - golden.scoreMean) < 1e-5)
            #expect(abs(mean(score, abs) - -golden.scoreMean) < 1e-5)
            #expect(abs(mean(box) { $0 } - golden.boxMean) < 1e-5)
            #expect(abs(mean(box, abs) - golden.boxMagnitude) < 1e-5)
        }
    }

    // MARK: - The plain executor

    @Test(
        "The engine computes what plain loops compute",
        arguments: [
            ("ssh", "mobilenet0.25", 43, 33), ("retinaface", "mobilenet0.5", 41, 32),
            ("retinaface", "resnet50", 32, 33),
        ])
    func parity(name: String, variant: String, width: Int, height: Int) throws {
        let network = try Architecture.find(name, variant).build(at: InputSize(width: width, height: height))
        let weights = Self.goldenWeights(network)
        let onnx = try network.onnx(weights: weights)
        let model = try OpenVINOEngine.shared()
            .compile(ModelSource(name: variant, onnx: onnx), options: TestModels.options(cores: 2))
        let request = try model.makeRequest()
        TestModels.fill(request, seed: 4)
        try request.run()
        let plain = try ReferenceExecutor(network: network.folded, weights: network.folding(weights))
            .run(["image": Array(request.inputs[0].floats)])
        for output in request.outputs {
            let expected = try #require(plain[output.info.name])
            #expect(expected.count == output.floats.count)
            let largest = expected.map(abs).max() ?? 0
            let difference = zip(expected, output.floats).map { abs($0 - $1) }.max() ?? .infinity
            #expect(difference <= 1e-3 * largest, "\(output.info.name): \(difference) of \(largest)")
        }
    }

    @Test(
        "The light networks run at any size", arguments: ["ssh", "retinaface"],
        [(64, 48), (33, 65), (47, 95), (161, 33), (100, 100)])
    func sizes(name: String, size: (width: Int, height: Int)) throws {
        let built = try Architecture.find(name, "mobilenet0.25")
            .build(at: InputSize(width: size.width, height: size.height))
        let onnx = try built.onnx(weights: built.initialWeights(seed: 1))
        let model = try OpenVINOEngine.shared()
            .compile(ModelSource(name: name, onnx: onnx), options: TestModels.options(cores: 2))
        let request = try model.makeRequest()
        TestModels.fill(request, seed: 4)
        try request.run()
        #expect(request.outputs.map(\.info.shape) == built.outputs.map(\.shape))
        #expect(request.outputs.allSatisfy { $0.floats.allSatisfy(\.isFinite) })
    }
}
