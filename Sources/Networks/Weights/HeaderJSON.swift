// SPDX-License-Identifier: Apache-2.0

/// The JSON that model file headers use: objects, arrays, strings and whole numbers; nothing else is accepted.
///
/// Objects keep their order, and a repeated key is an error. Nesting is limited.
enum HeaderJSON {
    // A named type: with a tuple here, some orders of compiling the module's files end in a circular reference.
    struct Member {
        let key: String
        let value: HeaderJSON
    }

    case object([Member])
    case array([HeaderJSON])
    case string(String)
    case integer(Int)

    /// Parses a whole document.
    static func parse(_ bytes: ArraySlice<UInt8>) throws(NetworkError) -> HeaderJSON {
        var parser = Parser(bytes: bytes, position: bytes.startIndex)
        let value = try parser.value(depth: 0)
        parser.skipSpace()
        guard parser.position == bytes.endIndex else { throw parser.error("text after the end") }
        return value
    }

    /// A JSON string literal.
    static func quote(_ text: String) -> String {
        var literal = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": literal += "\\\""
            case "\\": literal += "\\\\"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                literal += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: literal.unicodeScalars.append(scalar)
            }
        }
        return literal + "\""
    }

    private struct Parser {
        private static let depthLimit = 8
        let bytes: ArraySlice<UInt8>
        var position: Int

        func error(_ detail: String) -> NetworkError {
            NetworkError(.format, "damaged header: \(detail) at byte \(position - bytes.startIndex)")
        }

        mutating func skipSpace() {
            while let byte = peek(), byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
        }

        private func peek() -> UInt8? { position < bytes.endIndex ? bytes[position] : nil }

        private mutating func take(_ byte: Character) -> Bool {
            skipSpace()
            guard peek() == byte.asciiValue else { return false }
            position += 1
            return true
        }

        mutating func value(depth: Int) throws(NetworkError) -> HeaderJSON {
            guard depth < Self.depthLimit else { throw error("nesting deeper than \(Self.depthLimit)") }
            skipSpace()
            switch peek() {
            case UInt8(ascii: "{"): return .object(try members(depth: depth))
            case UInt8(ascii: "["): return .array(try elements(depth: depth))
            case UInt8(ascii: "\""): return .string(try string())
            case .some(let byte) where byte == UInt8(ascii: "-") || (0x30...0x39).contains(byte):
                return .integer(try integer())
            default: throw error("expected a value")
            }
        }

        private mutating func members(depth: Int) throws(NetworkError) -> [Member] {
            position += 1
            var members: [Member] = []
            var keys: Set<String> = []
            if take("}") { return members }
            repeat {
                skipSpace()
                guard peek() == UInt8(ascii: "\"") else { throw error("expected a key") }
                let key = try string()
                guard keys.insert(key).inserted else { throw error("repeated key \(key)") }
                guard take(":") else { throw error("expected ':'") }
                members.append(Member(key: key, value: try value(depth: depth + 1)))
            } while take(",")
            guard take("}") else { throw error("expected '}'") }
            return members
        }

        private mutating func elements(depth: Int) throws(NetworkError) -> [HeaderJSON] {
            position += 1
            var elements: [HeaderJSON] = []
            if take("]") { return elements }
            repeat { elements.append(try value(depth: depth + 1)) } while take(",")
            guard take("]") else { throw error("expected ']'") }
            return elements
        }

        private mutating func integer() throws(NetworkError) -> Int {
            let start = position
            if peek() == UInt8(ascii: "-") { position += 1 }
            while let byte = peek(), (0x30...0x39).contains(byte) { position += 1 }
            guard let number = Int(String(decoding: bytes[start..<position], as: UTF8.self)) else {
                throw error("a number that is not whole or too large")
            }
            if let byte = peek(), byte == UInt8(ascii: ".") || byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") {
                throw error("a number that is not whole")
            }
            return number
        }

        private mutating func string() throws(NetworkError) -> String {
            position += 1
            var content: [UInt8] = []
            while let byte = peek() {
                position += 1
                switch byte {
                case UInt8(ascii: "\""): return String(decoding: content, as: UTF8.self)
                case UInt8(ascii: "\\"): try escape(into: &content)
                case 0..<0x20: throw error("a control character in text")
                default: content.append(byte)
                }
            }
            throw error("unfinished text")
        }

        private mutating func escape(into content: inout [UInt8]) throws(NetworkError) {
            guard let byte = peek() else { throw error("unfinished text") }
            position += 1
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): content.append(byte)
            case UInt8(ascii: "n"): content.append(0x0A)
            case UInt8(ascii: "t"): content.append(0x09)
            case UInt8(ascii: "r"): content.append(0x0D)
            case UInt8(ascii: "b"): content.append(0x08)
            case UInt8(ascii: "f"): content.append(0x0C)
            case UInt8(ascii: "u"):
                var code = try hexadecimal()
                if (0xD800..<0xDC00).contains(code) {  // A surrogate pair spells one character.
                    guard peek() == UInt8(ascii: "\\") else { throw error("half a character") }
                    position += 1
                    guard peek() == UInt8(ascii: "u") else { throw error("half a character") }
                    position += 1
                    let low = try hexadecimal()
                    guard (0xDC00..<0xE000).contains(low) else { throw error("half a character") }
                    code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
                }
                guard let scalar = Unicode.Scalar(code) else { throw error("half a character") }
                content.append(contentsOf: String(Character(scalar)).utf8)
            default: throw error("unknown escape")
            }
        }

        private mutating func hexadecimal() throws(NetworkError) -> UInt32 {
            var code: UInt32 = 0
            for _ in 0..<4 {
                guard let byte = peek(), let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                    throw error("expected four hexadecimal digits")
                }
                position += 1
                code = code << 4 | UInt32(digit)
            }
            return code
        }
    }
}
