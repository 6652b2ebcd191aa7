// SPDX-License-Identifier: Apache-2.0
package import Inference
package import Networks

/// A network of the catalogue with everything it takes to run it.
package struct NetworkSetup {
    /// The network.
    package let architecture: Architecture
    /// Its weights.
    package let weights: Weights
    /// Size of its input.
    package let size: InputSize
    /// What runs it.
    package let engine: any InferenceEngine
    /// How it is compiled.
    package let compile: CompileOptions
    /// Pictures in flight; nil takes what keeps the engine busy.
    package let requests: Int?

    /// States all of them; a nil size is the architecture's default.
    package init(
        _ architecture: Architecture, weights: Weights, size: InputSize? = nil, engine: any InferenceEngine,
        compile: CompileOptions, requests: Int? = nil
    ) {
        self.architecture = architecture
        self.weights = weights
        self.size = size ?? architecture.defaultSize
        self.engine = engine
        self.compile = compile
        self.requests = requests
    }

    /// The same at another size.
    func resized(to size: InputSize) -> NetworkSetup {
        NetworkSetup(
            architecture, weights: weights, size: size, engine: engine, compile: compile, requests: requests)
    }

    /// Builds the network, compiles it, and prepares requests.
    ///
    /// - Parameters:
    ///   - filter: how pictures are resampled, as in the network's training.
    ///   - decoder: made from the model's outputs and the size of its input.
    /// - Throws: `VisionError`, `NetworkError` (size, weights), `InferenceError`.
    package func detector<Decoder: OutputDecoder>(
        filter: Preprocessor.Filter, decoder: ([TensorInfo], InputSize) throws -> Decoder
    ) throws -> Detector<Decoder> {
        let source = ModelSource(
            name: "\(architecture.network) \(architecture.variant) \(size)",
            onnx: try architecture.onnx(at: size, weights: weights))
        return try Detector(
            model: engine.compile(source, options: compile),
            preprocessor: Preprocessor(size: size, normalisation: architecture.normalisation, filter: filter),
            requests: requests
        ) { try decoder($0, size) }
    }
}
