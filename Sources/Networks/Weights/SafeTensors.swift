// SPDX-License-Identifier: Apache-2.0

/// Reads and writes the `.safetensors` format: a length, a JSON header, raw tensors without gaps.
///
/// ```
/// | u64 header length | {"name": {"dtype", "shape", "data_offsets": [begin, end]}, ...} | tensor bytes ... |
/// ```
/// Files are untrusted: lengths, types, ranges and overlaps are checked before anything is used.
///
/// Source: huggingface/safetensors README, "Format".
public enum SafeTensors {
    private static let headerLimit = 16 << 20
    private static let tensorLimit = 65_536

    /// Reads a file.
    ///
    /// - Throws: `NetworkError` with code `.file` or `.format`.
    public static func read(path: String) throws(NetworkError) -> Weights {
        do {
            return try read(ModelFile.read(path))
        } catch {
            throw NetworkError(error.code, path: error.path ?? path, error.detail)
        }
    }

    /// Reads only what a file says about itself; the header is checked as `read` does, the tensors stay on the disk.
    ///
    /// - Throws: `NetworkError` with code `.file` or `.format`.
    public static func metadata(path: String) throws(NetworkError) -> [String: String] {
        do {
            let (start, size) = try ModelFile.readStart(path, count: 8)
            let length = try headerLength(start, fileSize: size)
            return try header(ModelFile.readStart(path, count: 8 + length).bytes, length, fileSize: size).metadata
        } catch {
            throw NetworkError(error.code, path: error.path ?? path, error.detail)
        }
    }

    /// Reads a file's bytes; tensors share them.
    public static func read(_ bytes: [UInt8]) throws(NetworkError) -> Weights {
        let length = try headerLength(bytes, fileSize: bytes.count)
        let header = try header(bytes, length, fileSize: bytes.count)
        var weights = Weights()
        weights.metadata = header.metadata
        for entry in header.entries {
            let start = 8 + length + entry.range.lowerBound
            guard weights[entry.name] == nil else { throw damaged("two tensors of this name", entry.name) }
            let slice = bytes[start..<start + entry.range.count]
            guard let tensor = Tensor(shape: entry.shape, type: entry.type, bytes: slice) else {
                throw damaged(
                    "\(entry.range.count) bytes for \(dimensions(entry.shape)) \(entry.type.rawValue)", entry.name)
            }
            weights[entry.name] = tensor
        }
        return weights
    }

    /// The file's bytes: tensors sorted by name, metadata first, every tensor aligned to 8 bytes.
    public static func write(_ weights: Weights) -> [UInt8] {
        // Wider types first, then by name: offsets then stay aligned without gaps, which the format forbids.
        let order = weights.names.sorted { a, b in
            let left = weights[a]?.type.byteCount ?? 0
            let right = weights[b]?.type.byteCount ?? 0
            return left == right ? a < b : left > right
        }
        var header = "{"
        if !weights.metadata.isEmpty {
            let pairs = weights.metadata.sorted { $0.key < $1.key }
            header += "\"__metadata__\":{"
            header += pairs.map { "\(HeaderJSON.quote($0.key)):\(HeaderJSON.quote($0.value))" }.joined(separator: ",")
            header += "}"
        }
        var offset = 0
        for name in order {
            guard let tensor = weights[name] else { continue }
            if header.utf8.count > 1 { header += "," }
            header += "\(HeaderJSON.quote(name)):{\"dtype\":\"\(tensor.type.rawValue.uppercased())\",\"shape\":["
            header += tensor.shape.map(String.init).joined(separator: ",")
            header += "],\"data_offsets\":[\(offset),\(offset + tensor.bytes.count)]}"
            offset += tensor.bytes.count
        }
        header += "}"
        while header.utf8.count % 8 != 0 { header += " " }
        var bytes = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) }
        bytes.reserveCapacity(8 + header.utf8.count + offset)
        bytes.append(contentsOf: header.utf8)
        for name in order {
            if let tensor = weights[name] { bytes.append(contentsOf: tensor.bytes) }
        }
        return bytes
    }

    /// Writes a file, all of it or nothing.
    public static func write(_ weights: Weights, path: String) throws(NetworkError) {
        try ModelFile.write(write(weights), to: path)
    }

    // MARK: - Header

    private struct Entry {
        let name: String
        let shape: [Int]
        let type: ElementType
        /// Where its bytes are, counted from the end of the header.
        let range: Range<Int>
    }

    private static func headerLength(_ bytes: [UInt8], fileSize: Int) throws(NetworkError) -> Int {
        guard bytes.count >= 8 else { throw damaged("\(bytes.count) bytes are too few for a header") }
        let declared = bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self).littleEndian }
        guard declared <= UInt64(headerLimit), declared <= UInt64(fileSize - 8) else {
            throw damaged("header of \(declared) bytes in a file of \(fileSize)")
        }
        return Int(declared)
    }

    /// What the header says, with every range inside the file and none in another.
    private static func header(
        _ bytes: [UInt8], _ length: Int, fileSize: Int
    ) throws(NetworkError) -> (metadata: [String: String], entries: [Entry]) {
        guard bytes.count >= 8 + length else { throw damaged("ends within its header") }
        guard case .object(let members) = try HeaderJSON.parse(bytes[8..<8 + length]) else {
            throw damaged("header is not a JSON object")
        }
        guard members.count <= tensorLimit else { throw damaged("\(members.count) tensors") }
        var found: [String: String] = [:]
        var entries: [Entry] = []
        for member in members {
            if member.key == "__metadata__" {
                found = try metadata(member.value)
            } else {
                entries.append(try entry(member.key, member.value, dataCount: fileSize - 8 - length))
            }
        }
        let ranges = entries.map(\.range).filter { !$0.isEmpty }.sorted { $0.lowerBound < $1.lowerBound }
        for (left, right) in zip(ranges, ranges.dropFirst()) where left.upperBound > right.lowerBound {
            throw damaged("tensors overlap at byte \(right.lowerBound)")
        }
        return (found, entries)
    }

    private static func metadata(_ value: HeaderJSON) throws(NetworkError) -> [String: String] {
        guard case .object(let members) = value else { throw damaged("is not an object", "__metadata__") }
        var metadata: [String: String] = [:]
        for member in members {
            let (key, value) = (member.key, member.value)
            guard case .string(let text) = value else { throw damaged("value of \(key) is not text", "__metadata__") }
            metadata[key] = text
        }
        return metadata
    }

    private static func entry(
        _ name: String, _ value: HeaderJSON, dataCount: Int
    ) throws(NetworkError) -> Entry {
        guard case .object(let members) = value else { throw damaged("is not an object", name) }
        var shape: [Int]?
        var type: ElementType?
        var range: Range<Int>?
        for member in members {
            let (key, value) = (member.key, member.value)
            switch (key, value) {
            case ("dtype", .string(let text)):
                type = ElementType(rawValue: text.lowercased())
                if type == nil { throw NetworkError(.unsupported, path: name, "number format \(text)") }
            case ("shape", .array(let extents)):
                shape = try extents.map { extent throws(NetworkError) in try integer(extent, name) }
            case ("data_offsets", .array(let ends)) where ends.count == 2:
                let begin = try integer(ends[0], name)
                let end = try integer(ends[1], name)
                guard begin <= end, end <= dataCount else {
                    throw damaged("bytes \(begin) to \(end) of \(dataCount)", name)
                }
                range = begin..<end
            default: throw damaged("unexpected \(key)", name)
            }
        }
        guard let shape, let type, let range else { throw damaged("needs dtype, shape and data_offsets", name) }
        guard shape.count <= 8 else { throw damaged("\(shape.count) axes", name) }
        return Entry(name: name, shape: shape, type: type, range: range)
    }

    private static func integer(_ value: HeaderJSON, _ name: String) throws(NetworkError) -> Int {
        guard case .integer(let number) = value, number >= 0 else { throw damaged("a size is not a count", name) }
        return number
    }

    private static func damaged(_ detail: String, _ name: String? = nil) -> NetworkError {
        NetworkError(.format, path: name, "damaged safetensors file: \(detail)")
    }
}
