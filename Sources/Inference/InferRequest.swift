// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// One inference that can be in flight: its input and output memory, and its state.
///
/// ```
///  idle --start--> running --engine thread--> done --finish--> idle
/// ```
/// - Note: Ownership: keeps its model alive; the tensors' memory is the engine's and lives as long as the request.
/// - Note: Thread-safety: confined to one user at a time; only the completion runs on a thread of the engine.
package final class InferRequest: Sendable {
    /// The model it runs.
    package let model: CompiledModel
    /// Input memory, in the model's order.
    ///
    /// Written while idle.
    package let inputs: [TensorBuffer]
    /// Output memory, in the model's order.
    ///
    /// Read between completion and the next start.
    package let outputs: [TensorBuffer]
    // One class-bound call per inference, which takes milliseconds: the engine stays behind its protocol.
    private let driver: any RequestDriver
    private let done = DoneFlag()

    init(model: CompiledModel, driver: any RequestDriver) {
        self.model = model
        self.driver = driver
        self.inputs = driver.inputs
        self.outputs = driver.outputs
    }

    /// Names who is told, on a thread of the engine, that an inference is over.
    ///
    /// Call while idle. The body must be quick: the stream that ran the inference waits for it.
    package func onCompletion(_ body: @escaping @Sendable () -> Void) throws(InferenceError) {
        // The flag alone, not this object: a request that the engine's thread held last would end there, and wait
        // for the very completion it is in.
        try driver.setCompletion { [done] in
            // Release pairs with the acquire in `isDone`: the outputs are visible to who sees true.
            done.value.store(true, ordering: .releasing)
            body()
        }
    }

    /// Queues the inference and returns at once.
    package func start() throws(InferenceError) {
        done.value.store(false, ordering: .relaxed)
        try driver.start()
    }

    /// True from completion until the next start, for requests with a completion.
    package var isDone: Bool { done.value.load(ordering: .acquiring) }

    /// Waits for the inference and reports how it ended.
    ///
    /// Returns at once after completion.
    /// - Throws: `inferenceFailed`.
    package func finish() throws(InferenceError) {
        try driver.wait()
    }

    /// Runs one inference and waits for it.
    /// - Throws: `inferenceFailed`.
    package func run() throws(InferenceError) {
        try start()
        try finish()
    }
}

/// Set by the engine's thread (release), read by the user (acquire).
private final class DoneFlag: Sendable {
    let value = Atomic<Bool>(false)
}
