// SPDX-License-Identifier: Apache-2.0
package import Inference

/// What turns one network's output tensors into results in source pixels.
///
/// One type per kind of network.
///
/// A decoder checks the model's outputs when it is made, keeps what scratch memory it needs, and reads the tensors in
/// place: a call allocates only what it returns.
/// - Note: Thread-safety: confined.
package protocol OutputDecoder: AnyObject {
    associatedtype Output: Sendable

    /// Decodes the outputs of one inference, in the model's order.
    func decode(_ outputs: [TensorBuffer], placement: Placement) -> Output
}

extension [TensorInfo] {
    /// The position of the float output `name` of exactly `shape`.
    func position(of name: String, shape: [Int]) throws(VisionError) -> Int {
        guard let index = firstIndex(where: { $0.name == name }) else {
            let names = map(\.name).joined(separator: ", ")
            throw VisionError(.outputs, "the model has no output \"\(name)\"; it has \(names)")
        }
        let info = self[index]
        guard info.element == .f32, info.shape == shape else {
            let wanted = TensorInfo(name: name, shape: shape, element: .f32)
            throw VisionError(.outputs, "the model's output is \(info) where \(wanted) is needed")
        }
        return index
    }
}
