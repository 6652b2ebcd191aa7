// SPDX-License-Identifier: Apache-2.0

/// Reads and writes arrays in NumPy's `.npy` format: a magic number, a header in Python's notation, raw numbers.
///
/// Files are untrusted: lengths and sizes are checked before anything is used.
///
/// - Note: Source: numpy.lib.format, versions 1.0 to 3.0; little endian, C order.
public enum NPY {
    private static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
    private static let types: [(code: String, type: ElementType)] = [
        ("<f4", .f32), ("<f8", .f64), ("<f2", .f16), ("<i8", .i64), ("<i4", .i32), ("<i2", .i16), ("|i1", .i8),
        ("|u1", .u8), ("|b1", .bool),
    ]

    /// Reads an array; its bytes are a view.
    ///
    /// - Throws: `NetworkError.Code.format`; `.unsupported` for other types, big-endian numbers and Fortran order.
    public static func read(_ bytes: ArraySlice<UInt8>) throws(NetworkError) -> Tensor {
        var reader = ByteReader(bytes: bytes, position: bytes.startIndex)
        guard try reader.bytes(6).elementsEqual(magic) else { throw damaged("no magic number") }
        let version = try reader.byte()
        _ = try reader.byte()
        guard (1...3).contains(version) else { throw NetworkError(.unsupported, "npy version \(version)") }
        let length = try reader.unsigned(version == 1 ? 2 : 4)
        let header = String(decoding: try reader.bytes(length), as: UTF8.self)
        let code = try text(after: "'descr':", in: header, from: "'", to: "'")
        guard let type = types.first(where: { $0.code == code })?.type else {
            throw NetworkError(
                .unsupported, "numbers of type \(code); convert with .astype(\"float32\") or .astype(\"uint8\")")
        }
        let shape = try shape(text(after: "'shape':", in: header, from: "(", to: ")"))
        let isFortran = try text(after: "'fortran_order':", in: header, from: " ", to: ",") == "True"
        guard !isFortran || shape.count < 2 else {
            throw NetworkError(.unsupported, "Fortran order; convert with numpy.ascontiguousarray")
        }
        let rest = bytes[reader.position...]
        guard let tensor = Tensor(shape: shape, type: type, bytes: rest) else {
            throw damaged("\(rest.count) bytes for \(dimensions(shape)) \(type.rawValue)")
        }
        return tensor
    }

    /// An array's file; bf16, which NumPy lacks, becomes f32.
    public static func write(_ tensor: Tensor) -> [UInt8] {
        guard let code = types.first(where: { $0.type == tensor.type })?.code else {
            return write(Tensor(shape: tensor.shape, floats: tensor.floats() ?? []))
        }
        let sizes = tensor.shape.map(String.init).joined(separator: ", ") + (tensor.shape.count == 1 ? "," : "")
        var header = "{'descr': '\(code)', 'fortran_order': False, 'shape': (\(sizes)), }"
        // The numbers start at a multiple of 64.
        while (header.utf8.count + 11) % 64 != 0 { header += " " }
        header += "\n"
        let length = header.utf8.count
        return magic + [1, 0, UInt8(length & 255), UInt8(length >> 8)] + Array(header.utf8) + tensor.bytes
    }

    private static func shape(_ text: Substring) throws(NetworkError) -> [Int] {
        var shape: [Int] = []
        for part in text.split(separator: ",") {
            let digits = part.filter { $0 != " " }
            if digits.isEmpty { continue }
            guard let size = Int(digits), size >= 0 else { throw damaged("shape (\(text))") }
            shape.append(size)
        }
        guard shape.count <= 8 else { throw damaged("\(shape.count) axes") }
        return shape
    }

    /// What stands between two marks, after a key.
    private static func text(
        after key: String, in header: String, from start: Character, to end: Character
    ) throws(NetworkError) -> Substring {
        guard let position = position(after: key, in: header),
            let first = header[position...].firstIndex(of: start).map({ header.index(after: $0) }),
            let last = header[first...].firstIndex(of: end)
        else { throw damaged("no \(key) in the header") }
        return header[first..<last]
    }

    private static func position(after key: String, in header: String) -> String.Index? {
        var rest = header[...]
        while !rest.isEmpty {
            if rest.hasPrefix(key) { return rest.index(rest.startIndex, offsetBy: key.count) }
            rest.removeFirst()
        }
        return nil
    }

    private static func damaged(_ detail: String) -> NetworkError {
        NetworkError(.format, "damaged npy array: \(detail)")
    }
}
