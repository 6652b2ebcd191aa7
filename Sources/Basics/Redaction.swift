// SPDX-License-Identifier: Apache-2.0

/// Text without the secrets that the addresses in it hold: passwords, tokens, stream keys.
///
/// Everything that is printed of an address goes through here. What is hidden becomes `***`; the name before a password
/// stays. People write addresses with mistakes in them, so what looks like a secret is hidden wherever it stands, and more
/// is hidden rather than less.
package func redacted(_ text: String) -> String {
    guard text.contains(where: { "@=/".contains($0) }) else { return text }
    var result = ""
    var rest = text[...]
    var scheme = ""
    while true {
        let mark = rest.firstRange(of: "://")
        // A part reaches to the next address, for people put anything into their passwords.
        var end = mark?.lowerBound ?? rest.endIndex
        while mark != nil, end > rest.startIndex, isWord(rest[rest.index(before: end)]) {
            end = rest.index(before: end)
        }
        result += result.isEmpty ? hidden(rest[..<end], scheme: nil) : hidden(rest[..<end], scheme: scheme)
        guard let mark else { return result }
        scheme = rest[end..<mark.lowerBound].lowercased()
        result += rest[end..<mark.upperBound]
        rest = rest[mark.upperBound...]
    }
}

private func isWord(_ character: Character) -> Bool {
    character.isASCII && (character.isLetter || character.isNumber)
}

/// What follows a scheme, or stands before the first.
private func hidden(_ part: Substring, scheme: String?) -> String {
    var result = ""
    var rest = part
    if let sign = rest.lastIndex(of: "@") {
        if let colon = rest[..<sign].firstIndex(of: ":") {
            result += rest[...colon] + "***"
            rest = rest[sign...]
        } else if scheme != nil, !rest[..<sign].contains(where: { "/?#".contains($0) }) {
            // A name alone is often a token.
            result += "***"
            rest = rest[sign...]
        }
    }
    let query = rest.firstIndex { "?#".contains($0) } ?? rest.endIndex
    let path = scheme.map { hiddenFields(hiddenPath(rest[..<query], scheme: $0)[...]) } ?? String(rest[..<query])
    return result + path + hiddenFields(rest[query...])
}

/// What servers hand out as a part of a path: the keys of RTMP and HLS.
private func hiddenPath(_ path: Substring, scheme: String) -> String {
    guard let host = path.firstIndex(of: "/") else { return String(path) }
    var parts = path[path.index(after: host)...].split(separator: "/", omittingEmptySubsequences: false)
        .map(String.init)
    if scheme.hasPrefix("rtmp"), parts.count > 1 {
        // Behind the name of the application everything lets anybody publish under one's name.
        parts = [parts[0]] + parts.dropFirst().map { $0.isEmpty ? "" : "***" }
    }
    for (index, part) in parts.enumerated() {
        let dot = part.lastIndex(of: ".") ?? part.endIndex
        let stem = part[..<dot]
        guard isToken(stem) || (part.lowercased().hasSuffix(".m3u8") && !isUsual(stem)) else { continue }
        parts[index] = "***" + part[dot...]
    }
    return path[...host] + parts.joined(separator: "/")
}

/// Whether letters and digits are mixed as no name is: `S3CR3T`, not `h264`, `1080p` or `stream1`.
private func isToken(_ text: Substring) -> Bool {
    if text.utf8.count >= 32 { return true }
    return text.split(whereSeparator: { !$0.isLetter && !$0.isNumber }).contains { word in
        guard let digit = word.firstIndex(where: \.isNumber), word.first?.isLetter == true else { return false }
        return word[digit...].contains(where: \.isLetter)
    }
}

/// What playlists are usually called.
private func isUsual(_ text: Substring) -> Bool {
    let words = [
        "index", "master", "playlist", "chunklist", "live", "stream", "video", "main", "cam", "camera", "door",
    ]
    let stem = text.lowercased().split(whereSeparator: { !$0.isLetter })
    return stem.allSatisfy { word in words.contains { word == $0 } || word.count == 1 }
}

private let secretWords = [
    "pass", "pwd", "token", "key", "secret", "auth", "sig", "credential", "session", "streamid", "jwt", "code", "pas",
]
private let secretNames = ["p", "pw", "k", "s"]
/// These may hold separators of their own.
private let wholeNames = ["streamid", "passphrase"]

/// Hides the values of `name=value` whose name says that it is secret, or whose value looks like a token.
private func hiddenFields(_ text: Substring) -> String {
    var result = ""
    var rest = text
    while let sign = rest.firstIndex(of: "=") {
        let before = rest[..<sign]
        let start =
            before.lastIndex { "?&;,#/ \n\t\"'|".contains($0) }.map { before.index(after: $0) } ?? before.startIndex
        let name = before[start...].lowercased()
        result += rest[...sign]
        rest = rest[rest.index(after: sign)...]
        // Some cameras join fields with underscores: the name is the last of these words.
        let last = name.split(separator: "_").last.map(String.init) ?? name
        let ends = wholeNames.contains(name) ? "&\"" : "&;,#?/ \n\t\"'|"
        let end = rest.firstIndex { ends.contains($0) } ?? rest.endIndex
        let value = rest[..<end]
        let isSecret =
            secretWords.contains(where: last.contains) || secretNames.contains(last)
            || secretWords.contains(where: name.contains)
        let isLong = value.utf8.count >= 20
        if !value.isEmpty, isSecret || isLong || isToken(value) {
            result += "***"
            rest = rest[end...]
        }
    }
    return result + rest
}
