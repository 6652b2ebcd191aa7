// SPDX-License-Identifier: Apache-2.0

/// A recursive-descent JSON parser over bytes that reports common mistakes by name and bridges them.
///
/// Every loop consumes at least one byte per turn, and nesting is bounded, so any input ends.
struct JSONParser {
    let bytes: [UInt8]
    var at = 0
    var problems: [Problem] = []
    /// False once something could not be bridged and the tree no longer says what the text says.
    var isComplete = true
    /// Keys and indices that lead to the value being read.
    var path = JSONPath()

    private static let problemLimit = 25

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func parse() -> JSONNode? {
        guard checkEncoding() else {
            isComplete = false
            return nil
        }
        skipSpace()
        guard at < bytes.count else {
            fail(at: 0, "the file is empty", fix: "a pipeline is a JSON object with a \"nodes\" key")
            return nil
        }
        let root = parseValue(depth: 0)
        guard root != nil, isComplete else { return root }
        skipSpace()
        if at < bytes.count {
            let isBracket = peek() == UInt8(ascii: "}") || peek() == UInt8(ascii: "]")
            fail(
                at: at, isBracket ? "one closing bracket too many" : "text after the end of the pipeline",
                found: foundHere(), fix: "remove it")
        }
        return root
    }

    // MARK: Values

    /// Reads one value; nil when the parse cannot go on.
    mutating func parseValue(depth: Int) -> JSONNode? {
        guard let byte = peek() else {
            fail(at: at, "the file ends where a value should be")
            return nil
        }
        let start = at
        switch byte {
        case UInt8(ascii: "{"):
            guard enter(depth) else { return nil }
            return parseObject(depth: depth)
        case UInt8(ascii: "["):
            guard enter(depth) else { return nil }
            return parseArray(depth: depth)
        case UInt8(ascii: "\""), UInt8(ascii: "'"):
            let text = parseString()
            return JSONNode(.string(text), range: start..<at)
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."):
            let value = parseNumber()
            return JSONNode(value, range: start..<at)
        case _ where Self.isWordStart(byte):
            let value = parseWord()
            return JSONNode(value, range: start..<at)
        case UInt8(ascii: ","), UInt8(ascii: "}"), UInt8(ascii: "]"):
            report(at: at, "a value is missing before `\(Character(Unicode.Scalar(byte)))`")
            return JSONNode(.invalid, range: start..<at)
        default:
            fail(at: at, "unexpected character where a value should be", found: foundHere())
            return nil
        }
    }

    private mutating func enter(_ depth: Int) -> Bool {
        guard depth < JSONTree.depthLimit else {
            fail(at: at, "nested deeper than \(JSONTree.depthLimit) levels", fix: "a pipeline needs about five")
            return false
        }
        return true
    }

    private mutating func parseArray(depth: Int) -> JSONNode? {
        let start = at
        at += 1
        var elements: [JSONNode] = []
        skipSpace()
        while isComplete {
            guard let byte = peek() else {
                fail(at: start, "`[` is never closed", fix: "add the missing `]`")
                break
            }
            if byte == UInt8(ascii: "]") {
                at += 1
                return JSONNode(.array(elements), range: start..<at)
            }
            if byte == UInt8(ascii: "}") {
                fail(at: at, "expected `]`", found: "`}`", fix: "close the array with `]` first")
                break
            }
            path.push(index: elements.count)
            let element = parseValue(depth: depth + 1)
            path.pop()
            guard let element else { break }
            elements.append(element)
            separate(closer: UInt8(ascii: "]"), afterValueAt: element.range.upperBound)
        }
        return JSONNode(.array(elements), range: start..<at)
    }

    private mutating func parseObject(depth: Int) -> JSONNode? {
        let start = at
        at += 1
        var members: [JSONMember] = []
        var seen: [String: Int] = [:]
        skipSpace()
        while isComplete {
            guard let byte = peek() else {
                fail(at: start, "`{` is never closed", fix: "add the missing `}`")
                break
            }
            if byte == UInt8(ascii: "}") {
                at += 1
                return JSONNode(.object(members), range: start..<at)
            }
            if byte == UInt8(ascii: "]") {
                fail(at: at, "expected `}`", found: "`]`", fix: "close the object with `}` first")
                break
            }
            guard let (key, keyRange) = parseKey() else { break }
            path.push(key: key)
            parseColon()
            let value = isComplete ? parseValue(depth: depth + 1) : nil
            guard let value else {
                path.pop()
                break
            }
            if let first = seen[key] {
                let position = SourceText(file: "", bytes: bytes).position(of: first)
                report(
                    at: keyRange.lowerBound, "duplicate key, first given at \(position.line):\(position.column)",
                    fix: "remove or rename one of the two")
            } else {
                seen[key] = keyRange.lowerBound
                members.append(JSONMember(key: key, keyRange: keyRange, value: value))
            }
            path.pop()
            separate(closer: UInt8(ascii: "}"), afterValueAt: value.range.upperBound)
        }
        return JSONNode(.object(members), range: start..<at)
    }

    private mutating func parseKey() -> (String, Range<Int>)? {
        let start = at
        guard let byte = peek() else { return nil }
        if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
            let key = parseString()
            return (key, start..<at)
        }
        if Self.isWordStart(byte) {
            let word = takeWord()
            report(at: start, "keys are written in double quotes", found: word, fix: "write \"\(word)\"")
            return (word, start..<at)
        }
        fail(at: at, "expected a key in double quotes", found: foundHere())
        return nil
    }

    private mutating func parseColon() {
        let end = at
        skipSpace()
        guard let byte = peek() else {
            fail(at: end, "the file ends where `:` should be")
            return
        }
        if byte == UInt8(ascii: ":") {
            at += 1
        } else if byte == UInt8(ascii: "=") {
            report(at: at, "key and value are separated by `:`", found: "`=`", fix: "write `:`")
            at += 1
        } else if byte == UInt8(ascii: ",") || byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]") {
            fail(at: end, "the key has no value", fix: "write `: ` and a value after it")
            return
        } else {
            report(at: end, "`:` is missing between key and value", fix: "write `: ` after the key")
        }
        skipSpace()
    }

    /// Reads what stands between two elements: a comma, or the closing bracket (left for the caller).
    private mutating func separate(closer: UInt8, afterValueAt end: Int) {
        skipSpace()
        guard isComplete, let byte = peek() else { return }
        if byte == UInt8(ascii: ",") {
            let comma = at
            at += 1
            skipSpace()
            while peek() == UInt8(ascii: ",") {
                report(at: at, "two commas in a row", fix: "remove one")
                at += 1
                skipSpace()
            }
            if peek() == closer {
                report(
                    at: comma, "trailing comma before `\(Character(Unicode.Scalar(closer)))`", fix: "remove the comma")
            }
        } else if byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]") {
            return
        } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") || byte == UInt8(ascii: "{")
            || byte == UInt8(ascii: "[") || byte == UInt8(ascii: "-") || Self.isDigit(byte) || Self.isWordStart(byte)
        {
            report(at: end, "a comma is missing here", fix: "write `,` between the two")
        } else {
            fail(
                at: at, "expected `,` or `\(Character(Unicode.Scalar(closer)))`", found: foundHere())
        }
    }

    // MARK: Reading bytes

    func peek(_ ahead: Int = 0) -> UInt8? {
        at + ahead < bytes.count ? bytes[at + ahead] : nil
    }

    static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

    static func isWordStart(_ byte: UInt8) -> Bool {
        (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7A || byte == 0x5F || byte == 0x24
    }

    // MARK: Reporting

    func foundHere() -> String {
        guard let byte = peek() else { return "the end of the file" }
        if byte < 0x20 || byte == 0x7F { return "byte 0x" + (byte < 16 ? "0" : "") + String(byte, radix: 16) }
        var end = at + 1
        while end < bytes.count, end < at + 4, bytes[end] & 0xC0 == 0x80 { end += 1 }
        return "`" + String(decoding: bytes[at..<end], as: UTF8.self) + "`"
    }

    /// Notes a mistake that reading can go on after.
    mutating func report(at offset: Int, _ message: String, found: String? = nil, fix: String? = nil) {
        problems.append(
            Problem(
                location: SourceLocation(offset: offset), path: path.text, message: message, found: found, fix: fix))
        if problems.count >= Self.problemLimit { isComplete = false }
    }

    /// Notes a mistake that makes the rest unreadable.
    mutating func fail(at offset: Int, _ message: String, found: String? = nil, fix: String? = nil) {
        report(at: offset, message, found: found, fix: fix)
        isComplete = false
    }
}
