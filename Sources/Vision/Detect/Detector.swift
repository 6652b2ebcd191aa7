// SPDX-License-Identifier: Apache-2.0
package import Inference
package import Media
package import Networks

/// Runs one network on pictures: pre-processing, inferences in flight, decoding.
///
/// ```
///  submit(picture) --Preprocessor--> request's input ~~engine~~> request's outputs --OutputDecoder--> nextCompleted()
///                                    at most `capacity` at a time, returned in the order of submission
/// ```
/// A network of the catalogue is put together by ``NetworkSetup``, and by the ``PictureFamily`` it is one of.
/// - Note: Thread-safety: queue-bound (one caller at a time); only the completion is called on a thread of the engine.
package final class Detector<Decoder: OutputDecoder>: PictureNetwork {
    package typealias Output = Decoder.Output

    /// The compiled network; its settings and preparation belong in reports.
    package let model: CompiledModel
    /// Size of the network's input.
    package var size: InputSize { preprocessor.size }
    /// Inferences that can be in flight at once.
    package let capacity: Int
    /// Makes the network's input.
    package let preprocessor: Preprocessor
    /// Reads the network's outputs.
    package let decoder: Decoder
    private let pool: RequestPool
    /// Where the picture lies in each request's input.
    private var placements: [Placement]

    /// Puts the parts together.
    ///
    /// - Parameters:
    ///   - requests: inferences in flight; nil takes what keeps the engine busy.
    ///   - decoder: made from the model's outputs, so that it can check them.
    /// - Throws: `VisionError.Code.input` when `preprocessor` does not make the model's input, what `decoder` throws,
    ///   `InferenceError` when there is no memory for requests.
    package init(
        model: CompiledModel, preprocessor: Preprocessor, requests: Int? = nil,
        decoder: ([TensorInfo]) throws -> Decoder
    ) throws {
        let size = preprocessor.size
        let wanted = TensorInfo(name: "image", shape: preprocessor.shape, element: .f32)
        guard model.inputs.count == 1, model.inputs[0].shape == wanted.shape, model.inputs[0].element == .f32 else {
            let found = model.inputs.map(\.description).joined(separator: ", ")
            throw VisionError(.input, "the model \"\(model.name)\" takes \(found) where \(wanted) is made")
        }
        self.model = model
        self.preprocessor = preprocessor
        self.decoder = try decoder(model.outputs)
        pool = try RequestPool(model: model, count: requests)
        capacity = pool.requests.count
        let none = Placement(sourceWidth: 1, sourceHeight: 1, in: size, fit: .stretch)
        placements = [Placement](repeating: none, count: capacity)
    }

    /// Pre-processing, network and decoding.
    package var stages: PictureStages<Output>? {
        PictureStages(preprocessor: preprocessor, model: model) { [decoder] outputs, placement in
            decoder.decode(outputs, placement: placement)
        }
    }

    /// Pictures submitted whose results were not taken yet.
    package var inFlight: Int { pool.inFlight }

    package func onCompletion(_ wake: @escaping @Sendable () -> Void) throws(InferenceError) {
        try pool.onCompletion(wake)
    }

    package func submit(_ picture: Picture) throws(InferenceError) -> Bool {
        guard let slot = pool.acquire() else { return false }
        placements[slot.index] = preprocessor.fill(slot.request.inputs[0].floats, from: picture)
        try pool.submit(slot)
        return true
    }

    package func nextCompleted() throws(InferenceError) -> Output? {
        guard let (slot, failure) = pool.nextCompleted() else { return nil }
        return try decode(slot, failure)
    }

    package func waitForNext() throws(InferenceError) -> Output? {
        guard let (slot, failure) = pool.waitForNext() else { return nil }
        return try decode(slot, failure)
    }

    private func decode(_ slot: RequestPool.Slot, _ failure: InferenceError?) throws(InferenceError) -> Output {
        defer { pool.release(slot) }
        if let failure { throw failure }
        return decoder.decode(slot.request.outputs, placement: placements[slot.index])
    }
}
