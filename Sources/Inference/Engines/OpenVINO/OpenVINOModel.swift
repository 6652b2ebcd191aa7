// SPDX-License-Identifier: Apache-2.0
internal import COpenVINO

/// A compiled model of OpenVINO: the owner of its handle and the reader of its ports and properties.
///
/// - Note: Thread-safety: thread-safe; the library's compiled models are.
final class OpenVINOModel: ModelDriver, @unchecked Sendable {
    // Unchecked: the handle is set once, freed once, and the library locks inside.
    private let handle: OpaquePointer
    let functions: OpenVINOFunctions
    /// What the library was given to import: it uses the weights where they are.
    private let weights: MappedFile?
    let inputs: [TensorInfo]
    let outputs: [TensorInfo]

    /// Takes over `handle`, and frees it when the ports cannot be used; `name` is for messages, `weights` is kept as long.
    ///
    /// Ports are called as `header` does: the library has names of its own for some, and others after a restoration.
    /// - Throws: `unsupportedModel`.
    init(
        owning handle: OpaquePointer, named name: String, header: ONNXHeader?, functions: OpenVINOFunctions,
        weights: MappedFile?
    ) throws(InferenceError) {
        self.handle = handle
        self.weights = weights
        self.functions = functions
        do throws(InferenceError) {
            inputs = try Self.ports(
                handle, functions, functions.inputCount, functions.inputPort, kind: "input",
                names: header?.inputs.map(\.name))
            outputs = try Self.ports(
                handle, functions, functions.outputCount, functions.outputPort, kind: "output", names: header?.outputs)
        } catch {
            functions.compiledFree(handle)
            throw InferenceError(error.code, operation: "\(name), \(error.operation)", detail: error.detail)
        }
    }

    deinit { functions.compiledFree(handle) }

    func makeRequest() throws(InferenceError) -> any RequestDriver {
        var request: OpaquePointer?
        try functions.check(
            functions.createRequest(handle, &request), "ov_compiled_model_create_infer_request", .inferenceFailed)
        guard let request else {
            throw InferenceError(
                .inferenceFailed, operation: "ov_compiled_model_create_infer_request", detail: "returned no request")
        }
        return try OpenVINORequest(owning: request, model: self)
    }

    /// A property as text; nil when the library does not know it.
    func property(_ key: String) -> String? {
        var value: UnsafeMutablePointer<CChar>?
        guard functions.compiledGetProperty(handle, key, &value) == OK else { return nil }
        return functions.takeString(value)
    }

    /// Writes a file that a later process can restore the model from.
    ///
    /// A full disk is not reported by the library.
    func export(to path: String) throws(InferenceError) {
        try functions.check(functions.exportModel(handle, path), "ov_compiled_model_export_model", .compileFailed)
    }

    // MARK: - Ports

    private static func ports(
        _ model: OpaquePointer, _ functions: OpenVINOFunctions, _ size: vpipe_ov_compiled_model_inputs_size_f,
        _ port: vpipe_ov_compiled_model_input_by_index_f, kind: String, names: [String]?
    ) throws(InferenceError) -> [TensorInfo] {
        var count = 0
        try functions.check(size(model, &count), "ov_compiled_model_\(kind)s_size", .unsupportedModel)
        var infos: [TensorInfo] = []
        for index in 0..<count {
            var handle: OpaquePointer?
            try functions.check(port(model, index, &handle), "ov_compiled_model_\(kind)_by_index", .unsupportedModel)
            guard let handle else { continue }
            defer { functions.portFree(handle) }
            infos.append(try info(handle, functions, fallback: "\(kind) \(index)", mayBeOpen: kind == "output"))
        }
        guard infos.count == count, count > 0 else {
            throw InferenceError(.unsupportedModel, operation: "ports", detail: "the model has no \(kind)s")
        }
        guard let names, names.count == infos.count else { return infos }
        return zip(infos, names).map {
            TensorInfo(name: $1, shape: $0.shape, element: $0.element, openAxis: $0.openAxis)
        }
    }

    private static func info(
        _ port: OpaquePointer, _ functions: OpenVINOFunctions, fallback: String, mayBeOpen: Bool
    ) throws(InferenceError) -> TensorInfo {
        var text: UnsafeMutablePointer<CChar>?
        var name = fallback
        if functions.portName(port, &text) == OK, let given = functions.takeString(text) { name = given }

        var type = ov_element_type_e(rawValue: 0)
        try functions.check(functions.portElement(port, &type), "ov_port_get_element_type", .unsupportedModel)
        guard let element = ElementType(type) else {
            throw InferenceError(
                .unsupportedModel, operation: name, detail: "has an element type vpipe does not know (\(type.rawValue))"
            )
        }

        var shape = ov_shape_t()
        let status = functions.portShape(port, &shape)
        guard status == OK else {
            if mayBeOpen, let open = openShape(port, functions, element) {
                return TensorInfo(name: name, shape: open.shape, element: element, openAxis: open.axis)
            }
            throw InferenceError(
                .unsupportedModel, operation: name,
                detail: mayBeOpen
                    ? "has a dynamic shape; every size but the number of rows must be fixed"
                    : "has a dynamic shape; every size must be fixed")
        }
        defer { _ = functions.shapeFree(&shape) }
        var sizes: [Int] = []
        var bytes = element.byteCount
        for axis in 0..<max(0, Int(shape.rank)) {
            guard let dims = shape.dims, let size = Int(exactly: dims[axis]), size > 0 else {
                throw InferenceError(.unsupportedModel, operation: name, detail: "has an empty axis \(axis)")
            }
            let product = bytes.multipliedReportingOverflow(by: size)
            guard !product.overflow else {
                throw InferenceError(.unsupportedModel, operation: name, detail: "is larger than memory can be")
            }
            bytes = product.partialValue
            sizes.append(size)
        }
        return TensorInfo(name: name, shape: sizes, element: element)
    }

    /// Most rows that are taken of an output that leaves their number open, and most bytes.
    private static let mostRows = 8192
    private static let mostBytes = 16 << 20

    /// The shape of an output whose first axis that is not 1 is open; nil for others.
    private static func openShape(
        _ port: OpaquePointer, _ functions: OpenVINOFunctions, _ element: ElementType
    ) -> (shape: [Int], axis: Int)? {
        var partial = ov_partial_shape_t()
        guard functions.portPartialShape(port, &partial) == OK else { return nil }
        defer { functions.partialShapeFree(&partial) }
        guard partial.rank.min == partial.rank.max, let dims = partial.dims else { return nil }
        var shape: [Int] = []
        var axis: Int?
        var rowBytes = element.byteCount
        for place in 0..<Int(partial.rank.max) {
            let size = dims[place]
            if size.min == size.max, let fixed = Int(exactly: size.max), fixed > 0, fixed <= mostBytes {
                shape.append(fixed)
                rowBytes *= fixed
                guard rowBytes <= mostBytes else { return nil }
            } else {
                guard axis == nil, shape.allSatisfy({ $0 == 1 }) else { return nil }
                axis = place
                shape.append(size.max > 0 ? Int(min(size.max, Int64(mostRows))) : mostRows)
            }
        }
        guard let axis else { return nil }
        shape[axis] = max(1, min(shape[axis], mostBytes / rowBytes))
        return (shape, axis)
    }
}

extension ElementType {
    /// The element type of a port; nil for those vpipe does not handle.
    init?(_ type: ov_element_type_e) {
        switch type {
        case F32: self = .f32
        case F16: self = .f16
        case BF16: self = .bf16
        case U8: self = .u8
        case I8: self = .i8
        case I32: self = .i32
        case I64: self = .i64
        default: return nil
        }
    }
}
