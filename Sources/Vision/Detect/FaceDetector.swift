// SPDX-License-Identifier: Apache-2.0
public import Inference
public import Networks

/// Finds faces with RetinaFace.
public typealias FaceDetector = Detector<FaceDecoder>

extension Detector where Decoder == FaceDecoder {
    /// Builds RetinaFace at a size, compiles it, and prepares requests.
    ///
    /// - Parameters:
    ///   - architecture: an entry of the catalogue whose network is `retinaface`; its variant names the anchors.
    ///   - size: the network's input; nil is the architecture's default.
    ///   - requests: inferences in flight; nil takes what keeps the engine busy.
    /// - Throws: `VisionError`, `NetworkError` (size, weights), `InferenceError`.
    public convenience init(
        _ architecture: Architecture, weights: Weights, size: InputSize? = nil, engine: any InferenceEngine,
        compile: CompileOptions, options: BoxSelection = .retinaFace, requests: Int? = nil
    ) throws {
        guard architecture.network == "retinaface" else {
            throw VisionError(
                .architecture,
                "faces are found by \"retinaface\", not by \"\(architecture.network) \(architecture.variant)\"")
        }
        let family = try RetinaFace(variant: architecture.variant).family
        let size = size ?? architecture.defaultSize
        let model = try engine.compile(
            ModelSource(architecture, at: size, weights: weights), options: compile)
        let preprocessor = Preprocessor(size: size, normalisation: architecture.normalisation, filter: .bilinear)
        try self.init(model: model, preprocessor: preprocessor, requests: requests) { outputs in
            try FaceDecoder(outputs: outputs, size: size, family: family, options: options)
        }
    }
}
