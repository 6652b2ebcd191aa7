// SPDX-License-Identifier: Apache-2.0

/// Reads little-endian numbers and runs of bytes from untrusted bytes, checking every length.
struct ByteReader {
    let bytes: ArraySlice<UInt8>
    /// Index into `bytes` of what comes next.
    var position: Int

    mutating func byte() throws(NetworkError) -> UInt8 {
        guard position >= bytes.startIndex, position < bytes.endIndex else { throw ended }
        defer { position += 1 }
        return bytes[position]
    }

    /// The next `count` bytes as a view.
    mutating func bytes(_ count: Int) throws(NetworkError) -> ArraySlice<UInt8> {
        guard count >= 0, position >= bytes.startIndex, position <= bytes.endIndex,
            count <= bytes.endIndex - position
        else { throw ended }
        defer { position += count }
        return bytes[position..<(position + count)]
    }

    /// An unsigned number of up to 8 bytes.
    ///
    /// - Throws: `NetworkError.Code.format` also when it exceeds `Int.max`.
    mutating func unsigned(_ count: Int) throws(NetworkError) -> Int {
        var bits: UInt64 = 0
        for (index, byte) in try bytes(count).enumerated() { bits |= UInt64(byte) << UInt64(index * 8) }
        guard let number = Int(exactly: bits) else { throw NetworkError(.format, "damaged file: a size beyond reason") }
        return number
    }

    /// A big-endian binary64, as pickles store it.
    mutating func double() throws(NetworkError) -> Double {
        var bits: UInt64 = 0
        for byte in try bytes(8) { bits = bits << 8 | UInt64(byte) }
        return Double(bitPattern: bits)
    }

    /// Text up to a line feed, which is consumed.
    mutating func line() throws(NetworkError) -> String {
        guard position >= bytes.startIndex, position <= bytes.endIndex,
            let end = bytes[position...].firstIndex(of: 0x0A)
        else { throw ended }
        defer { position = end + 1 }
        return String(decoding: bytes[position..<end], as: UTF8.self)
    }

    private var ended: NetworkError { NetworkError(.format, "damaged file: it ends in the middle") }
}
