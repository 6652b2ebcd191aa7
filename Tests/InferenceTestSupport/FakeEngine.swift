// SPDX-License-Identifier: Apache-2.0
import Dispatch
package import Inference
import Synchronization

/// An engine without a library: what its networks compute, when an inference ends, and which ones fail is up to the test.
///
/// It takes the ports of a model from its ONNX bytes, or those that it is given. Outputs are zeros unless `compute` fills
/// them.
///
/// - Note: Thread-safety: thread-safe.
package final class FakeEngine: InferenceEngine {
    /// When inferences end.
    package enum Completion: Sendable {
        /// By themselves, one after the other in the order they were started, on a thread of the engine.
        case automatic
        /// When the test calls ``FakeRequest/complete()`` or ``FakeEngine/complete(_:)``, or somebody waits.
        case manual
    }

    /// What an inference does; a throw fails it.
    ///
    /// `number` counts the inferences of the engine, from 0.
    package typealias Compute = @Sendable (_ number: Int, _ request: FakeRequest) throws(InferenceError) -> Void

    package let name = "fake"
    package let version = "0"
    package let capabilities = ["FP32"]
    package let processor = "fake processor"
    package let libraryPath = "/nowhere"

    fileprivate let completion: Completion
    fileprivate let compute: Compute
    fileprivate let refuses: @Sendable (Int) -> Bool
    fileprivate let queue = DispatchQueue(label: "fake engine")
    private let ports: (inputs: [TensorInfo], outputs: [TensorInfo])?
    private let onCompile: @Sendable (ModelSource, CompileOptions) throws(InferenceError) -> Void
    private let optimalRequests: Int

    private struct State {
        var requests: [FakeRequest] = []
        var running: [FakeRequest] = []
        var started = 0
        var compiled: [String] = []
    }
    private let state = Mutex(State())

    /// - Parameters:
    ///   - ports: inputs and outputs of every model; nil takes them from the model.
    ///   - optimalRequests: requests in flight that the engine asks for.
    ///   - onCompile: called for each model before it is there; may take its time, or throw.
    ///   - refuses: the inferences that cannot be started, by number.
    ///   - compute: called when an inference ends.
    package init(
        ports: (inputs: [TensorInfo], outputs: [TensorInfo])? = nil, completion: Completion = .automatic,
        optimalRequests: Int = 1,
        onCompile: @escaping @Sendable (ModelSource, CompileOptions) throws(InferenceError) -> Void = {
            (_, _) throws(InferenceError) in
        },
        refuses: @escaping @Sendable (Int) -> Bool = { _ in false },
        compute: @escaping Compute = { (_, _) throws(InferenceError) in }
    ) {
        self.ports = ports
        self.completion = completion
        self.optimalRequests = optimalRequests
        self.onCompile = onCompile
        self.refuses = refuses
        self.compute = compute
    }

    package func compile(_ source: ModelSource, options: CompileOptions) throws(InferenceError) -> CompiledModel {
        try onCompile(source, options)
        let (inputs, outputs) = try ports(of: source)
        state.withLock { $0.compiled.append(source.name) }
        return CompiledModel(
            source: source, options: options, inputs: inputs, outputs: outputs,
            settings: .init(
                precision: .f32, engineFloat: "f32", streams: 1, threads: 1, optimalRequests: optimalRequests),
            preparation: .init(fromCache: false, duration: .zero, cacheProblem: nil),
            driver: FakeModel(engine: self, inputs: inputs, outputs: outputs))
    }

    private func ports(
        of source: ModelSource
    ) throws(InferenceError) -> (inputs: [TensorInfo], outputs: [TensorInfo]) {
        if let ports { return ports }
        guard let ports = ONNXPorts(source.bytes) else {
            throw InferenceError(.invalidModel, operation: "reading \(source.name)", detail: "not an ONNX model")
        }
        return (ports.inputs, ports.outputs)
    }

    /// Inferences started so far, those that were refused among them.
    package var started: Int { state.withLock { $0.started } }
    /// Names of the models compiled so far, in order.
    package var compiled: [String] { state.withLock { $0.compiled } }
    /// Inferences that run now.
    package var running: Int { state.withLock { $0.running.count } }

    /// Requests made so far.
    package var requestCount: Int { state.withLock { $0.requests.count } }

    /// A request by number, in the order they were made.
    package func request(_ index: Int) -> FakeRequest { state.withLock { $0.requests[index] } }

    /// Ends the oldest inferences that run, `count` at most.
    ///
    /// - Returns: how many there were.
    @discardableResult
    package func complete(_ count: Int = 1) -> Int {
        let oldest = state.withLock { Array($0.running.prefix(count)) }
        for request in oldest { request.complete() }
        return oldest.count
    }

    fileprivate func add(_ request: FakeRequest) { state.withLock { $0.requests.append(request) } }

    fileprivate func begin(_ request: FakeRequest) throws(InferenceError) -> Int {
        let number = state.withLock { state in
            state.running.append(request)
            state.started += 1
            return state.started - 1
        }
        guard refuses(number) else { return number }
        end(request)
        throw .planted("refused")
    }

    fileprivate func end(_ request: FakeRequest) {
        state.withLock { $0.running.removeAll { $0 === request } }
    }
}

private final class FakeModel: ModelDriver {
    let engine: FakeEngine
    let inputs: [TensorInfo]
    let outputs: [TensorInfo]

    init(engine: FakeEngine, inputs: [TensorInfo], outputs: [TensorInfo]) {
        self.engine = engine
        self.inputs = inputs
        self.outputs = outputs
    }

    func makeRequest() throws(InferenceError) -> any RequestDriver {
        let request = FakeRequest(engine, inputs, outputs)
        engine.add(request)
        return request
    }
}

/// One inference of the fake engine.
package final class FakeRequest: RequestDriver, @unchecked Sendable {
    // Unchecked: the tensors belong to whoever holds the request, as with any engine; everything else is locked.
    package let inputs: [TensorBuffer]
    package let outputs: [TensorBuffer]
    private let engine: FakeEngine

    private struct State {
        var number: Int?
        var refuses = false
        var fails = false
        var failure: InferenceError?
        var body: (@Sendable () -> Void)?
    }
    private let state = Mutex(State())

    fileprivate init(_ engine: FakeEngine, _ inputs: [TensorInfo], _ outputs: [TensorInfo]) {
        func buffer(_ info: TensorInfo) -> TensorBuffer {
            let base = UnsafeMutableRawPointer.allocate(byteCount: max(1, info.byteCount), alignment: 64)
            base.initializeMemory(as: UInt8.self, repeating: 0, count: info.byteCount)
            return TensorBuffer(info: info, base: base)
        }
        self.engine = engine
        self.inputs = inputs.map(buffer)
        self.outputs = outputs.map(buffer)
    }

    deinit { for buffer in inputs + outputs { buffer.base.deallocate() } }

    /// Whether it cannot be started.
    package var refuses: Bool {
        get { state.withLock { $0.refuses } }
        set { state.withLock { $0.refuses = newValue } }
    }

    /// Whether its inferences fail.
    package var fails: Bool {
        get { state.withLock { $0.fails } }
        set { state.withLock { $0.fails = newValue } }
    }

    package func setCompletion(_ body: @escaping @Sendable () -> Void) throws(InferenceError) {
        state.withLock { $0.body = body }
    }

    package func start() throws(InferenceError) {
        if refuses { throw .planted("refused") }
        let number = try engine.begin(self)
        state.withLock { state in
            state.number = number
            state.failure = nil
        }
        if engine.completion == .automatic { engine.queue.async { self.complete() } }
    }

    /// Ends the inference, if one runs; what the engine's thread would do.
    package func complete() {
        // Who waits for the end waits for the lock.
        let body = state.withLock { state -> (@Sendable () -> Void)? in
            guard let number = state.number else { return nil }
            do throws(InferenceError) {
                if state.fails { throw .planted("failed") }
                try engine.compute(number, self)
            } catch {
                state.failure = error
            }
            state.number = nil
            engine.end(self)
            return state.body
        }
        body?()
    }

    package func wait() throws(InferenceError) {
        complete()
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }
}

extension InferenceError {
    /// A failure that a test asked for.
    package static func planted(_ detail: String = "planted") -> InferenceError {
        InferenceError(.inferenceFailed, operation: "fake engine", detail: detail)
    }
}
