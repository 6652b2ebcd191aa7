// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Inference

@Suite("Models of open size")
struct OpenSizeTests {
    private let open = TinyONNX.convolution(
        input: [nil, 3, nil, nil], channelsOut: 2, weights: [Float](repeating: 0.5, count: 54), bias: [1, 2])

    @Test("Inputs are described before compiling, open sizes as such")
    func inputs() throws {
        let found = try ONNXHeader(open).inputs
        #expect(found == [ModelInput(name: "x", shape: [nil, 3, nil, nil], element: .f32)])
        #expect(found.first?.description == "x f32[?,3,?,?]")
        #expect(throws: InferenceError.self) { try ONNXHeader(Array("no".utf8)) }
    }

    @Test("An open size is refused until it is set; different sizes are different models")
    func reshape() throws {
        let engine = try OpenVINOEngine.shared()
        let options = TestModels.options()
        let refused = #expect(throws: InferenceError.self) {
            try engine.compile(ModelSource(name: "open", onnx: open), options: options)
        }
        #expect(refused?.detail.contains("dynamic shape") == true)
        for (height, width) in [(4, 6), (8, 2)] {
            let source = ModelSource(name: "open", onnx: open, inputShapes: ["x": [1, 3, height, width]])
            let model = try engine.compile(source, options: options)
            #expect(model.outputs.map(\.shape) == [[1, 2, height, width]])
            let request = try model.makeRequest()
            let x = [Float].random(3 * height * width, in: -1...1, seed: 3)
            _ = request.inputs[0].floats.update(fromContentsOf: x)
            try request.run()
            let plain = plainConvolution(
                x, channelsIn: 3, height: height, width: width, weights: [Float](repeating: 0.5, count: 54),
                bias: [1, 2])
            #expect(zip(request.outputs[0].numbers(), plain).allSatisfy { abs($0 - $1) < 1e-5 })
        }
        let wrong = ModelSource(name: "open", onnx: open, inputShapes: ["x": [1, 4, 8, 8]])
        #expect(throws: InferenceError.self) { try engine.compile(wrong, options: options) }
        let unknown = ModelSource(name: "open", onnx: open, inputShapes: ["z": [1, 3, 8, 8]])
        let error = #expect(throws: InferenceError.self) { try engine.compile(unknown, options: options) }
        #expect(error?.operation.contains("z of open") == true)
        #expect(
            ModelSource(name: "a", onnx: open).hash
                != ModelSource(name: "a", onnx: open, inputShapes: ["x": [1, 3, 4, 4]]).hash)
    }
}
