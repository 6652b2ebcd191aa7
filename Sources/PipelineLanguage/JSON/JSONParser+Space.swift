// SPDX-License-Identifier: Apache-2.0

extension JSONParser {
    mutating func takeWord() -> String {
        let start = at
        while let byte = peek(), Self.isWordStart(byte) || Self.isDigit(byte) || byte == UInt8(ascii: "-") { at += 1 }
        return String(decoding: bytes[start..<at], as: UTF8.self)
    }

    /// Skips white space, and reports and skips comments.
    mutating func skipSpace() {
        while let byte = peek() {
            switch byte {
            case 0x20, 0x09, 0x0A, 0x0D:
                at += 1
            case UInt8(ascii: "#"):
                reportComment()
                skipLine()
            case UInt8(ascii: "/") where peek(1) == UInt8(ascii: "/"):
                reportComment()
                skipLine()
            case UInt8(ascii: "/") where peek(1) == UInt8(ascii: "*"):
                reportComment()
                skipBlock()
            default:
                return
            }
        }
    }

    private mutating func reportComment() {
        report(at: at, "JSON has no comments", fix: "remove it, or keep the text in a \"$comment\" key")
    }

    private mutating func skipLine() {
        while let byte = peek(), byte != UInt8(ascii: "\n") { at += 1 }
    }

    private mutating func skipBlock() {
        at += 2
        while at < bytes.count {
            if peek() == UInt8(ascii: "*"), peek(1) == UInt8(ascii: "/") {
                at += 2
                return
            }
            at += 1
        }
    }
}
