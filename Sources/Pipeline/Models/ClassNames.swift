// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Networks

/// Where the names of a model's classes come from.
enum ClassNames {
    /// What stands in the pipeline: names, or one file with a name a line; nil where nothing stands there.
    ///
    /// - Throws: a sentence where what looks like a file cannot be read.
    static func given(_ classes: [String]) throws -> [String]? {
        guard let first = classes.first else { return nil }
        guard file(classes) != nil || classes.count == 1 && FileManager.default.fileExists(atPath: first) else {
            return classes
        }
        let bytes = try ModelFile.read(first)
        let names = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline)
            .map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
        guard !names.isEmpty else { throw OutputError("\(first): holds no names of classes, one a line") }
        return names
    }

    /// The file that stands in the place of names, as far as its own name tells.
    static func file(_ classes: [String]) -> String? {
        guard classes.count == 1, let first = classes.first else { return nil }
        return first.contains("/") || [".txt", ".names", ".labels"].contains { first.hasSuffix($0) } ? first : nil
    }

    /// What exporters write beside the network as `names`, a dictionary of Python: `{0: 'person', 1: "dog's bowl"}`.
    static func own(_ metadata: [String: String]) -> [String]? {
        guard let text = metadata["names"] else { return nil }
        var names: [Int: String] = [:]
        var rest = text[...]
        while let colon = rest.firstIndex(of: ":") {
            let digits = rest[..<colon].reversed().drop { $0 == " " || $0 == "'" || $0 == "\"" }.prefix(
                while: \.isNumber)
            guard let key = Int(String(digits.reversed())) else { return nil }
            rest = rest[rest.index(after: colon)...].drop { $0 == " " }
            guard let quote = rest.first, quote == "'" || quote == "\"" else { return nil }
            rest = rest.dropFirst()
            var name = ""
            while let character = rest.first, character != quote {
                rest = rest.dropFirst()
                if character == "\\", let escaped = rest.first {
                    name.append(escaped)
                    rest = rest.dropFirst()
                } else {
                    name.append(character)
                }
            }
            rest = rest.dropFirst()
            names[key] = name
        }
        guard !names.isEmpty, (0..<names.count).allSatisfy({ names[$0] != nil }) else { return nil }
        return (0..<names.count).compactMap { names[$0] }
    }
}
