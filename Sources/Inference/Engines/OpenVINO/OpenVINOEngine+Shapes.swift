// SPDX-License-Identifier: Apache-2.0
internal import COpenVINO

extension OpenVINOEngine {
    /// Gives the model's inputs the shapes that the source asks for.
    static func reshape(
        _ model: OpaquePointer, _ source: ModelSource, _ functions: OpenVINOFunctions
    ) throws(InferenceError) {
        for (name, shape) in source.inputShapes.sorted(by: { $0.key < $1.key }) {
            var partial = ov_partial_shape_t()
            let sizes = shape.map { Int64($0) }
            let what = "setting \(name) of \(source.name) to \(shape)"
            try functions.check(
                functions.partialShapeCreate(Int64(sizes.count), sizes, &partial), what, .unsupportedModel)
            defer { functions.partialShapeFree(&partial) }
            try functions.check(functions.modelReshape(model, name, partial), what, .unsupportedModel)
        }
    }
}
