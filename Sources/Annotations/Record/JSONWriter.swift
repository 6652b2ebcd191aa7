// SPDX-License-Identifier: Apache-2.0

/// Writes JSON into bytes that are kept between records, so that a record costs no allocation once they are warm.
///
/// ```swift
/// record.beginObject()
/// record.field("score", 0.98, decimals: 4)
/// record.key("landmarks")
/// record.beginArray()
/// for point in landmarks { record.value(point) }
/// record.endArray()
/// record.endObject()
/// ```
/// Commas come by themselves; that keys, values and ends follow each other as JSON wants it is the caller's affair.
/// - Note: Thread-safety: a value.
public struct JSONWriter: Sendable {
    private var bytes: [UInt8] = []
    /// Whether a comma goes before the next key or value.
    private var needsComma = false
    /// Whether bulky parts are wanted, too, such as the label of every cell of a class map.
    public var isDetailed: Bool

    /// An empty text.
    public init(isDetailed: Bool = false) { self.isDetailed = isDetailed }

    /// Starts over, keeping the memory.
    public mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        needsComma = false
    }

    /// The bytes written.
    public func withBytes<Value>(_ body: (UnsafeRawBufferPointer) throws -> Value) rethrows -> Value {
        try bytes.withUnsafeBytes(body)
    }

    // MARK: Structure

    /// Opens an object.
    public mutating func beginObject() { open(0x7B) }

    /// Closes an object.
    public mutating func endObject() { close(0x7D) }

    /// Opens an array.
    public mutating func beginArray() { open(0x5B) }

    /// Closes an array.
    public mutating func endArray() { close(0x5D) }

    /// Ends a line of JSON lines; what follows is a text of its own.
    public mutating func newline() {
        bytes.append(0x0A)
        needsComma = false
    }

    /// Writes a key that needs no escapes.
    public mutating func key(_ name: StaticString) {
        separate()
        bytes.append(0x22)
        append(name)
        bytes.append(0x22)
        bytes.append(0x3A)
        needsComma = false
    }

    /// Writes a key.
    public mutating func key(_ name: String) {
        separate()
        quote(name)
        bytes.append(0x3A)
        needsComma = false
    }

    // MARK: Values

    /// Writes a string.
    public mutating func value(_ text: String) {
        separate()
        quote(text)
    }

    /// Writes a string of bytes that need no escapes.
    public mutating func plainText(_ text: UnsafeRawBufferPointer) {
        separate()
        bytes.append(0x22)
        bytes.append(contentsOf: text)
        bytes.append(0x22)
    }

    /// Writes true or false.
    public mutating func value(_ flag: Bool) {
        separate()
        append(flag ? "true" : "false")
    }

    /// Writes null.
    public mutating func null() {
        separate()
        append("null")
    }

    /// Writes a whole number.
    public mutating func value(_ value: UInt64) {
        separate()
        digits(value, decimals: 0, isNegative: false)
    }

    /// Writes a whole number.
    public mutating func value(_ value: Int) {
        separate()
        digits(UInt64(value.magnitude), decimals: 0, isNegative: value < 0)
    }

    /// Writes a coordinate with two decimals at most.
    public mutating func value(_ value: Float) { self.value(Double(value), decimals: 2) }

    /// Writes a number with up to `decimals` decimals, 6 at most, without trailing zeros; null when it is not finite or
    /// beyond 1e12.
    public mutating func value(_ value: Double, decimals: Int) {
        separate()
        guard value.isFinite, abs(value) < 1e12 else { return append("null") }
        var scale = 1.0
        for _ in 0..<decimals { scale *= 10 }
        let scaled = UInt64((abs(value) * scale).rounded())
        digits(scaled, decimals: decimals, isNegative: value < 0 && scaled > 0)
    }

    /// Writes the shortest text that reads back as the same number; null when it is not finite.
    public mutating func exactValue(_ value: Float) {
        separate()
        guard value.isFinite else { return append("null") }
        bytes.append(contentsOf: value.description.utf8)
    }

    /// Writes `[x,y]`.
    public mutating func value(_ point: Point) {
        beginArray()
        value(point.x)
        value(point.y)
        endArray()
    }

    /// Writes `[x,y,width,height]`.
    public mutating func value(_ box: Box) {
        beginArray()
        value(box.x)
        value(box.y)
        value(box.width)
        value(box.height)
        endArray()
    }

    // MARK: Fields

    /// Writes a key and a string.
    public mutating func field(_ name: StaticString, _ text: String) {
        key(name)
        value(text)
    }

    /// Writes a key and true or false.
    public mutating func field(_ name: StaticString, _ flag: Bool) {
        key(name)
        value(flag)
    }

    /// Writes a key and a whole number.
    public mutating func field(_ name: StaticString, _ number: Int) {
        key(name)
        value(number)
    }

    /// Writes a key and a number with up to `decimals` decimals, 6 at most.
    public mutating func field(_ name: StaticString, _ number: Double, decimals: Int) {
        key(name)
        value(number, decimals: decimals)
    }

    /// Writes a key and `[x,y]`.
    public mutating func field(_ name: StaticString, _ point: Point) {
        key(name)
        value(point)
    }

    /// Writes a key and `[x,y,width,height]`.
    public mutating func field(_ name: StaticString, _ box: Box) {
        key(name)
        value(box)
    }

    /// Writes a key and an array of points.
    public mutating func field(_ name: StaticString, _ points: [Point]) {
        key(name)
        beginArray()
        for point in points { value(point) }
        endArray()
    }

    // MARK: Bytes

    private mutating func separate() {
        if needsComma { bytes.append(0x2C) }
        needsComma = true
    }

    private mutating func open(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    private mutating func append(_ text: StaticString) { text.withUTF8Buffer { bytes.append(contentsOf: $0) } }

    private mutating func quote(_ text: String) {
        bytes.append(0x22)
        for byte in text.utf8 {
            switch byte {
            case 0x22, 0x5C:
                bytes.append(0x5C)
                bytes.append(byte)
            case 0..<0x20:
                append("\\u00")
                bytes.append(Self.hexDigit(byte >> 4))
                bytes.append(Self.hexDigit(byte & 15))
            default: bytes.append(byte)
            }
        }
        bytes.append(0x22)
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x61 - 10 + value }

    /// Appends `scaled` over ten to the power of `decimals`.
    private mutating func digits(_ scaled: UInt64, decimals: Int, isNegative: Bool) {
        // Twenty digits, a point and a sign.
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 24) { buffer in
            var (rest, left, place) = (scaled, decimals, buffer.count)
            while left > 0, rest % 10 == 0 {
                rest /= 10
                left -= 1
            }
            let hasFraction = left > 0
            while left > 0 {
                place -= 1
                buffer[place] = 0x30 + UInt8(rest % 10)
                rest /= 10
                left -= 1
            }
            if hasFraction {
                place -= 1
                buffer[place] = 0x2E
            }
            repeat {
                place -= 1
                buffer[place] = 0x30 + UInt8(rest % 10)
                rest /= 10
            } while rest > 0
            if isNegative {
                place -= 1
                buffer[place] = 0x2D
            }
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: buffer[place...]))
        }
    }
}
