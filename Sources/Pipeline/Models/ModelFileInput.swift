// SPDX-License-Identifier: Apache-2.0
internal import Inference
internal import Networks
internal import Vision

/// The picture input of an ONNX file: which axis is which, and the size it is run at.
struct ModelFileInput {
    let size: InputSize
    let layout: Preprocessor.Layout
    /// What the file says of itself.
    let metadata: [String: String]

    /// Reads the file and settles what it leaves open.
    ///
    /// - Throws: a sentence that names the file, what its input is, and what to set.
    static func resolve(_ path: String, size: InputSize?) throws -> (source: ModelSource, input: ModelFileInput) {
        let bytes = try ModelFile.read(path)
        let header = try ONNXHeader(bytes, of: path)
        let list = header.inputs.map(\.description).joined(separator: ", ")
        let pictures = header.inputs.filter { $0.shape?.count == 4 }
        guard pictures.count == 1, let port = pictures.first, let shape = port.shape else {
            throw OutputError(
                "\(path): takes \(header.inputs.count) inputs (\(list)); one picture is what the node has")
        }
        var shapes: [String: [Int]] = [:]
        for other in header.inputs where other.name != port.name {
            let fixed = other.shape.map { $0.enumerated().map { $1 ?? ($0 == 0 ? 1 : 2) } } ?? [1, 2]
            guard let element = other.element,
                PictureExtent(of: TensorInfo(name: other.name, shape: fixed, element: element)) != nil
            else {
                throw OutputError("\(path): takes \(list); beside the picture only its size (two numbers) can be given")
            }
            if other.shape.map({ $0.contains(nil) }) ?? true { shapes[other.name] = fixed }
        }
        guard let element = port.element, [.f32, .f16, .u8].contains(element) else {
            throw OutputError("\(path): takes \(list); a picture is f32, f16 or u8")
        }
        let layout: Preprocessor.Layout
        let channels: Int
        if shape[1] == 3 || (shape[1] == nil && shape[3] != 3) {
            (layout, channels) = (.nchw, 3)
        } else if shape[3] == 3 {
            (layout, channels) = (.nhwc, 3)
        } else if shape[1] == 1 {
            (layout, channels) = (.nchw, 1)
        } else if shape[3] == 1 {
            (layout, channels) = (.nhwc, 1)
        } else {
            throw OutputError("\(path): takes \(list), which has no axis of 3 colours, or of 1")
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
        if shape.contains(nil) {
            let batch = shape[0] ?? 1
            shapes[port.name] = layout == .nchw ? [batch, channels, height, width] : [batch, height, width, channels]
        }
        return (
            try ModelSource.file(path, onnx: bytes, header: header, inputShapes: shapes),
            ModelFileInput(size: actual, layout: layout, metadata: header.metadata)
        )
    }
}
