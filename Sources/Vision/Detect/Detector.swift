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
    private let input: PictureTensor
    private let pictureIndex: Int
    /// The outputs of each request as the decoder reads them: of a batch, the first place.
    private let outputs: [[TensorBuffer]]
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
        guard let place = model.inputs.firstIndex(where: { $0.shape.count == 4 }) ?? model.inputs.indices.first,
            model.inputs.enumerated().allSatisfy({ $0 == place || PictureExtent(of: $1) != nil })
        else {
            let found = model.inputs.map(\.description).joined(separator: ", ")
            throw VisionError(.input, "the model \"\(model.name)\" takes \(found); one picture is what is made")
        }
        pictureIndex = place
        input = try PictureTensor(preprocessor, for: model.inputs[place], of: model.name)
        let batch = input.batch
        func first(of info: TensorInfo) -> TensorInfo {
            guard batch > 1, info.shape.first == batch, info.openAxis == nil else { return info }
            return TensorInfo(name: info.name, shape: [1] + info.shape.dropFirst(), element: info.element)
        }
        self.model = model
        self.preprocessor = preprocessor
        self.decoder = try decoder(model.outputs.map(first))
        pool = try RequestPool(model: model, count: requests)
        capacity = pool.requests.count
        outputs = pool.requests.map { request in
            for (index, tensor) in request.inputs.enumerated() where index != place {
                PictureExtent(of: tensor.info)?.write(size, to: tensor)
            }
            return request.outputs.map {
                TensorBuffer(info: first(of: $0.info), base: $0.base, openRows: $0.openRows)
            }
        }
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
        placements[slot.index] = input.fill(slot.request.inputs[pictureIndex], from: picture)
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
        return decoder.decode(outputs[slot.index], placement: placements[slot.index])
    }
}
