// SPDX-License-Identifier: Apache-2.0
import Inference
import Networks

/// The inputs and outputs that an ONNX model declares, sizes that it leaves open as 1.
struct ONNXPorts {
    private(set) var inputs: [TensorInfo] = []
    private(set) var outputs: [TensorInfo] = []

    /// Nil when the bytes are no model.
    init?(_ bytes: [UInt8]) {
        // Field numbers of onnx.proto: ModelProto.graph 7, GraphProto.input 11 and output 12.
        guard let graph = try? Self.messages(7, in: bytes[...]).first,
            let inputs = try? Self.messages(11, in: graph), let outputs = try? Self.messages(12, in: graph),
            !inputs.isEmpty, !outputs.isEmpty
        else { return nil }
        self.inputs = inputs.compactMap(Self.port)
        self.outputs = outputs.compactMap(Self.port)
    }

    /// A ValueInfoProto: name 1, type 2; there tensor_type 1 with elem_type 1 and shape 2, whose dims are 1.
    private static func port(_ info: ArraySlice<UInt8>) -> TensorInfo? {
        guard let name = try? messages(1, in: info).first, let type = try? messages(2, in: info).first,
            let tensor = try? messages(1, in: type).first, let kind = try? number(1, in: tensor)
        else { return nil }
        let shape = (try? messages(2, in: tensor).first) ?? []
        let sizes = ((try? messages(1, in: shape)) ?? []).map { max(1, Int((try? number(1, in: $0)) ?? 1)) }
        return TensorInfo(
            name: String(decoding: name, as: UTF8.self), shape: sizes, element: kind == 7 ? .i64 : .f32)
    }

    private static func messages(_ field: UInt64, in bytes: ArraySlice<UInt8>) throws -> [ArraySlice<UInt8>] {
        var reader = ProtobufReader(bytes)
        var found: [ArraySlice<UInt8>] = []
        while let (number, value) = try reader.next() {
            if number == field, case .bytes(let bytes) = value { found.append(bytes) }
        }
        return found
    }

    private static func number(_ field: UInt64, in bytes: ArraySlice<UInt8>) throws -> UInt64? {
        var reader = ProtobufReader(bytes)
        while let (number, value) = try reader.next() {
            if number == field, case .varint(let found) = value { return found }
        }
        return nil
    }
}
