// SPDX-License-Identifier: Apache-2.0
internal import Networks

/// What an ONNX file says of itself: its ports, its metadata, the files beside it that hold its weights.
///
/// Read without an engine, from untrusted bytes: every length is checked, and nothing is reserved by what they say. A pure
/// value.
///
/// Source: onnx.proto3 of the ONNX repository, which gives the fields their numbers.
public struct ONNXHeader: Sendable {
    /// What the network takes, in the file's order, without weights that are listed as inputs.
    public private(set) var inputs: [ModelInput] = []
    /// The names of the outputs, in the file's order.
    public private(set) var outputs: [String] = []
    /// What exporters add: `names`, `stride`, `author`.
    public private(set) var metadata: [String: String] = [:]
    /// Files with weights, as the model names them: relative to itself.
    public private(set) var externalFiles: Set<String> = []

    private var weights: Set<String> = []
    /// Graphs within graphs.
    private static let deepest = 32

    /// Reads a serialised `ModelProto`; `name` is for messages.
    ///
    /// - Throws: `invalidModel`.
    public init(_ bytes: [UInt8], of name: String = "the model") throws(InferenceError) {
        guard !bytes.isEmpty else {
            throw InferenceError(.invalidModel, operation: "reading \(name)", detail: "the model is empty")
        }
        do throws(NetworkError) {
            var hasGraph = false
            var message = ProtobufReader(bytes[...])
            while let (field, value) = try message.next() {
                switch (field, value) {
                case (7, .bytes(let graph)):
                    hasGraph = true
                    try readGraph(graph, depth: 0)
                case (14, .bytes(let entry)):
                    let (key, text) = try Self.pair(entry)
                    metadata[key] = text
                case (25, .bytes(let function)): try readNodes(function, field: 7, depth: 1)
                default: break
                }
            }
            guard hasGraph else { throw NetworkError(.format, "holds no network") }
        } catch {
            throw InferenceError(
                .invalidModel, operation: "reading \(name)", detail: "not an ONNX file, or damaged: \(error)")
        }
        inputs.removeAll { weights.contains($0.name) }
    }

    // MARK: - Messages

    private mutating func readGraph(_ bytes: ArraySlice<UInt8>, depth: Int) throws(NetworkError) {
        guard depth < Self.deepest else {
            throw NetworkError(.format, "damaged file: graphs within graphs without end")
        }
        var message = ProtobufReader(bytes)
        while let (field, value) = try message.next() {
            guard case .bytes(let part) = value else { continue }
            switch field {
            case 1: try readNode(part, depth: depth)
            case 5:
                let name = try readTensor(part)
                if depth == 0 { weights.insert(name) }
            case 11 where depth == 0: inputs.append(try Self.port(part))
            case 12 where depth == 0: outputs.append(try Self.port(part).name)
            case 15:
                var sparse = ProtobufReader(part)
                while let (field, value) = try sparse.next() {
                    if field <= 2, case .bytes(let tensor) = value { _ = try readTensor(tensor) }
                }
            default: break
            }
        }
    }

    private mutating func readNodes(_ bytes: ArraySlice<UInt8>, field node: UInt64, depth: Int) throws(NetworkError) {
        var message = ProtobufReader(bytes)
        while let (field, value) = try message.next() {
            if field == node, case .bytes(let part) = value { try readNode(part, depth: depth) }
        }
    }

    private mutating func readNode(_ bytes: ArraySlice<UInt8>, depth: Int) throws(NetworkError) {
        var message = ProtobufReader(bytes)
        while let (field, value) = try message.next() {
            guard field == 5, case .bytes(let attribute) = value else { continue }
            var parts = ProtobufReader(attribute)
            while let (field, value) = try parts.next() {
                guard case .bytes(let part) = value else { continue }
                switch field {
                case 5, 10: _ = try readTensor(part)
                case 6, 11: try readGraph(part, depth: depth + 1)
                default: break
                }
            }
        }
    }

    /// Notes where a tensor's numbers are; its name.
    private mutating func readTensor(_ bytes: ArraySlice<UInt8>) throws(NetworkError) -> String {
        var name = ""
        var location: String?
        var isExternal = false
        var message = ProtobufReader(bytes)
        while let (field, value) = try message.next() {
            switch (field, value) {
            case (8, .bytes(let text)): name = String(decoding: text, as: UTF8.self)
            case (13, .bytes(let entry)):
                let (key, text) = try Self.pair(entry)
                if key == "location" { location = text }
            case (14, .varint(let place)): isExternal = place == 1
            default: break
            }
        }
        if isExternal, let location { externalFiles.insert(location) }
        return name
    }

    private static func pair(_ bytes: ArraySlice<UInt8>) throws(NetworkError) -> (key: String, text: String) {
        var (key, text) = ("", "")
        var message = ProtobufReader(bytes)
        while let (field, value) = try message.next() {
            guard case .bytes(let part) = value else { continue }
            if field == 1 { key = String(decoding: part, as: UTF8.self) }
            if field == 2 { text = String(decoding: part, as: UTF8.self) }
        }
        return (key, text)
    }

    private static func port(_ bytes: ArraySlice<UInt8>) throws(NetworkError) -> ModelInput {
        var name = ""
        var element: ElementType?
        var shape: [Int?]?
        var message = ProtobufReader(bytes)
        while let (field, value) = try message.next() {
            guard case .bytes(let part) = value else { continue }
            if field == 1 { name = String(decoding: part, as: UTF8.self) }
            guard field == 2 else { continue }
            var type = ProtobufReader(part)
            while let (field, value) = try type.next() {
                guard field == 1, case .bytes(let tensor) = value else { continue }
                var parts = ProtobufReader(tensor)
                while let (field, value) = try parts.next() {
                    switch (field, value) {
                    case (1, .varint(let number)): element = Self.element(number)
                    case (2, .bytes(let sizes)): shape = try Self.shape(sizes)
                    default: break
                    }
                }
            }
        }
        return ModelInput(name: name, shape: shape, element: element)
    }

    private static func shape(_ bytes: ArraySlice<UInt8>) throws(NetworkError) -> [Int?] {
        var sizes: [Int?] = []
        var message = ProtobufReader(bytes)
        while let (field, value) = try message.next() {
            guard field == 1, case .bytes(let part) = value else { continue }
            var size: Int?
            var dimension = ProtobufReader(part)
            while let (field, value) = try dimension.next() {
                // Some exporters write 0 where any size will do.
                if field == 1, case .varint(let number) = value {
                    size = Int(exactly: number).flatMap { $0 > 0 ? $0 : nil }
                }
            }
            sizes.append(size)
        }
        return sizes
    }

    private static func element(_ number: UInt64) -> ElementType? {
        switch number {
        case 1: .f32
        case 2: .u8
        case 3: .i8
        case 6: .i32
        case 7: .i64
        case 10: .f16
        case 16: .bf16
        default: nil
        }
    }
}
