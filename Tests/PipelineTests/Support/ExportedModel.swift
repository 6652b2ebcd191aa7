// SPDX-License-Identifier: Apache-2.0
@testable import Networks

/// An ONNX file as exporters of others write it: any operator, any element type, weights inside or beside.
///
/// Field numbers are those of onnx.proto, operator set 17.
struct ExportedModel {
    /// The numbers of TensorProto.DataType.
    enum Kind: Int { case f32 = 1, u8 = 2, i32 = 6, i64 = 7, f16 = 10 }
    enum Attribute { case integer(Int), integers([Int]) }

    private var nodes = ProtobufWriter()
    private var weights = ProtobufWriter()
    private var ports = ProtobufWriter()
    private var metadata = ProtobufWriter()

    /// Takes a picture in, as `x`, and makes of it `zero`: a number that no optimiser knows to be 0.
    init(_ kind: Kind = .f32, _ shape: [Int] = [1, 3, 32, 32]) {
        input("x", kind, shape)
        node("Cast", ["x"], "floats", ["to": .integer(Kind.f32.rawValue)])
        node("ReduceMean", ["floats"], "mean", ["keepdims": .integer(0)])
        floats("nothing", [], [0])
        node("Mul", ["mean", "nothing"], "zero")
    }

    mutating func node(
        _ type: String, _ inputs: [String], _ output: String, _ attributes: KeyValuePairs<String, Attribute> = [:]
    ) {
        nodes.message(1) { node in
            for input in inputs { node.string(1, input) }
            node.string(2, output)
            node.string(4, type)
            for (key, value) in attributes {
                node.message(5) { attribute in
                    attribute.string(1, key)
                    switch value {
                    case .integer(let number):
                        attribute.integer(3, number)
                        attribute.integer(20, 2)
                    case .integers(let numbers):
                        for number in numbers { attribute.integer(8, number) }
                        attribute.integer(20, 7)
                    }
                }
            }
        }
    }

    mutating func floats(_ name: String, _ shape: [Int], _ values: [Float]) {
        constant(name, .f32, shape, values.withUnsafeBytes { Array($0) })
    }

    mutating func integers(_ name: String, _ shape: [Int], _ values: [Int64]) {
        constant(name, .i64, shape, values.withUnsafeBytes { Array($0) })
    }

    /// Floats that lie in another file.
    mutating func floats(_ name: String, _ shape: [Int], in file: String, at offset: Int) {
        weights.message(5) { tensor in
            tensor.packed(1, shape)
            tensor.integer(2, Kind.f32.rawValue)
            tensor.string(8, name)
            let count = shape.reduce(4, *)
            for (key, value) in [("location", file), ("offset", "\(offset)"), ("length", "\(count)")] {
                tensor.message(13) { entry in
                    entry.string(1, key)
                    entry.string(2, value)
                }
            }
            tensor.integer(14, 1)
        }
    }

    private mutating func constant(_ name: String, _ kind: Kind, _ shape: [Int], _ bytes: [UInt8]) {
        weights.message(5) { tensor in
            if !shape.isEmpty { tensor.packed(1, shape) }
            tensor.integer(2, kind.rawValue)
            tensor.string(8, name)
            tensor.blob(9, bytes)
        }
    }

    mutating func input(_ name: String, _ kind: Kind, _ shape: [Int?]) { port(11, name, kind, shape) }

    /// A size of nil is open.
    mutating func output(_ name: String, _ kind: Kind, _ shape: [Int?]) { port(12, name, kind, shape) }

    /// Gives `values` out, whatever the picture is, as numbers of a kind.
    mutating func output(_ name: String, _ kind: Kind, _ shape: [Int], _ values: [Float]) {
        floats(name + ".values", shape, values)
        node("Add", [name + ".values", "zero"], name + ".floats")
        node("Cast", [name + ".floats"], name, ["to": .integer(kind.rawValue)])
        output(name, kind, shape)
    }

    mutating func says(_ key: String, _ value: String) {
        metadata.message(14) { entry in
            entry.string(1, key)
            entry.string(2, value)
        }
    }

    private mutating func port(_ field: Int, _ name: String, _ kind: Kind, _ shape: [Int?]) {
        ports.message(field) { info in
            info.string(1, name)
            info.message(2) { type in
                type.message(1) { tensor in
                    tensor.integer(1, kind.rawValue)
                    tensor.message(2) { dims in
                        for size in shape {
                            dims.message(1) { if let size { $0.integer(1, size) } else { $0.string(2, "open") } }
                        }
                    }
                }
            }
        }
    }

    var bytes: [UInt8] {
        var model = ProtobufWriter()
        model.integer(1, 8)
        model.message(7) { graph in
            graph.raw(nodes.bytes)
            graph.string(2, "exported")
            graph.raw(weights.bytes)
            graph.raw(ports.bytes)
        }
        model.message(8) { opset in
            opset.string(1, "")
            opset.integer(2, 17)
        }
        model.raw(metadata.bytes)
        return model.bytes
    }
}
