// SPDX-License-Identifier: Apache-2.0

extension JSONParser {
    /// Refuses what is not UTF-8 text; stray bytes are reported and read as U+FFFD.
    mutating func checkEncoding() -> Bool {
        guard bytes.count <= JSONTree.byteLimit else {
            fail(at: 0, "the file is larger than \(JSONTree.byteLimit >> 20) MiB", found: "\(bytes.count) bytes")
            return false
        }
        if bytes.starts(with: [0xFE, 0xFF]) || bytes.starts(with: [0xFF, 0xFE]) {
            fail(at: 0, "the file is UTF-16, not UTF-8", fix: "save it as UTF-8")
            return false
        }
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { at = 3 }
        var offset = at
        var reported = 0
        while let bad = Self.firstInvalid(bytes, from: offset), reported < 5 {
            let value = String(bytes[bad], radix: 16)
            report(
                at: bad, "not valid UTF-8", found: "byte 0x" + (value.count < 2 ? "0" : "") + value,
                fix: "save the file as UTF-8")
            offset = bad + 1
            while offset < bytes.count, bytes[offset] >= 0x80 { offset += 1 }
            reported += 1
        }
        return true
    }

    /// Finds the first byte that is no part of well-formed UTF-8 (Unicode 15, table 3-7).
    static func firstInvalid(_ bytes: [UInt8], from start: Int) -> Int? {
        bytes.withUnsafeBufferPointer { bytes in
            var at = start
            while at < bytes.count {
                let lead = bytes[at]
                if lead < 0x80 {
                    at += 1
                    continue
                }
                let length: Int
                var low: UInt8 = 0x80
                var high: UInt8 = 0xBF
                switch lead {
                case 0xC2...0xDF: length = 2
                case 0xE0: (length, low) = (3, 0xA0)
                case 0xED: (length, high) = (3, 0x9F)
                case 0xE1...0xEF: length = 3
                case 0xF0: (length, low) = (4, 0x90)
                case 0xF4: (length, high) = (4, 0x8F)
                case 0xF1...0xF3: length = 4
                default: return at
                }
                guard at + length <= bytes.count, bytes[at + 1] >= low, bytes[at + 1] <= high else { return at }
                for index in 2..<max(length, 2) where bytes[at + index] & 0xC0 != 0x80 { return at }
                at += length
            }
            return nil
        }
    }

    /// Reads a string; a mistake inside is reported and the text kept as well as it can be.
    mutating func parseString() -> String {
        let start = at
        let quote = bytes[at]
        if quote == UInt8(ascii: "'") {
            report(at: at, "strings are written in double quotes", found: "`'`", fix: "write \" instead of '")
        }
        at += 1
        var text: [UInt8] = []
        var runStart = at
        while let byte = peek() {
            if byte == quote {
                text += bytes[runStart..<at]
                at += 1
                return String(decoding: text, as: UTF8.self)
            }
            if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") { break }
            if byte < 0x20 {
                report(
                    at: at, "control character in a string", found: foundHere(),
                    fix: byte == 0x09
                        ? "write \\t" : "write it as \\u00" + (byte < 16 ? "0" : "") + String(byte, radix: 16))
            }
            if byte == UInt8(ascii: "\\") {
                text += bytes[runStart..<at]
                parseEscape(into: &text)
                runStart = at
            } else {
                at += 1
            }
        }
        report(at: start, "the string is never closed", fix: "add the missing \"")
        // A comma at the end of the line was most likely meant to follow the string.
        var end = at
        while end > runStart, bytes[end - 1] == 0x20 || bytes[end - 1] == 0x09 { end -= 1 }
        if end > runStart, bytes[end - 1] == UInt8(ascii: ",") { at = end - 1 }
        text += bytes[runStart..<at]
        return String(decoding: text, as: UTF8.self)
    }

    private mutating func parseEscape(into text: inout [UInt8]) {
        let start = at
        at += 1
        guard let byte = peek() else { return }
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            at += 1
            parseUnicodeEscape(from: start, into: &text)
            return
        case UInt8(ascii: "\n"), UInt8(ascii: "\r"):
            text.append(UInt8(ascii: "\\"))
            return
        default:
            report(
                at: start, "unknown escape in a string", found: "`\\` and \(foundHere())",
                fix: "a backslash itself is written \\\\")
            // Kept as written; the byte after the backslash is read as ordinary text.
            text.append(UInt8(ascii: "\\"))
            return
        }
        at += 1
    }

    private mutating func parseUnicodeEscape(from start: Int, into text: inout [UInt8]) {
        guard let unit = takeHex4() else {
            report(at: start, "\\u takes four hexadecimal digits", fix: "for example \\u00e9")
            return
        }
        var code = unit
        if unit >= 0xD800, unit < 0xDC00, peek() == UInt8(ascii: "\\"), peek(1) == UInt8(ascii: "u") {
            let before = at
            at += 2
            if let low = takeHex4(), low >= 0xDC00, low < 0xE000 {
                code = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)
            } else {
                at = before
            }
        }
        guard let scalar = Unicode.Scalar(code) else {
            report(at: start, "half of a surrogate pair", fix: "write both halves, or the character itself")
            text += Array("\u{FFFD}".utf8)
            return
        }
        text += Array(String(Character(scalar)).utf8)
    }

    private mutating func takeHex4() -> UInt32? {
        guard at + 4 <= bytes.count else { return nil }
        var value: UInt32 = 0
        for byte in bytes[at..<at + 4] {
            let digit: UInt8
            switch byte {
            case 0x30...0x39: digit = byte - 0x30
            case 0x41...0x46: digit = byte - 0x41 + 10
            case 0x61...0x66: digit = byte - 0x61 + 10
            default: return nil
            }
            value = value << 4 | UInt32(digit)
        }
        at += 4
        return value
    }

    mutating func parseNumber() -> JSONValue {
        let start = at
        while let byte = peek(),
            Self.isDigit(byte) || Self.isWordStart(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-")
                || byte == UInt8(ascii: "+")
        {
            at += 1
        }
        let token = bytes[start..<at]
        let text = String(decoding: token, as: UTF8.self)
        if let mistake = Self.numberMistake(Array(token)) {
            report(at: start, mistake.message, found: shortened(text), fix: mistake.fix)
            return .invalid
        }
        guard text.utf8.count <= 400, let value = Double(text), value.isFinite else {
            report(at: start, "the number is too large", found: shortened(text))
            return .invalid
        }
        return .number(JSONNumber(text: text, double: value))
    }

    /// Says what makes a token no JSON number (RFC 8259, section 6); nil when it is one.
    private static func numberMistake(_ token: [UInt8]) -> (message: String, fix: String?)? {
        var at = 0
        func digits() -> Int {
            var end = at
            while end < token.count, isDigit(token[end]) { end += 1 }
            return end - at
        }
        if token.first == UInt8(ascii: "+") { return ("a number has no leading +", "remove the +") }
        if token.first == UInt8(ascii: "-") { at = 1 }
        let whole = digits()
        if whole == 0 {
            return at < token.count && token[at] == UInt8(ascii: ".")
                ? ("a number needs a digit before the point", "for example 0.5") : ("not a number", nil)
        }
        if whole > 1, token[at] == UInt8(ascii: "0") { return ("a number has no leading zeros", "remove them") }
        at += whole
        if at < token.count, token[at] == UInt8(ascii: ".") {
            at += 1
            let fraction = digits()
            if fraction == 0 { return ("a number needs a digit after the point", "for example 1.0") }
            at += fraction
        }
        if at < token.count, token[at] | 0x20 == UInt8(ascii: "e") {
            at += 1
            if at < token.count, token[at] == UInt8(ascii: "+") || token[at] == UInt8(ascii: "-") { at += 1 }
            let exponent = digits()
            if exponent == 0 { return ("the exponent of the number has no digits", nil) }
            at += exponent
        }
        return at == token.count ? nil : ("not a number", "text is written in double quotes")
    }

    mutating func parseWord() -> JSONValue {
        let start = at
        let word = takeWord()
        switch word {
        case "true": return .boolean(true)
        case "false": return .boolean(false)
        case "null": return .null
        default: break
        }
        switch word.lowercased() {
        case "true", "yes", "on":
            report(at: start, "unknown word", found: word, fix: "write true")
            return .boolean(true)
        case "false", "no", "off":
            report(at: start, "unknown word", found: word, fix: "write false")
            return .boolean(false)
        case "none", "nil", "undefined":
            report(at: start, "unknown word", found: word, fix: "leave the key out to use its default")
        case "nan", "infinity", "inf":
            report(at: start, "JSON has no such number", found: word)
        default:
            report(
                at: start, "text is written in double quotes", found: shortened(word),
                fix: "write \"\(shortened(word))\"")
        }
        return .invalid
    }
}
