// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing

@testable import Inference

@Suite(.timeLimit(.minutes(15))) struct OpenVINOEngineTests {
    static let weights = [Float].random(4 * 3 * 9, in: -1...1, seed: 1)
    static let bias = [Float].random(4, in: -1...1, seed: 2)
    static let source = ModelSource(
        name: "tiny",
        onnx: TinyONNX.convolution(input: [1, 3, 11, 17], channelsOut: 4, weights: weights, bias: bias))
    static let options = CompileOptions(.single, cores: 1, precision: .f32, cache: .off)

    @Test func `describes inputs, outputs and the settings in force`() throws {
        let model = try OpenVINOEngine.shared().compile(Self.source, options: Self.options)
        #expect(model.inputs == [TensorInfo(name: "x", shape: [1, 3, 11, 17], element: .f32)])
        #expect(model.outputs == [TensorInfo(name: "y", shape: [1, 4, 11, 17], element: .f32)])
        #expect(model.settings.precision == .f32)
        #expect(model.settings.engineFloat == "f32")
        #expect(model.settings.streams == 1)
        #expect(model.settings.threads == 1)
        #expect(!model.preparation.fromCache)
        #expect(model.preparation.cacheProblem == nil)
    }

    @Test func `computes what a plain convolution computes, again and again in the same memory`() throws {
        let model = try OpenVINOEngine.shared().compile(Self.source, options: Self.options)
        let request = try model.makeRequest()
        for seed in 10..<15 as Range<UInt64> {
            let x = [Float].random(3 * 11 * 17, in: -1...1, seed: seed)
            _ = request.inputs[0].floats.update(from: x)
            try request.run()
            let expected = plainConvolution(
                x, channelsIn: 3, height: 11, width: 17, weights: Self.weights, bias: Self.bias)
            let worst = zip(request.outputs[0].floats, expected).map { abs($0 - $1) }.max() ?? .infinity
            #expect(worst < 1e-5)
        }
    }

    @Test func `equal content and options share one model, others do not`() throws {
        let engine = try OpenVINOEngine.shared()
        let model = try engine.compile(Self.source, options: Self.options)
        let renamed = ModelSource(name: "other name", onnx: Self.source.bytes)
        #expect(try engine.compile(renamed, options: Self.options) === model)
        var wide = Self.options
        wide.goal = .throughput
        wide.cores = 2
        let other = try engine.compile(Self.source, options: wide)
        #expect(other !== model)
        #expect(other.settings.streams == 2)
    }

    @Test func `a model nobody holds is let go`() throws {
        let engine = try OpenVINOEngine.shared()
        var bias = Self.bias
        bias[0] = 42
        let source = ModelSource(
            name: "short-lived",
            onnx: TinyONNX.convolution(input: [1, 3, 5, 5], channelsOut: 4, weights: Self.weights, bias: bias))
        weak var model: CompiledModel?
        do {
            let held = try engine.compile(source, options: Self.options)
            model = held
            #expect(model != nil && engine.remembers(source.hash))
        }
        #expect(model == nil)
        // The next model to be compiled clears away what is left of it.
        _ = try engine.compile(Self.source, options: Self.options)
        #expect(!engine.remembers(source.hash))
    }

    /// Content by name, so that a test run's log does not list every byte.
    static let unreadable: [String: [UInt8]] = [
        "nothing": [],
        "text": Array("not a model".utf8),
        "zeros": [UInt8](repeating: 0, count: 5000),
        "half a model": Array(source.bytes.prefix(source.bytes.count / 2)),
        "noise": [Float].random(1000, in: -1...1, seed: 3).map { UInt8(truncatingIfNeeded: Int($0 * 1000)) },
    ]

    @Test(arguments: unreadable.keys.sorted()) func `bytes that are no model are an error`(name: String) throws {
        let bytes = try #require(Self.unreadable[name])
        let engine = try OpenVINOEngine.shared()
        let error = #expect(throws: InferenceError.self) {
            try engine.compile(ModelSource(name: name, onnx: bytes), options: Self.options)
        }
        #expect(error?.code == .invalidModel)
        #expect(error?.description.contains(name) == true)
    }

    @Test func `mutated models are errors or models, never a crash`() throws {
        let engine = try OpenVINOEngine.shared()
        var generator = SeededGenerator(seed: 7)
        var refused = 0
        for _ in 0..<60 {
            var bytes = Self.source.bytes
            for _ in 0..<3 {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            do {
                _ = try engine.compile(ModelSource(name: "mutated", onnx: bytes), options: Self.options)
            } catch {
                refused += 1
            }
        }
        #expect(refused > 0)
    }

    @Test func `a model without a fixed shape is refused by name`() throws {
        let bytes = TinyONNX.convolution(
            input: [1, 3, nil, nil], channelsOut: 4, weights: Self.weights, bias: Self.bias)
        let error = #expect(throws: InferenceError.self) {
            try OpenVINOEngine.shared().compile(ModelSource(name: "dynamic", onnx: bytes), options: Self.options)
        }
        #expect(error?.code == .unsupportedModel)
        #expect(error?.description.contains("x: has a dynamic shape") == true)
    }

    @Test func `bf16 is granted where the processor has it and never claimed where not`() throws {
        let engine = try OpenVINOEngine.shared()
        var options = Self.options
        options.precision = .bf16
        let settings = try engine.compile(Self.source, options: options).settings
        #expect(settings.precision == (engine.capabilities.contains("BF16") ? .bf16 : .f32))
        #expect(settings.engineFloat == settings.precision.rawValue)
    }

    @Test func `the engine tells its version and what it can do`() throws {
        let engine = try OpenVINOEngine.shared()
        #expect(engine.version.hasPrefix("2026."))
        #expect(engine.capabilities.contains("FP32"))
        #expect(engine.libraryPath.contains("libopenvino_c.so"))
        #expect(try OpenVINOEngine.shared() === engine)
    }
}
