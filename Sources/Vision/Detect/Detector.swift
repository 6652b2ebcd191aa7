// SPDX-License-Identifier: Apache-2.0
public import Inference
public import Media
public import Networks

/// Runs one network on pictures: pre-processing, inferences in flight, decoding.
///
/// ```
///  submit(picture) --Preprocessor--> request's input ~~engine~~> request's outputs --OutputDecoder--> nextCompleted()
///                                    at most `capacity` at a time, handed back in the order of submission
/// ```
/// The picture is not kept: once `submit` returns, everything the network needs is in the request.
/// A new network brings an `OutputDecoder` and an initialiser (see ``LineDetector``, ``FaceDetector``).
/// - Note: Thread-safety: queue-bound (one caller at a time); only the completion is called on a thread of the engine.
public final class Detector<Decoder: OutputDecoder> {
    /// The compiled network; its settings and preparation belong in reports.
    public let model: CompiledModel
    /// Size of the network's input.
    public var size: InputSize { preprocessor.size }
    /// Inferences that can be in flight at once.
    public let capacity: Int
    /// Makes the network's input.
    public let preprocessor: Preprocessor
    /// Reads the network's outputs.
    public let decoder: Decoder
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
    public init(
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

    // MARK: - In a pipeline

    /// Pictures submitted whose results were not taken yet.
    public var inFlight: Int { pool.inFlight }

    /// Names who is woken, on a thread of the engine, after each inference.
    ///
    /// Call while nothing is in flight.
    ///
    /// The body must be quick and must not call the detector.
    public func onCompletion(_ wake: @escaping @Sendable () -> Void) throws(InferenceError) {
        try pool.onCompletion(wake)
    }

    /// Starts on a picture; false, and nothing done, when `capacity` pictures are in flight.
    ///
    /// - Throws: `inferenceFailed` when the engine refuses the request, which is free again then.
    public func submit(_ picture: Picture) throws(InferenceError) -> Bool {
        try submit { preprocessor.fill($0, from: picture) }
    }

    /// The result of the oldest picture in flight, or nil while it is not ready or when there is none.
    ///
    /// - Throws: `inferenceFailed` in place of that picture's result; the pictures after it are not affected.
    public func nextCompleted() throws(InferenceError) -> Decoder.Output? {
        guard let (slot, failure) = pool.nextCompleted() else { return nil }
        return try decode(slot, failure)
    }

    /// The same, waiting until the result is there; nil when nothing is in flight.
    public func waitForNext() throws(InferenceError) -> Decoder.Output? {
        guard let (slot, failure) = pool.waitForNext() else { return nil }
        return try decode(slot, failure)
    }

    // MARK: - One picture at a time

    /// Runs the network on a picture and waits for the result.
    ///
    /// - Precondition: nothing is in flight.
    /// - Throws: `inferenceFailed`.
    public func detect(_ picture: Picture) throws(InferenceError) -> Decoder.Output {
        try detect { preprocessor.fill($0, from: picture) }
    }

    // MARK: - Any way of filling the tensor

    func detect(
        filling body: (UnsafeMutableBufferPointer<Float>) -> Placement
    ) throws(InferenceError) -> Decoder.Output {
        precondition(inFlight == 0, "detect while pictures are in flight")
        guard try submit(filling: body), let output = try waitForNext() else {
            preconditionFailure("a request is free when nothing is in flight")
        }
        return output
    }

    func submit(filling body: (UnsafeMutableBufferPointer<Float>) -> Placement) throws(InferenceError) -> Bool {
        guard let slot = pool.acquire() else { return false }
        placements[slot.index] = body(slot.request.inputs[0].floats)
        try pool.submit(slot)
        return true
    }

    private func decode(_ slot: RequestPool.Slot, _ failure: InferenceError?) throws(InferenceError) -> Decoder.Output {
        defer { pool.release(slot) }
        if let failure { throw failure }
        return decoder.decode(slot.request.outputs, placement: placements[slot.index])
    }
}
