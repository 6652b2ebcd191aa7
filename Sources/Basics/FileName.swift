// SPDX-License-Identifier: Apache-2.0

/// Names of files as text, also those that are not UTF-8: a byte that is no part of any character becomes a scalar of a
/// private plane (U+10FF00 and the byte), which is taken back where the name meets the system.
package enum FileName {
    private static let first: UInt32 = 0x10FF00

    /// The text of a name that the system gave.
    package static func text(_ name: UnsafePointer<CChar>) -> String {
        var bytes: [UInt8] = []
        var place = name
        while place.pointee != 0 {
            bytes.append(UInt8(bitPattern: place.pointee))
            place += 1
        }
        return text(bytes)
    }

    static func text(_ bytes: [UInt8]) -> String {
        if let whole = String(validating: bytes, as: UTF8.self) { return whole }
        var result = ""
        var rest = bytes[...]
        while let byte = rest.first {
            let length = (1...4).first { $0 <= rest.count && String(validating: rest.prefix($0), as: UTF8.self) != nil }
            if let length {
                result += String(decoding: rest.prefix(length), as: UTF8.self)
                rest = rest.dropFirst(length)
            } else {
                if let scalar = Unicode.Scalar(first + UInt32(byte)) { result.unicodeScalars.append(scalar) }
                rest = rest.dropFirst()
            }
        }
        return result
    }

    /// The name of a text for the system, zero at the end.
    package static func bytes(_ text: String) -> [CChar] {
        guard text.unicodeScalars.contains(where: { $0.value >= first }) else { return Array(text.utf8CString) }
        var bytes: [CChar] = []
        for scalar in text.unicodeScalars {
            if scalar.value >= first, scalar.value <= first + 0xFF {
                bytes.append(CChar(bitPattern: UInt8(scalar.value - first)))
            } else {
                bytes += UTF8.encode(scalar).map { $0.map { CChar(bitPattern: $0) } } ?? []
            }
        }
        return bytes + [0]
    }
}
