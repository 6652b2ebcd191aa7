// SPDX-License-Identifier: Apache-2.0
import Inference
import InferenceTestSupport

@testable import Vision

extension FakeEngine {
    /// One whose inferences end when the test says so, and whose one output is a copy of the input's first number.
    convenience init(inputShape: [Int]) {
        self.init(
            ports: (
                [TensorInfo(name: "image", shape: inputShape, element: .f32)],
                [TensorInfo(name: "value", shape: [1], element: .f32)]
            ), completion: .manual,
            compute: { (_, request) throws(InferenceError) in
                request.outputs[0].floats[0] = request.inputs[0].floats[0]
            })
    }
}

/// Returns the fake's output beside the placement it came with.
final class FakeDecoder: OutputDecoder {
    struct Output: Sendable, Equatable {
        var value: Float
        var placement: Placement
    }

    func decode(_ outputs: [TensorBuffer], placement: Placement) -> Output {
        Output(value: outputs[0].floats[0], placement: placement)
    }
}
