// SPDX-License-Identifier: Apache-2.0

/// The members of a zip file stored without compression, which is how PyTorch writes its archives.
///
/// Files are untrusted: all offsets and sizes are checked, and contents against their CRC-32.
///
/// Source: PKWARE APPNOTE.TXT 6.3.9, sections 4.3 and 4.5.3 (zip64).
struct ZipArchive {
    private struct Entry {
        let method: Int
        let crc: UInt32
        let compressed, size, headerOffset: Int
    }

    private static let entryLimit = 65_536
    private let bytes: [UInt8]
    private var entries: [String: Entry] = [:]
    /// Member names in the order of the directory.
    private(set) var names: [String] = []

    static func matches(_ bytes: [UInt8]) -> Bool { bytes.starts(with: [0x50, 0x4B, 0x03, 0x04]) }

    init(_ bytes: [UInt8]) throws(NetworkError) {
        self.bytes = bytes
        let (count, start) = try Self.directory(bytes)
        guard count <= Self.entryLimit else { throw Self.damaged("\(count) members") }
        var reader = ByteReader(bytes: bytes[...], position: start)
        for _ in 0..<count {
            guard try reader.unsigned(4) == 0x0201_4B50 else { throw Self.damaged("directory entry without its mark") }
            _ = try reader.bytes(4)  // versions
            let flags = try reader.unsigned(2)
            let method = try reader.unsigned(2)
            _ = try reader.bytes(4)  // time and date
            let crc = UInt32(truncatingIfNeeded: try reader.unsigned(4))
            var sizes = [try reader.unsigned(4), try reader.unsigned(4)]  // compressed, size
            let nameLength = try reader.unsigned(2)
            let extraLength = try reader.unsigned(2)
            let commentLength = try reader.unsigned(2)
            _ = try reader.bytes(8)  // disk and attributes
            var offset = try reader.unsigned(4)
            let name = String(decoding: try reader.bytes(nameLength), as: UTF8.self)
            try Self.widen(try reader.bytes(extraLength), &sizes, &offset)
            _ = try reader.bytes(commentLength)
            guard flags & 1 == 0 else { throw NetworkError(.unsupported, path: name, "is encrypted") }
            let entry = Entry(
                method: method, crc: crc, compressed: sizes[0], size: sizes[1], headerOffset: offset)
            guard entries.updateValue(entry, forKey: name) == nil else { throw Self.damaged("two members \(name)") }
            names.append(name)
        }
    }

    /// A member's bytes as a view; nil when there is none of this name.
    func contents(_ name: String) throws(NetworkError) -> ArraySlice<UInt8>? {
        guard let entry = entries[name] else { return nil }
        guard entry.method == 0, entry.compressed == entry.size else {
            throw NetworkError(
                .unsupported, path: name,
                "is compressed (method \(entry.method)); only members stored as they are can be read "
                    + "(numpy.savez, torch.save)")
        }
        var reader = ByteReader(bytes: bytes[...], position: entry.headerOffset)
        guard try reader.unsigned(4) == 0x0403_4B50 else { throw Self.damaged("member \(name) without its mark") }
        _ = try reader.bytes(22)
        let nameLength = try reader.unsigned(2)
        let extraLength = try reader.unsigned(2)
        _ = try reader.bytes(nameLength)
        _ = try reader.bytes(extraLength)
        let contents = try reader.bytes(entry.size)
        guard CRC32.checksum(contents) == entry.crc else { throw Self.damaged("member \(name) has a wrong checksum") }
        return contents
    }

    // MARK: - Private

    /// Number of members and where the directory starts.
    private static func directory(_ bytes: [UInt8]) throws(NetworkError) -> (count: Int, start: Int) {
        // The end record is 22 bytes and a comment of at most 65,535.
        let lowest = max(0, bytes.count - 22 - 65_535)
        var end = bytes.count - 22
        while end >= lowest {
            if bytes[end] == 0x50, bytes[end + 1] == 0x4B, bytes[end + 2] == 0x05, bytes[end + 3] == 0x06 { break }
            end -= 1
        }
        guard end >= lowest else { throw damaged("no directory") }
        var reader = ByteReader(bytes: bytes[...], position: end + 10)
        let count = try reader.unsigned(2)
        _ = try reader.bytes(4)
        let start = try reader.unsigned(4)
        guard count == 0xFFFF || start == 0xFFFF_FFFF else { return (count, start) }
        reader.position = end - 20  // the zip64 locator
        guard end >= 20, try reader.unsigned(4) == 0x0706_4B50 else { return (count, start) }
        _ = try reader.bytes(4)
        reader.position = try reader.unsigned(8)
        guard try reader.unsigned(4) == 0x0606_4B50 else { throw damaged("zip64 record without its mark") }
        _ = try reader.bytes(28)
        let wideCount = try reader.unsigned(8)
        _ = try reader.bytes(8)
        return (wideCount, try reader.unsigned(8))
    }

    /// Replaces sizes that did not fit 32 bits by those of the zip64 extra field.
    private static func widen(
        _ extra: ArraySlice<UInt8>, _ sizes: inout [Int], _ offset: inout Int
    ) throws(NetworkError) {
        var reader = ByteReader(bytes: extra, position: extra.startIndex)
        while extra.endIndex - reader.position >= 4 {
            let id = try reader.unsigned(2)
            let length = try reader.unsigned(2)
            let content = try reader.bytes(length)
            guard id == 1 else { continue }
            var field = ByteReader(bytes: content, position: content.startIndex)
            // In this order and only for fields that are all ones: size, compressed size, offset.
            if sizes[1] == 0xFFFF_FFFF { sizes[1] = try field.unsigned(8) }
            if sizes[0] == 0xFFFF_FFFF { sizes[0] = try field.unsigned(8) }
            if offset == 0xFFFF_FFFF { offset = try field.unsigned(8) }
        }
    }

    private static func damaged(_ detail: String) -> NetworkError {
        NetworkError(.format, "damaged zip file: \(detail)")
    }
}

/// The checksum of zip files: polynomial 0xEDB88320, reflected.
enum CRC32 {
    static func checksum(_ bytes: some Collection<UInt8>) -> UInt32 {
        var crc: UInt32 = 0xFFFF_FFFF
        table.withUnsafeBufferPointer { table in
            let done: Void? = bytes.withContiguousStorageIfAvailable { buffer in
                var i = 0
                while i < buffer.count {
                    crc = table[Int((crc ^ UInt32(buffer[i])) & 0xFF)] ^ crc >> 8
                    i &+= 1
                }
            }
            if done == nil { for byte in bytes { crc = table[Int((crc ^ UInt32(byte)) & 0xFF)] ^ crc >> 8 } }
        }
        return ~crc
    }

    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? 0xEDB8_8320 ^ value >> 1 : value >> 1 }
    }
}
