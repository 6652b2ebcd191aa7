// SPDX-License-Identifier: Apache-2.0

/// The messages of an ONNX model, written field by field in a fixed order.
///
/// Source: onnx/onnx.proto, IR version 8; field numbers beside each call.
struct ONNXGraph {
    enum Attribute {
        case integer(Int)
        case integers([Int])
        case float(Float)
        case string(String)
    }

    static let opset = 17
    private static let irVersion = 8
    private static let floatType = 1
    static let int64Type = 7
    private static let uint8Type = 2
    private static let int8Type = 3

    private let name: String
    private var nodes = ProtobufWriter()
    private var initialisers = ProtobufWriter()
    private var ports = ProtobufWriter()
    private var names: Set<String> = []

    init(name: String) { self.name = name }

    /// Appends a node; an empty input name stands for an optional input that is not given.
    mutating func node(
        _ type: String, name: String, inputs: [String], outputs: [String],
        _ attributes: KeyValuePairs<String, Attribute> = [:]
    ) {
        nodes.message(1) { node in
            for input in inputs { node.string(1, input) }
            for output in outputs { node.string(2, output) }
            node.string(3, name)
            node.string(4, type)
            for (key, value) in attributes { node.message(5) { Self.write(key, value, to: &$0) } }
        }
    }

    /// Appends a float32 constant unless one of this name is there.
    mutating func floats(_ name: String, shape: [Int], bytes: some Collection<UInt8>) {
        initialiser(name, type: Self.floatType, shape: shape, bytes: bytes)
    }

    mutating func floats(_ name: String, shape: [Int], _ values: [Float]) {
        floats(name, shape: shape, bytes: values.withUnsafeBytes { Array($0) })
    }

    /// Appends an int64 vector unless one of this name is there.
    mutating func integers(_ name: String, _ values: [Int]) {
        let raw = values.map { Int64($0).littleEndian }
        initialiser(name, type: Self.int64Type, shape: [values.count], bytes: raw.withUnsafeBytes { Array($0) })
    }

    /// Appends an int8 constant unless one of this name is there.
    mutating func int8(_ name: String, shape: [Int], bytes: some Collection<UInt8>) {
        initialiser(name, type: Self.int8Type, shape: shape, bytes: bytes)
    }

    /// Appends a uint8 constant unless one of this name is there.
    mutating func uint8(_ name: String, shape: [Int], bytes: some Collection<UInt8>) {
        initialiser(name, type: Self.uint8Type, shape: shape, bytes: bytes)
    }

    mutating func input(_ name: String, shape: [Int]) { port(11, name, shape, Self.floatType) }

    mutating func output(_ name: String, shape: [Int], isInteger: Bool) {
        port(12, name, shape, isInteger ? Self.int64Type : Self.floatType)
    }

    /// The whole model; metadata is written in the order of its keys.
    func model(metadata: [String: String] = [:]) -> [UInt8] {
        var model = ProtobufWriter()
        model.integer(1, Self.irVersion)  // ir_version
        model.string(2, "vpipe")  // producer_name
        model.message(7) { graph in
            graph.raw(nodes.bytes)  // node = 1
            graph.string(2, name)  // name
            graph.raw(initialisers.bytes)  // initializer = 5
            graph.raw(ports.bytes)  // input = 11, output = 12
        }
        model.message(8) { opset in  // opset_import
            opset.string(1, "")
            opset.integer(2, Self.opset)
        }
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            model.message(14) { entry in  // metadata_props
                entry.string(1, key)
                entry.string(2, value)
            }
        }
        return model.bytes
    }

    // MARK: - Private

    private mutating func initialiser(_ name: String, type: Int, shape: [Int], bytes: some Collection<UInt8>) {
        guard names.insert(name).inserted else { return }
        initialisers.message(5) { tensor in
            tensor.packed(1, shape)  // dims
            tensor.integer(2, type)  // data_type
            tensor.string(8, name)
            tensor.blob(9, bytes)  // raw_data
        }
    }

    private mutating func port(_ field: Int, _ name: String, _ shape: [Int], _ type: Int) {
        ports.message(field) { info in
            info.string(1, name)
            info.message(2) { typed in
                typed.message(1) { tensor in  // tensor_type
                    tensor.integer(1, type)  // elem_type
                    tensor.message(2) { dims in  // shape
                        for extent in shape { dims.message(1) { $0.integer(1, extent) } }  // dim.dim_value
                    }
                }
            }
        }
    }

    private static func write(_ key: String, _ value: Attribute, to attribute: inout ProtobufWriter) {
        attribute.string(1, key)
        switch value {
        case .float(let number):
            attribute.float(2, number)
            attribute.integer(20, 1)
        case .integer(let number):
            attribute.integer(3, number)
            attribute.integer(20, 2)
        case .string(let text):
            attribute.string(4, text)
            attribute.integer(20, 3)
        case .integers(let numbers):
            for number in numbers { attribute.integer(8, number) }
            attribute.integer(20, 7)
        }
    }
}
