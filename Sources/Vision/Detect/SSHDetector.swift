// SPDX-License-Identifier: Apache-2.0
public import Inference
public import Networks

/// Finds faces with SSH.
public typealias SSHDetector = Detector<SSHDecoder>

extension Detector where Decoder == SSHDecoder {
    /// Builds SSH at a size, compiles it, and prepares requests.
    ///
    /// - Parameters:
    ///   - architecture: an entry of the catalogue whose network is `ssh`.
    ///   - size: the network's input; nil is the architecture's default.
    ///   - requests: inferences in flight; nil takes what keeps the engine busy.
    /// - Throws: `VisionError`, `NetworkError` (size, weights), `InferenceError`.
    public convenience init(
        _ architecture: Architecture, weights: Weights, size: InputSize? = nil, engine: any InferenceEngine,
        compile: CompileOptions, options: BoxSelection = .ssh, requests: Int? = nil
    ) throws {
        try self.init(
            ssh: architecture, weights: weights, size: size ?? architecture.defaultSize, engine: engine,
            compile: compile, requests: requests
        ) { outputs, size in try SSHDecoder(outputs: outputs, size: size, options: options) }
    }
}

extension Detector {
    /// Any decoder that reads SSH's outputs.
    convenience init(
        ssh architecture: Architecture, weights: Weights, size: InputSize, engine: any InferenceEngine,
        compile: CompileOptions, requests: Int?, decoder: ([TensorInfo], InputSize) throws -> Decoder
    ) throws {
        guard architecture.network == "ssh" else {
            throw VisionError(.architecture, "this decoder is for \"ssh\", not for \"\(architecture.network)\"")
        }
        let model = try engine.compile(
            ModelSource(architecture, at: size, weights: weights), options: compile)
        let preprocessor = Preprocessor(size: size, normalisation: architecture.normalisation, filter: .bilinear)
        try self.init(model: model, preprocessor: preprocessor, requests: requests) { outputs in
            try decoder(outputs, size)
        }
    }
}
