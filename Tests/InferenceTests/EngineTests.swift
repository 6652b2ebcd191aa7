// SPDX-License-Identifier: Apache-2.0
import Foundation
import Networks
import Testing

@testable import Inference

@Suite("OpenVINO engine")
struct EngineTests {
    let engine: OpenVINOEngine

    init() throws { engine = try OpenVINOEngine.shared() }

    @Test("The engine says what it is and what the processor can do")
    func identity() throws {
        #expect(engine.name == "OpenVINO")
        #expect(engine.version.hasPrefix("2026."))
        #expect(engine.capabilities.contains("FP32"))
        #expect(!engine.processor.isEmpty)
        #expect(try OpenVINOEngine.shared() === engine)
    }

    @Test("A model has the network's ports, and gives finite numbers that depend on the input")
    func ports() throws {
        let size = InputSize(width: 64, height: 48)
        let network = try Architecture.find("retinaface", "mobilenet0.25").build(at: size)
        let model = try engine.compile(TestModels.face(seed: 1), options: TestModels.options())
        #expect(model.inputs.map(\.name) == network.inputs.map(\.name))
        #expect(model.inputs.map(\.shape) == network.inputs.map(\.shape))
        #expect(model.outputs.map(\.name) == network.outputs.map(\.name))
        #expect(model.outputs.map(\.shape) == network.outputs.map(\.shape))
        #expect((model.inputs + model.outputs).allSatisfy { $0.element == .f32 })

        let request = try model.makeRequest()
        #expect(request.inputs[0].floats.allSatisfy { $0 == 0 })
        TestModels.fill(request, seed: 1)
        try request.run()
        let first = TestModels.outputs(of: request)
        let conf = request.outputs[1].floats
        #expect(first.allSatisfy { $0.isFinite })
        #expect(stride(from: 0, to: conf.count, by: 2).allSatisfy { abs(conf[$0] + conf[$0 + 1] - 1) < 1e-5 })
        TestModels.fill(request, seed: 2)
        try request.run()
        #expect(TestModels.outputs(of: request) != first)
        TestModels.fill(request, seed: 1)
        try request.run()
        #expect(TestModels.outputs(of: request) == first)
    }

    @Test(
        "Options are what the engine then says it uses",
        arguments: [
            TestModels.options(), TestModels.options(.throughput, cores: 2), TestModels.options(cores: 2),
            TestModels.options(.latency, cores: 2),
        ])
    func settings(options: CompileOptions) throws {
        let settings = try engine.compile(TestModels.face(seed: 3), options: options).settings
        #expect(settings.precision == options.precision)
        #expect(settings.engineFloat == "f32")
        let parallelism = Parallelism(options)
        #expect(settings.streams == parallelism.streams)
        #expect(settings.threads == parallelism.threads)
        #expect(settings.optimalRequests >= parallelism.streams)
    }

    @Test("int8 is reported as f32 where the model has nothing quantised")
    func int8OfFloatModel() throws {
        let source = try TestModels.face(seed: 3)
        #expect(!source.isQuantised)
        let model = try engine.compile(source, options: TestModels.options(precision: .int8))
        #expect(model.settings.precision == .f32)
        #expect(ModelSource(name: "q", onnx: Array("..DequantizeLinear..QuantizeLinear".utf8)).isQuantised)
        #expect(!ModelSource(name: "d", onnx: Array("..DequantizeLinear..".utf8)).isQuantised)
        #expect(!ModelSource(name: "empty", onnx: []).isQuantised)
    }

    @Test("bf16 is granted where the processor has it, and reported as f32 where not")
    func bf16() throws {
        let settings = try engine.compile(TestModels.face(seed: 3), options: TestModels.options(precision: .bf16))
            .settings
        let has = engine.capabilities.contains("BF16")
        #expect(settings.engineFloat == (has ? "bf16" : "f32"))
        #expect(settings.precision == (has ? .bf16 : .f32))
    }

    @Test("Equal models are one while alive, whatever their name, and new options make a new one")
    func sharing() throws {
        let source = try TestModels.face(seed: 4)
        let options = TestModels.options()
        var first: CompiledModel? = try engine.compile(source, options: options)
        let renamed = try engine.compile(ModelSource(name: "other", onnx: source.bytes), options: options)
        #expect(first === renamed)
        #expect(try engine.compile(source, options: TestModels.options(cores: 2)) !== first)
        #expect(try engine.compile(TestModels.face(seed: 5), options: options) !== first)
        weak let watched = first
        #expect(watched != nil)
        first = nil
        withExtendedLifetime(renamed) { #expect(watched != nil) }
    }

    @Test("A model nobody uses any more is freed, and compiled again when asked for")
    func lifetime() throws {
        let source = try TestModels.face(seed: 6)
        var request: InferRequest? = try engine.compile(source, options: TestModels.options()).makeRequest()
        weak let watched = request?.model
        // A request keeps its model.
        #expect(watched != nil)
        if let request { TestModels.fill(request, seed: 1) }
        try request?.run()
        request = nil
        #expect(watched == nil)
        try engine.compile(source, options: TestModels.options()).makeRequest().run()
    }

    @Test("Threads that ask for one model at once get one model")
    func concurrentSharing() async throws {
        let source = try TestModels.face(seed: 7)
        let engine = engine
        let models = try await withThrowingTaskGroup(of: CompiledModel.self) { group in
            for _ in 0..<4 { group.addTask { try engine.compile(source, options: TestModels.options()) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(models.count == 4)
        #expect(models.allSatisfy { $0 === models[0] })
    }
}
