// SPDX-License-Identifier: Apache-2.0

/// Walks the fields of a protocol-buffers message in untrusted bytes, checking every length.
///
/// Nothing is known of the schema: the caller picks fields by number and skips the others.
///
/// Source: protobuf.dev, "Encoding".
package struct ProtobufReader {
    /// One field's value by its wire type.
    package enum Value {
        case varint(UInt64)
        case fixed64(UInt64)
        case fixed32(UInt32)
        /// Text, bytes, packed numbers or a message.
        case bytes(ArraySlice<UInt8>)
    }

    private var reader: ByteReader

    package init(_ bytes: ArraySlice<UInt8>) { reader = ByteReader(bytes: bytes, position: bytes.startIndex) }

    /// The next field; nil at the message's end.
    ///
    /// - Throws: `NetworkError.Code.format` where the bytes are no message.
    package mutating func next() throws(NetworkError) -> (field: UInt64, value: Value)? {
        guard reader.position < reader.bytes.endIndex else { return nil }
        let key = try varint()
        guard key >> 3 > 0 else { throw NetworkError(.format, "damaged file: a field without a number") }
        switch key & 7 {
        case 0: return (key >> 3, .varint(try varint()))
        case 1:
            var bits: UInt64 = 0
            for (index, byte) in try reader.bytes(8).enumerated() { bits |= UInt64(byte) << UInt64(8 * index) }
            return (key >> 3, .fixed64(bits))
        case 2:
            guard let count = Int(exactly: try varint()) else {
                throw NetworkError(.format, "damaged file: a size beyond reason")
            }
            return (key >> 3, .bytes(try reader.bytes(count)))
        case 5: return (key >> 3, .fixed32(UInt32(try reader.unsigned(4))))
        case let type: throw NetworkError(.format, "damaged file: a field of kind \(type)")
        }
    }

    /// A whole sequence of packed varints.
    package static func varints(_ bytes: ArraySlice<UInt8>) throws(NetworkError) -> [UInt64] {
        var reader = ProtobufReader(bytes)
        var numbers: [UInt64] = []
        while reader.reader.position < bytes.endIndex { numbers.append(try reader.varint()) }
        return numbers
    }

    private mutating func varint() throws(NetworkError) -> UInt64 {
        var number: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            let byte = try reader.byte()
            number |= UInt64(byte & 0x7F) << shift  // bits beyond 64 fall off, as in the reference
            if byte & 0x80 == 0 { return number }
        }
        throw NetworkError(.format, "damaged file: a number without an end")
    }
}
