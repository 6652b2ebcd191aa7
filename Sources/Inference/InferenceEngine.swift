// SPDX-License-Identifier: Apache-2.0

/// A library that runs neural networks.
///
/// An engine is a folder of `Engines`, made by whoever starts the program and handed down from there.
///
/// - Note: Thread-safety: thread-safe. Compiling blocks for up to seconds; call it from the control plane.
public protocol InferenceEngine: Sendable {
    /// For reports: `OpenVINO`.
    var name: String { get }
    /// The library's own version text.
    var version: String { get }
    /// What the engine can do on this processor, in its own words (`FP32`, `BF16`, `INT8`, ...).
    var capabilities: [String] { get }
    /// The processor, in the engine's own words.
    var processor: String { get }
    /// Where the library is: the path of the file in use.
    var libraryPath: String { get }

    /// Prepares `source`, or returns the model that some other caller already had prepared with equal options.
    /// - Throws: `invalidModel`, `unsupportedModel`, `compileFailed`.
    func compile(_ source: ModelSource, options: CompileOptions) throws(InferenceError) -> CompiledModel
}

/// What an engine implements for each prepared model.
package protocol ModelDriver: AnyObject, Sendable {
    func makeRequest() throws(InferenceError) -> any RequestDriver
}

/// What an engine implements for each inference in flight.
package protocol RequestDriver: AnyObject, Sendable {
    var inputs: [TensorBuffer] { get }
    var outputs: [TensorBuffer] { get }

    /// Who is told of each completion, on a thread of the engine. Set before the first start.
    func setCompletion(_ body: @escaping @Sendable () -> Void) throws(InferenceError)
    /// Queues the inference and returns.
    func start() throws(InferenceError)
    /// Returns when the inference is over; throws what it failed with.
    func wait() throws(InferenceError)
}
