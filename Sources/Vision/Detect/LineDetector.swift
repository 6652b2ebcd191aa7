// SPDX-License-Identifier: Apache-2.0
public import Inference
public import Networks

/// Finds line segments with M-LSD.
public typealias LineDetector = Detector<LineDecoder>

extension Detector where Decoder == LineDecoder {
    /// Builds M-LSD at a size, compiles it, and prepares requests.
    ///
    /// - Parameters:
    ///   - architecture: an entry of the catalogue whose network is `mlsd`.
    ///   - size: the network's input; nil is the architecture's default.
    ///   - requests: inferences in flight; nil takes what keeps the engine busy.
    /// - Throws: `VisionError`, `NetworkError` (size, weights), `InferenceError`.
    public convenience init(
        _ architecture: Architecture, weights: Weights, size: InputSize? = nil, engine: any InferenceEngine,
        compile: CompileOptions, options: LineDecoder.Options = LineDecoder.Options(), requests: Int? = nil
    ) throws {
        guard architecture.network == "mlsd" else {
            throw VisionError(.architecture, "lines are found by \"mlsd\", not by \"\(architecture.network)\"")
        }
        let size = size ?? architecture.defaultSize
        let model = try engine.compile(
            ModelSource(architecture, at: size, weights: weights), options: compile)
        let preprocessor = Preprocessor(size: size, normalisation: architecture.normalisation, filter: .area)
        try self.init(model: model, preprocessor: preprocessor, requests: requests) { outputs in
            try LineDecoder(outputs: outputs, size: size, options: options)
        }
    }
}

extension ModelSource {
    /// The network of a catalogue entry with its weights, named for people: `mlsd tiny 512x512`.
    init(_ architecture: Architecture, at size: InputSize, weights: Weights) throws(NetworkError) {
        self.init(
            name: "\(architecture.network) \(architecture.variant) \(size)",
            onnx: try architecture.onnx(at: size, weights: weights))
    }
}
