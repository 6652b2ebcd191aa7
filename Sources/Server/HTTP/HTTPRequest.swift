// SPDX-License-Identifier: Apache-2.0

/// The head of a request: all that this server reads of one.
///
/// Source: RFC 9112, without what a server of fixed pages may refuse: bodies, folded lines, other targets than a path.
package struct HTTPRequest: Sendable {
    /// The longest head that is read, in bytes.
    static let limit = 16 * 1024

    /// Why a head is refused.
    enum Fault: UInt16, Error {
        case malformed = 400
        case method = 405
        case hasBody = 413
        case tooLarge = 431
        case version = 505
    }

    /// `GET` or `HEAD`.
    let method: String
    /// Begins with a slash; without the query.
    package let path: String
    /// Names and values as they stand in the address.
    let query: [(name: String, value: String)]
    /// Names in lower case.
    private let headers: [(name: String, value: String)]

    /// Reads a head, complete with its empty line.
    init(head: ArraySlice<UInt8>) throws(Fault) {
        guard head.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x0D || $0 == 0x0A || $0 == 0x09 }) else {
            throw .malformed
        }
        let lines = String(decoding: head, as: UTF8.self).split(separator: "\r\n", omittingEmptySubsequences: false)
        guard !lines.contains(where: { $0.contains { $0 == "\r" || $0 == "\n" } }) else { throw .malformed }
        let words = (lines.first ?? "").split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, words[2].hasPrefix("HTTP/") else { throw .malformed }
        guard words[2] == "HTTP/1.1" || words[2] == "HTTP/1.0" else { throw .version }
        guard words[0] == "GET" || words[0] == "HEAD" else { throw .method }
        guard words[1].hasPrefix("/") else { throw .malformed }
        method = String(words[0])
        let target = words[1].split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = String(target[0])
        query = (target.count > 1 ? target[1] : "").split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
        }
        var headers: [(name: String, value: String)] = []
        for line in lines.dropFirst() where !line.isEmpty {
            guard let colon = line.firstIndex(of: ":"), colon != line.startIndex,
                !line[..<colon].contains(where: { $0 == " " || $0 == "\t" })
            else { throw .malformed }
            let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            headers.append((line[..<colon].lowercased(), String(value.withoutTail { $0 == " " || $0 == "\t" })))
        }
        self.headers = headers
        // Two hosts in one request are an attempt to confuse somebody in between.
        guard headers.filter({ $0.name == "host" }).count == 1 else { throw .malformed }
        guard header("transfer-encoding") == nil, header("content-length").map({ $0 == "0" }) ?? true else {
            throw .hasBody
        }
    }

    /// The value of a header, its name in lower case; nil where there is none.
    func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }

    /// The value of a cookie.
    func cookie(_ name: String) -> String? {
        for part in (header("cookie") ?? "").split(separator: ";") {
            let pair = part.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
            if pair.count == 2, pair[0] == name { return String(pair[1]) }
        }
        return nil
    }

    /// The key of a WebSocket's opening handshake; nil where the request is none.
    var webSocketKey: String? {
        guard header("upgrade")?.lowercased() == "websocket", header("sec-websocket-version") == "13",
            header("connection")?.lowercased().contains("upgrade") == true
        else { return nil }
        return header("sec-websocket-key").flatMap { $0.utf8.count == 24 ? $0 : nil }
    }
}

extension Substring {
    fileprivate func withoutTail(while isTrimmed: (Character) -> Bool) -> Substring {
        var rest = self
        while let last = rest.last, isTrimmed(last) { rest.removeLast() }
        return rest
    }
}
