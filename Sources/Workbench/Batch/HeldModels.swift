// SPDX-License-Identifier: Apache-2.0
internal import Inference
internal import Synchronization

/// Keeps compiled networks from one item to the next: the engine shares a network only while somebody uses it.
///
/// - Note: Thread-safety: thread-safe.
final class HeldModels: Sendable {
    private struct State {
        var held: [CompiledModel] = []
        var used: [CompiledModel] = []
    }

    private let state = Mutex(State())

    /// An engine whose networks are kept.
    func wrapping(_ engine: any InferenceEngine) -> any InferenceEngine { Holding(engine: engine, models: self) }

    /// Lets go what was not asked for since this was last called.
    func releaseUnused() {
        state.withLock { state in
            state.held = state.used
            state.used = []
        }
    }

    private struct Holding: InferenceEngine {
        let engine: any InferenceEngine
        let models: HeldModels

        var name: String { engine.name }
        var version: String { engine.version }
        var capabilities: [String] { engine.capabilities }
        var processor: String { engine.processor }
        var libraryPath: String { engine.libraryPath }

        func compile(_ source: ModelSource, options: CompileOptions) throws(InferenceError) -> CompiledModel {
            let model = try engine.compile(source, options: options)
            models.state.withLock { state in
                if !state.used.contains(where: { $0 === model }) { state.used.append(model) }
            }
            return model
        }
    }
}
