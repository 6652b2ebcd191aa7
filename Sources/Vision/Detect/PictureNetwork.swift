// SPDX-License-Identifier: Apache-2.0
public import Inference
public import Media

/// What finds something in pictures with several of them in flight: one network, or several at work on each picture.
///
/// - Note: Thread-safety: queue-bound; only the completion is called on a thread of the engine.
public protocol PictureNetwork: AnyObject {
    associatedtype Output: Sendable

    /// The compiled network; its settings belong in reports.
    var model: CompiledModel { get }
    /// The parts of the network, to be examined one by one; nil where several networks work together.
    var stages: PictureStages<Output>? { get }
    /// Pictures that can be in flight at once.
    var capacity: Int { get }
    /// Names who is woken, on a thread of the engine, after each inference.
    func onCompletion(_ wake: @escaping @Sendable () -> Void) throws(InferenceError)
    /// Starts on a picture; false, and nothing done, when there is no room.
    func submit(_ picture: Picture) throws(InferenceError) -> Bool
    /// The result of the oldest picture in flight, or nil while it is not ready or when there is none.
    func nextCompleted() throws(InferenceError) -> Output?
    /// The same, waiting until the result is there; nil when nothing is in flight.
    func waitForNext() throws(InferenceError) -> Output?
}

extension PictureNetwork {
    /// Runs on one picture and waits for the result.
    ///
    /// - Precondition: nothing is in flight.
    public func result(for picture: Picture) throws(InferenceError) -> Output {
        guard try submit(picture), let output = try waitForNext() else {
            preconditionFailure("there is room when nothing is in flight")
        }
        return output
    }
}

/// What makes a network's input, the network itself, and what reads its outputs.
public struct PictureStages<Output> {
    /// Fills the input.
    public let preprocessor: Preprocessor
    /// The compiled network.
    public let model: CompiledModel
    /// Reads the outputs, for a picture that lies in the input as stated.
    public let decode: ([TensorBuffer], Placement) -> Output

    /// The same stages with another type of result.
    public func map<Other>(_ transform: @escaping (Output) -> Other) -> PictureStages<Other> {
        PictureStages<Other>(preprocessor: preprocessor, model: model) { [decode] outputs, placement in
            transform(decode(outputs, placement))
        }
    }
}

extension Detector: PictureNetwork {
    /// What the decoder makes of a picture.
    public typealias Output = Decoder.Output

    /// Pre-processing, network and decoding.
    public var stages: PictureStages<Output>? {
        PictureStages(preprocessor: preprocessor, model: model) { [decoder] outputs, placement in
            decoder.decode(outputs, placement: placement)
        }
    }
}
