// SPDX-License-Identifier: Apache-2.0

/// Writes the protobuf wire format: varints, length-delimited fields and nested messages, nothing else.
///
/// Source: protobuf.dev, "Encoding".
struct ProtobufWriter {
    private(set) var bytes: [UInt8] = []

    /// Wire type 0.
    ///
    /// Negative numbers take ten bytes, as `int64` fields do.
    mutating func integer(_ field: Int, _ value: Int) {
        key(field, 0)
        varint(UInt64(bitPattern: Int64(value)))
    }

    /// Wire type 5, a `float` field.
    mutating func float(_ field: Int, _ value: Float) {
        key(field, 5)
        for shift in stride(from: 0, to: 32, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: value.bitPattern >> shift))
        }
    }

    mutating func string(_ field: Int, _ value: String) { blob(field, value.utf8) }

    /// Wire type 2 from any bytes.
    mutating func blob(_ field: Int, _ value: some Collection<UInt8>) {
        key(field, 2)
        varint(UInt64(value.count))
        bytes.append(contentsOf: value)
    }

    /// Packed repeated integers.
    mutating func packed(_ field: Int, _ values: [Int]) {
        var child = ProtobufWriter()
        for value in values { child.varint(UInt64(bitPattern: Int64(value))) }
        blob(field, child.bytes)
    }

    /// Wire type 2 holding another message.
    mutating func message(_ field: Int, _ write: (inout ProtobufWriter) -> Void) {
        var child = ProtobufWriter()
        write(&child)
        blob(field, child.bytes)
    }

    /// Fields that another writer already encoded.
    mutating func raw(_ encoded: [UInt8]) { bytes.append(contentsOf: encoded) }

    private mutating func key(_ field: Int, _ wireType: Int) { varint(UInt64(field << 3 | wireType)) }

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}
