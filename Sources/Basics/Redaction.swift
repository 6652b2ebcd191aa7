// SPDX-License-Identifier: Apache-2.0

/// Text without the secrets that the URLs in it hold: passwords, tokens in queries, stream keys.
///
/// Everything that is printed of a URL goes through here. What is hidden becomes `***`; user names stay.
package func redacted(_ text: String) -> String {
    guard text.contains("://") else { return text }
    var result = ""
    var rest = text[...]
    while let mark = rest.firstRange(of: "://") {
        let scheme = rest[..<mark.lowerBound].reversed().prefix { $0.isLetter || $0.isNumber }.reversed()
        result += rest[..<mark.upperBound]
        // Up to white space: people do not escape the slashes in their passwords.
        let end = rest[mark.upperBound...].firstIndex { $0 == "\"" || $0.isWhitespace } ?? rest.endIndex
        result += redactedAddress(rest[mark.upperBound..<end], scheme: String(scheme).lowercased())
        rest = rest[end...]
    }
    return result + rest
}

private func redactedAddress(_ address: Substring, scheme: String) -> String {
    var result = ""
    var rest = address
    if let sign = rest.lastIndex(of: "@"), let colon = rest[..<sign].firstIndex(of: ":") {
        result += rest[...colon] + "***"
        rest = rest[sign...]
    }
    let query = rest.firstIndex(of: "?") ?? rest.endIndex
    result += redactedPath(rest[..<query], scheme: scheme)
    guard query < rest.endIndex else { return result }
    let fields = rest[rest.index(after: query)...].split(separator: "&", omittingEmptySubsequences: false)
    return result + "?" + fields.map(redactedField).joined(separator: "&")
}

/// The last part of an RTMP address is the key that lets anybody publish under one's name.
private func redactedPath(_ path: Substring, scheme: String) -> Substring {
    guard scheme.hasPrefix("rtmp"), path.count(where: { $0 == "/" }) >= 2, let slash = path.lastIndex(of: "/"),
        path.index(after: slash) < path.endIndex
    else { return path }
    return path[...slash] + "***"
}

private let secretWords = [
    "pass", "pwd", "token", "key", "secret", "auth", "sig", "credential", "session", "streamid", "jwt", "code",
]

/// A field of a query is hidden by its name, or because its value looks like a token.
private func redactedField(_ field: Substring) -> Substring {
    guard let sign = field.firstIndex(of: "="), field.index(after: sign) < field.endIndex else { return field }
    let name = field[..<sign].lowercased()
    let value = field[field.index(after: sign)...]
    let isLong = value.utf8.count >= 20 && value.utf8.allSatisfy { $0 != UInt8(ascii: "/") }
    return isLong || secretWords.contains(where: name.contains) ? field[...sign] + "***" : field
}
