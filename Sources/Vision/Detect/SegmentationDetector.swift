// SPDX-License-Identifier: Apache-2.0
public import Annotations
public import Inference
public import Networks

/// Gives every part of a picture a class, with DDRNet.
public typealias SegmentationDetector = Detector<SegmentationDecoder>

extension Detector where Decoder == SegmentationDecoder {
    /// Builds DDRNet at a size for as many classes as the weights have, compiles it, and prepares requests.
    ///
    /// - Parameters:
    ///   - architecture: an entry of the catalogue whose network is `ddrnet`.
    ///   - size: the network's input; nil is the architecture's default.
    ///   - classes: what the weights' classes are called, in their order.
    ///   - requests: inferences in flight; nil takes what keeps the engine busy.
    /// - Throws: `VisionError` (also for another number of classes), `NetworkError` (size, weights), `InferenceError`.
    public convenience init(
        _ architecture: Architecture, weights: Weights, size: InputSize? = nil, engine: any InferenceEngine,
        compile: CompileOptions, classes: ClassSet, resolution: SegmentationDecoder.Resolution = .cells,
        requests: Int? = nil
    ) throws {
        guard architecture.network == "ddrnet" else {
            throw VisionError(.architecture, "pictures are segmented by \"ddrnet\", not by \"\(architecture.network)\"")
        }
        let size = size ?? architecture.defaultSize
        let model = try engine.compile(ModelSource(architecture, at: size, weights: weights), options: compile)
        let preprocessor = Preprocessor(size: size, normalisation: architecture.normalisation, filter: .area)
        try self.init(model: model, preprocessor: preprocessor, requests: requests) { outputs in
            try SegmentationDecoder(outputs: outputs, size: size, classes: classes, resolution: resolution)
        }
    }
}
