// SPDX-License-Identifier: Apache-2.0
public import Basics
internal import Glibc

/// A path whose name, and whose folders, may hold the date: `rec/%Y-%m-%d/door-%H%M%S.mp4`.
///
/// The conversions are those of strftime(3) that a file name can hold; `%%` is a percent sign. Names that are taken are
/// numbered before the ending: `door-2.mp4`. A pattern also knows which files it made. A value.
public struct FileNamePattern: Sendable, Hashable {
    private enum Piece: Sendable, Hashable {
        case text(String)
        case date(Character)
        case number
        /// Something that is known when a file begins, by name.
        case field(String)
    }

    /// The conversions and what they become: how many digits, or (nil) a word.
    private static let conversions: [Character: Int?] = [
        "Y": 4, "y": 2, "m": 2, "d": 2, "H": 2, "I": 2, "M": 2, "S": 2, "j": 3, "u": 1, "w": 1, "V": 2, "G": 4,
        "a": nil, "A": nil, "b": nil, "B": nil, "p": nil, "Z": nil, "z": nil, "s": nil, "F": nil,
    ]
    /// What messages say that a pattern may hold.
    public static let expected = "%Y %m %d %H %M %S and their like (strftime), %% for a percent sign"

    /// The pattern as it was written.
    public let text: String
    /// Which clock names it.
    public let zone: TimeZoneChoice
    private var pieces: [Piece]

    /// The field that begins with a time.
    private static let idField = "id"
    /// Bytes of a field in a name at most.
    private static let fieldLimit = 80

    /// Reads a pattern.
    ///
    /// - Parameter fields: what the name may also hold, in braces: `{rule}`. Braces mean nothing where there are none.
    /// - Throws: `invalidSetting` naming the conversion, or the field, that there is not.
    public init(_ text: String, zone: TimeZoneChoice = .local, fields: [String] = []) throws(MediaError) {
        self.text = text
        self.zone = zone
        var pieces: [Piece] = []
        var literal = ""
        var rest = text[...]
        while let character = rest.popFirst() {
            if character == "{", !fields.isEmpty {
                let name = String(rest.prefix { $0 != "}" })
                guard rest.count > name.count, fields.contains(name) else {
                    throw MediaError(
                        .invalidSetting, operation: "name",
                        detail: "\"{\(name)\(rest.count > name.count ? "}" : "")\" is nothing a name can hold; use "
                            + fields.map { "{\($0)}" }.joined(separator: ", "))
                }
                rest.removeFirst(name.count + 1)
                if !literal.isEmpty { pieces.append(.text(literal)) }
                literal = ""
                pieces.append(.field(name))
                continue
            }
            guard character == "%" else {
                literal.append(character)
                continue
            }
            let letter = rest.popFirst()
            if letter == "%" {
                literal.append("%")
                continue
            }
            guard let letter, Self.conversions[letter] != nil else {
                throw MediaError(
                    .invalidSetting, operation: "name",
                    detail: "\"%\(letter.map(String.init) ?? "")\" is no part of a date; use \(Self.expected)")
            }
            if !literal.isEmpty { pieces.append(.text(literal)) }
            literal = ""
            pieces.append(.date(letter))
        }
        if !literal.isEmpty { pieces.append(.text(literal)) }
        self.pieces = pieces
    }

    /// The files of a folder, whose name may hold the date, that are named by a number between two texts.
    public init(
        numberedIn folder: String, prefix: String, ending: String, zone: TimeZoneChoice = .local
    ) throws(MediaError) {
        self = try FileNamePattern(folder + "/", zone: zone)
        pieces += [.text(prefix), .number, .text(ending)]
    }

    /// A path that is taken as it is written.
    public init(literal path: String) {
        text = path
        zone = .utc
        pieces = path.isEmpty ? [] : [.text(path)]
    }

    /// Whether the name depends on the time, or on what is known when a file begins.
    public var isDated: Bool {
        pieces.contains {
            switch $0 {
            case .date, .field: true
            case .text, .number: false
            }
        }
    }

    /// Whether the names are hardly those of anybody else's files: they hold the time, or are the same but for a number.
    package var isOwn: Bool {
        pieces.allSatisfy { if case .field = $0 { false } else { true } }
            || pieces.contains {
                switch $0 {
                case .date: true
                case .field(let name): name == Self.idField
                case .text, .number: false
                }
            }
    }

    /// What all paths begin with.
    package var fixedPrefix: String {
        var prefix = ""
        for case .text(let text) in pieces.prefix(while: { if case .text = $0 { true } else { false } }) {
            prefix += text
        }
        return prefix
    }

    /// The path of a file begun at `time`; `number` above 1 goes before the ending.
    ///
    /// - Parameter fields: what stands in for the fields; what no name can hold becomes `_`.
    public func path(at time: WallTime, number: Int = 1, fields: [String: String] = [:]) -> String {
        var path = ""
        for piece in pieces {
            switch piece {
            case .text(let text): path += text
            case .date(let letter): path += zone.text(letter, at: time)
            case .number: break
            case .field(let name): path += Self.word(fields[name] ?? "")
            }
        }
        return Self.numbered(path, number)
    }

    /// A text as a part of a file's name: without slashes and control characters, not empty, not too long.
    private static func word(_ text: String) -> String {
        var word = ""
        for character in text {
            let isBad = character == "/" || character.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F }
            let next = isBad || (word.isEmpty && character == ".") ? "_" : String(character)
            guard word.utf8.count + next.utf8.count <= fieldLimit else { break }
            word += next
        }
        return word.isEmpty ? "_" : word
    }

    /// `path` with a number before its ending: `door-2.mp4`; as it is for 1.
    public static func numbered(_ path: String, _ number: Int) -> String {
        guard number > 1 else { return path }
        let start = path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex
        // A leading dot hides a file and begins no ending.
        guard let dot = path[start...].lastIndex(of: "."), dot > start else { return "\(path)-\(number)" }
        return "\(path[..<dot])-\(number)\(path[dot...])"
    }

    /// The number in the name of a file that the pattern gives; 1 where it has none.
    public static func number(of path: String) -> Int {
        let name = FilePath.split(path).name
        let stem = name.lastIndex(of: ".").flatMap { $0 > name.startIndex ? name[..<$0] : nil } ?? name[...]
        guard let dash = stem.lastIndex(of: "-") else { return 1 }
        return Int(stem[stem.index(after: dash)...]) ?? 1
    }

    // MARK: The files of a pattern

    /// Whether a path is one that the pattern gives, at some time and with some number.
    public func matches(_ path: String) -> Bool {
        let parts = Self.parts(pieces)
        let names = path.split(separator: "/", omittingEmptySubsequences: true)
        guard parts.count == names.count, path.hasPrefix("/") == text.hasPrefix("/"), let last = parts.indices.last
        else { return false }
        return parts.indices.allSatisfy { Self.matches(parts[$0], names[$0], isLast: $0 == last) }
    }

    /// The paths that exist and match, in no order.
    public func files() -> [String] {
        var folders = [text.hasPrefix("/") ? "/" : ""]
        let parts = Self.parts(pieces)
        for (index, part) in parts.enumerated() {
            let isLast = index == parts.count - 1
            // Not listed where the name is known: there may be millions of other files beside it.
            if !isLast, part.count == 1, case .text(let name) = part[0] {
                folders = folders.map { $0 + name + "/" }
                continue
            }
            folders = folders.flatMap { folder in
                Self.names(in: folder.isEmpty ? "." : folder).compactMap { name in
                    Self.matches(part, name[...], isLast: isLast) ? folder + name + (isLast ? "" : "/") : nil
                }
            }
        }
        return folders
    }

    /// The names in a folder; none where it cannot be read.
    static func names(in folder: String) -> [String] {
        guard let handle = opendir(folder) else { return [] }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// The pieces of each part of the path between slashes.
    private static func parts(_ pieces: [Piece]) -> [[Piece]] {
        var parts: [[Piece]] = [[]]
        for piece in pieces {
            guard case .text(let text) = piece else {
                parts[parts.count - 1].append(piece)
                continue
            }
            for (index, part) in text.split(separator: "/", omittingEmptySubsequences: false).enumerated() {
                if index > 0 { parts.append([]) }
                if !part.isEmpty { parts[parts.count - 1].append(.text(String(part))) }
            }
        }
        return parts.filter { !$0.isEmpty }
    }

    private static func matches(_ pieces: [Piece], _ name: Substring, isLast: Bool) -> Bool {
        if matches(pieces[...], name) { return true }
        guard isLast else { return false }
        // The same without a number.
        let dot = name.lastIndex(of: ".").flatMap { $0 > name.startIndex ? $0 : nil } ?? name.endIndex
        guard let dash = name[..<dot].lastIndex(of: "-") else { return false }
        let digits = name[name.index(after: dash)..<dot]
        guard (1...9).contains(digits.count), digits.allSatisfy({ ("0"..."9").contains($0) }), digits.first != "0"
        else { return false }
        return matches(pieces[...], Substring(String(name[..<dash]) + name[dot...]))
    }

    private static func matches(_ pieces: ArraySlice<Piece>, _ name: Substring) -> Bool {
        guard let first = pieces.first else { return name.isEmpty }
        let rest = pieces.dropFirst()
        switch first {
        case .text(let text): return name.hasPrefix(text) && matches(rest, name.dropFirst(text.count))
        case .number:
            let digits = name.prefix { ("0"..."9").contains($0) }.count
            return digits > 0 && matches(rest, name.dropFirst(digits))
        case .field(let field):
            // Milliseconds since 1970, as ids of events begin: a field alone must not take other files for ours.
            if field == Self.idField {
                let digits = name.prefix { ("0"..."9").contains($0) }.count
                guard digits >= 10, name.dropFirst(digits).hasPrefix("-") else { return false }
            }
            return !name.isEmpty && (1...name.count).reversed().contains { matches(rest, name.dropFirst($0)) }
        case .date(let letter):
            if case .some(.some(let digits)) = conversions[letter] {
                let field = name.prefix(digits)
                return field.count == digits && field.allSatisfy { ("0"..."9").contains($0) }
                    && matches(rest, name.dropFirst(digits))
            }
            // A word of letters, or digits with signs: as long as what follows fits.
            let longest = name.prefix { $0.isLetter || $0.isNumber || $0 == "+" || $0 == "-" || $0 == "." }.count
            guard longest > 0 else { return false }
            return (1...longest).reversed().contains { matches(rest, name.dropFirst($0)) }
        }
    }
}
