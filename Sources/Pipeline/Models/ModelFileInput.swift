// SPDX-License-Identifier: Apache-2.0
internal import Inference
internal import Networks
internal import Vision

/// The one picture input of an ONNX file: which axis is which, and the size it is run at.
struct ModelFileInput {
    let size: InputSize
    let layout: Preprocessor.Layout

    /// Reads the file and settles what it leaves open.
    ///
    /// - Throws: a sentence that names the file, what its input is, and what to set.
    static func resolve(
        _ path: String, size: InputSize?, _ engine: any InferenceEngine
    ) throws -> (source: ModelSource, input: ModelFileInput) {
        let bytes = try ModelFile.read(path)
        let inputs = try engine.inputs(of: ModelSource(name: path, onnx: bytes))
        let list = inputs.map(\.description).joined(separator: ", ")
        guard inputs.count == 1, let port = inputs.first else {
            throw OutputError("\(path): takes \(inputs.count) inputs (\(list)); one picture is what the node has")
        }
        guard port.element == .f32, let shape = port.shape, shape.count == 4, shape[0] ?? 1 == 1 else {
            throw OutputError("\(path): takes \(list); a picture is f32[1,3,height,width] or f32[1,height,width,3]")
        }
        let layout: Preprocessor.Layout
        if shape[1] == 3 || (shape[1] == nil && shape[3] != 3) {
            layout = .nchw
        } else if shape[3] == 3 {
            layout = .nhwc
        } else {
            throw OutputError("\(path): takes \(list), which has no axis of 3 colours")
        }
        let (rows, columns) = layout == .nchw ? (shape[2], shape[3]) : (shape[1], shape[2])
        guard let height = rows ?? size?.height, let width = columns ?? size?.width else {
            throw OutputError("\(path): takes \(list), of any size; set \"size\", such as \"640x640\"")
        }
        let actual = InputSize(width: width, height: height)
        if let size, size != actual {
            throw OutputError(
                "\(path): takes \(list) and cannot be run at \(size); leave \"size\" out or set \"\(actual)\"")
        }
        let fixed = layout == .nchw ? [1, 3, height, width] : [1, height, width, 3]
        let isOpen = shape.contains(nil)
        return (
            ModelSource(name: path, onnx: bytes, inputShapes: isOpen ? [port.name: fixed] : [:]),
            ModelFileInput(size: actual, layout: layout)
        )
    }
}
