// SPDX-License-Identifier: Apache-2.0
internal import COpenVINO

extension OpenVINOEngine {
    /// The inputs of a model, without preparing it.
    ///
    /// - Throws: `invalidModel`, `unsupportedModel`.
    public func inputs(of source: ModelSource) throws(InferenceError) -> [ModelInput] {
        let model = try read(source)
        defer { functions.modelFree(model) }
        var count = 0
        try functions.check(functions.modelInputCount(model, &count), "ov_model_inputs_size", .invalidModel)
        var inputs: [ModelInput] = []
        for index in 0..<count {
            var port: OpaquePointer?
            try functions.check(functions.modelInput(model, index, &port), "ov_model_input_by_index", .invalidModel)
            guard let port else { continue }
            defer { functions.portFree(port) }
            inputs.append(try input(port, fallback: "input \(index)"))
        }
        return inputs
    }

    private func input(_ port: OpaquePointer, fallback: String) throws(InferenceError) -> ModelInput {
        var text: UnsafeMutablePointer<CChar>?
        var name = fallback
        if functions.portName(port, &text) == OK, let given = functions.takeString(text) { name = given }
        var type = ov_element_type_e(rawValue: 0)
        try functions.check(functions.portElement(port, &type), "ov_port_get_element_type", .invalidModel)
        var partial = ov_partial_shape_t()
        try functions.check(functions.portPartialShape(port, &partial), "ov_port_get_partial_shape", .invalidModel)
        defer { functions.partialShapeFree(&partial) }
        var shape: [Int?]?
        if partial.rank.min == partial.rank.max, let dims = partial.dims {
            shape = (0..<max(0, Int(partial.rank.min))).map { axis in
                dims[axis].min == dims[axis].max && dims[axis].min > 0 ? Int(dims[axis].min) : nil
            }
        }
        return ModelInput(name: name, shape: shape, element: ElementType(type))
    }

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
