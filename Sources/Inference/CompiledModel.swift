// SPDX-License-Identifier: Apache-2.0

/// A model prepared for this processor, shared by every node that asked for the same one.
///
/// - Note: Thread-safety: thread-safe.
public final class CompiledModel: Sendable {
    /// What the engine says it really uses, read back after compiling.
    public struct Settings: Sendable, Hashable {
        /// The precision that was granted: `int8` where the model is quantised, else the one asked for, or `f32` where the
        /// processor lacks it.
        public let precision: Precision
        /// The engine's own word for the arithmetic of floating-point layers: `f32`, `bf16`.
        public let engineFloat: String
        /// Inferences that run at the same time.
        public let streams: Int
        /// Threads of all streams together.
        public let threads: Int
        /// Requests in flight that keep the engine busy, in its own estimate.
        public let optimalRequests: Int

        /// For reports: `f32, 2 streams of 2 threads in all`.
        public var summary: String {
            "\(precision == .int8 ? engineFloat == "bf16" ? "int8 and bf16" : "int8" : engineFloat), \(streams) streams of \(threads) threads in all"
        }

        /// States all of them.
        package init(precision: Precision, engineFloat: String, streams: Int, threads: Int, optimalRequests: Int) {
            self.precision = precision
            self.engineFloat = engineFloat
            self.streams = streams
            self.threads = threads
            self.optimalRequests = optimalRequests
        }
    }

    /// How the model came to be ready.
    public struct Preparation: Sendable, Hashable {
        /// True when compiled code was read from the disk cache.
        public let fromCache: Bool
        /// Reading and compiling together.
        public let duration: Duration
        /// Why compiled code could not be kept, when it could not; never a reason to fail.
        public let cacheProblem: String?

        /// States all of them.
        package init(fromCache: Bool, duration: Duration, cacheProblem: String?) {
            self.fromCache = fromCache
            self.duration = duration
            self.cacheProblem = cacheProblem
        }
    }

    /// For messages and reports: the name of the first source that asked.
    public let name: String
    /// Identity of the model's bytes.
    public let hash: ContentHash
    /// What was asked for; ``settings`` is what was granted.
    public let options: CompileOptions
    /// Inputs in the order of the ONNX graph.
    public let inputs: [TensorInfo]
    /// Outputs in the order of the ONNX graph.
    public let outputs: [TensorInfo]
    /// What the engine really uses.
    public let settings: Settings
    /// How long it took to get ready, and from where.
    public let preparation: Preparation
    private let driver: any ModelDriver

    /// Made by an engine.
    package init(
        source: ModelSource, options: CompileOptions, inputs: [TensorInfo], outputs: [TensorInfo],
        settings: Settings, preparation: Preparation, driver: any ModelDriver
    ) {
        self.name = source.name
        self.hash = source.hash
        self.options = options
        self.inputs = inputs
        self.outputs = outputs
        self.settings = settings
        self.preparation = preparation
        self.driver = driver
    }

    /// Makes one more inference that can be in flight, with tensors of its own.
    /// - Throws: `inferenceFailed` when the engine has no memory for it.
    package func makeRequest() throws(InferenceError) -> InferRequest {
        InferRequest(model: self, driver: try driver.makeRequest())
    }
}
