// SPDX-License-Identifier: Apache-2.0
package import Inference
package import Media

/// What finds something in pictures with several of them in flight: one network, or several at work on each picture.
///
/// - Note: Thread-safety: queue-bound; only the completion is called on a thread of the engine.
package protocol PictureNetwork<Output>: AnyObject {
    associatedtype Output: Sendable

    /// The compiled network; its settings belong in reports.
    var model: CompiledModel { get }
    /// The parts of the network, to be examined one by one; nil where several networks work together.
    var stages: PictureStages<Output>? { get }
    /// Pictures that can be in flight at once.
    var capacity: Int { get }
    /// Sets the completion handler. It runs on an engine thread after each inference.
    ///
    /// Call while nothing is in flight. The handler must be quick and must not call the network.
    func onCompletion(_ wake: @escaping @Sendable () -> Void) throws(InferenceError)
    /// Starts on a picture; false, and nothing done, when there is no room.
    ///
    /// The picture is not kept: once this returns, everything the network needs is in its input.
    /// - Throws: `inferenceFailed` when the engine refuses; the picture is not in flight then.
    func submit(_ picture: Picture) throws(InferenceError) -> Bool
    /// The result of the oldest picture in flight, or nil while it is not ready or when there is none.
    ///
    /// - Throws: `inferenceFailed` in place of that picture's result; the pictures after it are not affected.
    func nextCompleted() throws(InferenceError) -> Output?
    /// The same, waiting until the result is there; nil when nothing is in flight.
    func waitForNext() throws(InferenceError) -> Output?
}

extension PictureNetwork {
    /// Runs on one picture and waits for the result.
    ///
    /// - Precondition: nothing is in flight.
    package func result(for picture: Picture) throws(InferenceError) -> Output {
        guard try submit(picture), let output = try waitForNext() else {
            preconditionFailure("there is room when nothing is in flight")
        }
        return output
    }

    /// The same network with another type of result.
    package func map<Other: Sendable>(_ transform: @escaping (Output) -> Other) -> any PictureNetwork<Other> {
        MappedNetwork(self, transform)
    }
}

/// What makes a network's input, the network itself, and what reads its outputs.
package struct PictureStages<Output> {
    /// Fills the input.
    package let preprocessor: Preprocessor
    /// The compiled network.
    package let model: CompiledModel
    /// Reads the outputs, for a picture that lies in the input as stated.
    package let decode: ([TensorBuffer], Placement) -> Output

    /// The same stages with another type of result.
    package func map<Other>(_ transform: @escaping (Output) -> Other) -> PictureStages<Other> {
        PictureStages<Other>(preprocessor: preprocessor, model: model) { [decode] outputs, placement in
            transform(decode(outputs, placement))
        }
    }
}

private final class MappedNetwork<Base: PictureNetwork, Output: Sendable>: PictureNetwork {
    private let base: Base
    private let transform: (Base.Output) -> Output

    init(_ base: Base, _ transform: @escaping (Base.Output) -> Output) {
        self.base = base
        self.transform = transform
    }

    var model: CompiledModel { base.model }
    var stages: PictureStages<Output>? { base.stages?.map(transform) }
    var capacity: Int { base.capacity }

    func onCompletion(_ wake: @escaping @Sendable () -> Void) throws(InferenceError) { try base.onCompletion(wake) }
    func submit(_ picture: Picture) throws(InferenceError) -> Bool { try base.submit(picture) }
    func nextCompleted() throws(InferenceError) -> Output? { try base.nextCompleted().map(transform) }
    func waitForNext() throws(InferenceError) -> Output? { try base.waitForNext().map(transform) }
}
