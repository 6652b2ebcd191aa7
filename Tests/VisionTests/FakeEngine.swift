// SPDX-License-Identifier: Apache-2.0
import Synchronization

@testable import Inference
@testable import Vision

/// An engine whose inferences end when the test says so: the one output is a copy of the input's first number.
final class FakeEngine: InferenceEngine, ModelDriver {
    let name = "fake"
    let version = "0"
    let capabilities = ["FP32"]
    let requests = Mutex<[FakeRequest]>([])
    let inputShape: [Int]

    init(inputShape: [Int]) { self.inputShape = inputShape }

    func compile(_ source: ModelSource, options: CompileOptions) throws(InferenceError) -> CompiledModel {
        CompiledModel(
            source: source, options: options,
            inputs: [TensorInfo(name: "image", shape: inputShape, element: .f32)],
            outputs: [TensorInfo(name: "value", shape: [1], element: .f32)],
            settings: .init(
                precision: options.precision, engineFloat: "f32", streams: 1, threads: 1, pinsThreads: false,
                optimalRequests: 1),
            preparation: .init(fromCache: false, duration: .zero, cacheProblem: nil), driver: self)
    }

    func makeRequest() throws(InferenceError) -> any RequestDriver {
        let request = FakeRequest(inputShape)
        requests.withLock { $0.append(request) }
        return request
    }

    func request(_ index: Int) -> FakeRequest { requests.withLock { $0[index] } }
}

/// One inference of the fake engine.
final class FakeRequest: RequestDriver, @unchecked Sendable {
    // Unchecked: the tests use it from one thread.
    let inputs: [TensorBuffer]
    let outputs: [TensorBuffer]
    var refuses = false
    var fails = false
    private(set) var isRunning = false
    private var body: (@Sendable () -> Void)?

    init(_ shape: [Int]) {
        let input = TensorInfo(name: "image", shape: shape, element: .f32)
        let output = TensorInfo(name: "value", shape: [1], element: .f32)
        inputs = [TensorBuffer(info: input, base: .allocate(byteCount: input.byteCount, alignment: 64))]
        outputs = [TensorBuffer(info: output, base: .allocate(byteCount: output.byteCount, alignment: 64))]
        inputs[0].floats.initialize(repeating: 0)
        outputs[0].floats.initialize(repeating: 0)
    }

    deinit {
        inputs[0].base.deallocate()
        outputs[0].base.deallocate()
    }

    func setCompletion(_ body: @escaping @Sendable () -> Void) throws(InferenceError) { self.body = body }

    func start() throws(InferenceError) {
        if refuses { throw InferenceError(.inferenceFailed, operation: "start", detail: "refused") }
        isRunning = true
    }

    /// What the engine's thread would do.
    func complete() {
        guard isRunning else { return }
        isRunning = false
        outputs[0].floats[0] = inputs[0].floats[0]
        body?()
    }

    func wait() throws(InferenceError) {
        complete()
        if fails { throw InferenceError(.inferenceFailed, operation: "wait", detail: "failed") }
    }
}

/// Hands out the fake's output beside the placement it came with.
final class FakeDecoder: OutputDecoder {
    struct Output: Sendable, Equatable {
        var value: Float
        var placement: Placement
    }

    func decode(_ outputs: [TensorBuffer], placement: Placement) -> Output {
        Output(value: outputs[0].floats[0], placement: placement)
    }
}
