// SPDX-License-Identifier: Apache-2.0

/// JSON written into bytes that are kept between frames, so that a record costs no allocation once they are warm.
package struct JSONText {
    private var bytes: [UInt8] = []

    package init() {}

    /// Bytes written so far.
    package var count: Int { bytes.count }

    /// Starts over, keeping the memory.
    package mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    /// Takes back what was written after `mark`.
    package mutating func truncate(to mark: Int) { bytes.removeLast(bytes.count - mark) }

    /// Appends text that is JSON already.
    package mutating func raw(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    /// Ends the line.
    package mutating func newline() { bytes.append(0x0A) }

    /// Appends a quoted string.
    package mutating func string(_ text: String) {
        bytes.append(0x22)
        for byte in text.utf8 {
            switch byte {
            case 0x22, 0x5C: bytes.append(contentsOf: [0x5C, byte])
            case 0..<0x20:
                let digits = Array("0123456789abcdef".utf8)
                bytes.append(contentsOf: Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]])
            default: bytes.append(byte)
            }
        }
        bytes.append(0x22)
    }

    /// Appends a whole number.
    package mutating func integer(_ value: UInt64) {
        var rest = value
        let start = bytes.count
        repeat {
            bytes.append(0x30 + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        bytes[start...].reverse()
    }

    /// Appends a coordinate with two decimals at most.
    package mutating func number(_ value: Float) { number(Double(value), decimals: 2) }

    /// Appends a number with up to `decimals` decimals, without trailing zeros; null when it is not finite.
    package mutating func number(_ value: Double, decimals: Int) {
        guard value.isFinite, abs(value) < 1e12 else { return raw("null") }
        var scale: UInt64 = 1
        for _ in 0..<decimals { scale *= 10 }
        let scaled = UInt64((abs(value) * Double(scale)).rounded())
        if value < 0, scaled > 0 { bytes.append(0x2D) }
        integer(scaled / scale)
        var rest = scaled % scale
        guard rest > 0 else { return }
        bytes.append(0x2E)
        var digit = scale / 10
        while rest > 0 {
            bytes.append(0x30 + UInt8(rest / digit))
            rest %= digit
            digit /= 10
        }
    }

    /// Appends the shortest text that reads back as the same number; null when it is not finite.
    package mutating func significant(_ value: Float) {
        guard value.isFinite else { return raw("null") }
        bytes.append(contentsOf: value.description.utf8)
    }

    /// The bytes written.
    package func withBytes<Value>(_ body: (UnsafeRawBufferPointer) throws -> Value) rethrows -> Value {
        try bytes.withUnsafeBytes(body)
    }
}
