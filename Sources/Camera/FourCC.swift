// SPDX-License-Identifier: Apache-2.0

/// A pixel format's four letters, as V4L2 names it.
public struct FourCC: Sendable, Hashable, CustomStringConvertible {
    /// The letters, the first in the lowest byte.
    public let rawValue: UInt32

    /// Takes the kernel's number.
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Reads up to four ASCII letters, padded with spaces; nil for anything else.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard (1...4).contains(bytes.count), bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { return nil }
        rawValue = (0..<4).reduce(UInt32(0)) { word, index in
            let letter: UInt8 = index < bytes.count ? bytes[index] : 0x20
            return word | UInt32(letter) << UInt32(8 * index)
        }
    }

    /// The letters without padding; what is no letter shows as a dot, a big-endian variant by its suffix.
    public var description: String {
        var letters = (0..<4).map { UInt8(truncatingIfNeeded: rawValue >> UInt32(8 * $0)) }
        let isBigEndian = letters[3] & 0x80 != 0
        letters[3] &= 0x7f
        while letters.last == 0x20 { letters.removeLast() }
        let text = letters.map { $0 > 0x20 && $0 < 0x7f ? String(UnicodeScalar($0)) : "." }.joined()
        return isBigEndian ? text + "-BE" : text
    }
}
