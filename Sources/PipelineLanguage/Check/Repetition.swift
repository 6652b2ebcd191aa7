// SPDX-License-Identifier: Apache-2.0

/// Writes out `"for"`: the nodes of a file once for each of several sources.
///
/// ```
/// "for":   { "front": "rtsp://10.0.0.1/1", "back": { "url": "rtsp://10.0.0.2/1", "rate": 10 } },
/// "nodes": { "camera": { "type": "video", "url": "${url}" }, "faces": { "type": "retinaface", "input": "camera" }, ... }
/// ```
/// becomes `front-camera`, `front-faces`, `back-camera`, `back-faces`, whose links stay among their own. `${source}` is the
/// name, `${url}` and the like are its values, with their types where they are the whole text; all else in `${...}` is left for
/// the environment. A text stands for `{ "url": ... }`. Changes on the ladder and of `--set` that name a node of the
/// file reach all its copies.
struct Repetition {
    /// The name of the variable that holds a source's name.
    static let name = "source"
    /// More sources than this are refused.
    static let limit = 64

    /// The ids of a node's copies, by its id in the file; empty where the file repeats nothing.
    private(set) var copies: [String: [String]] = [:]
    private var sources: [(name: String, values: [String: JSONNode])] = []
    private var used: Set<String> = []

    /// Writes out what `root` repeats, and reports what is wrong with it.
    mutating func apply(to root: inout JSONNode, problems: inout ProblemList) {
        guard case .object(var top) = root.value, let place = top.firstIndex(where: { $0.key == "for" }) else { return }
        let list = top.remove(at: place)
        root.value = .object(top)
        read(list, problems: &problems)
        guard !sources.isEmpty, let nodes = top.firstIndex(where: { $0.key == "nodes" }),
            case .object(let members) = top[nodes].value.value
        else { return }
        let ids = Set(members.map(\.key))
        for member in members { copies[member.key] = sources.map { "\($0.name)-\(member.key)" } }
        top[nodes].value.value = .object(
            sources.flatMap { source in
                members.map { member in
                    var copy = member
                    copy.key = "\(source.name)-\(member.key)"
                    relink(&copy.value, ids, source.name)
                    copy.value = replaced(copy.value, source)
                    return copy
                }
            })
        if let ladder = top.firstIndex(where: { $0.key == "ladder" }), case .array = top[ladder].value.value {
            top[ladder].value = spread(top[ladder].value)
        }
        root.value = .object(top)
        let known = Set(sources.flatMap(\.values.keys))
        for member in list.value.members {
            for value in member.value.members where known.contains(value.key) && !used.contains(value.key) {
                problems.add(
                    Problem(
                        severity: .warning, location: value.keyLocation,
                        path: JSONPath("for", member.key).appending(value.key).text,
                        message: "no node uses ${\(value.key)}"))
            }
        }
    }

    /// What was found in several copies of the same text, once.
    func merged(_ diagnostics: [Diagnostic]) -> [Diagnostic] {
        guard !copies.isEmpty else { return diagnostics }
        let origins = Dictionary(
            copies.flatMap { id, copies in copies.map { ($0, id) } }, uniquingKeysWith: { first, _ in first })
        var seen: Set<Diagnostic> = []
        return diagnostics.filter { diagnostic in
            var parts = diagnostic.path.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
            for index in parts.indices { parts[index] = origins[parts[index]] ?? parts[index] }
            var plain = diagnostic
            plain.path = parts.joined(separator: ".")
            return seen.insert(plain).inserted
        }
    }

    // MARK: - What is repeated

    private mutating func read(_ list: JSONMember, problems: inout ProblemList) {
        func complain(_ node: JSONNode, _ path: JSONPath, _ message: String, fix: String? = nil) {
            guard !node.isInvalid else { return }
            problems.add(
                Problem(location: node.location, path: path.text, message: message, found: node.foundText, fix: fix))
        }
        let form = "write \"for\": { \"front\": \"rtsp://...\", \"back\": { \"url\": \"rtsp://...\" } }"
        guard case .object(let members) = list.value.value, !members.isEmpty else {
            complain(list.value, JSONPath("for"), "must be an object of sources by name", fix: form)
            return
        }
        guard members.count <= Self.limit else {
            complain(list.value, JSONPath("for"), "must name at most \(Self.limit) sources")
            return
        }
        for member in members where member.key != "$comment" {
            let path = JSONPath("for", member.key)
            guard PipelineValidator.isID(member.key), member.key.utf8.count <= 32 else {
                problems.add(
                    Problem(
                        location: member.keyLocation, path: path.text, message: "is no name of a source",
                        found: quoted(shortened(member.key)), fix: "names are 1 to 32 letters, digits, `-` and `_`"))
                continue
            }
            var values: [String: JSONNode]
            switch member.value.value {
            case .string: values = ["url": member.value]
            case .object(let fields):
                values = Dictionary(
                    fields.filter { $0.key != "$comment" }.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
                if let field = fields.first(where: { $0.key == Self.name }) {
                    complain(
                        field.value, path.appending(field.key), "cannot be set: ${\(Self.name)} is the source's name",
                        fix: "call it otherwise")
                }
            default:
                complain(member.value, path, "must be an address, or an object of values", fix: form)
                continue
            }
            values[Self.name] = JSONNode(.string(member.key), range: member.keyRange, origin: member.keyOrigin)
            sources.append((member.key, values))
        }
    }

    // MARK: - Copies

    /// Points a node's links at the copies of the nodes they name.
    private func relink(_ node: inout JSONNode, _ ids: Set<String>, _ name: String) {
        func relinked(_ link: JSONNode) -> JSONNode {
            var link = link
            switch link.value {
            case .string(let text):
                let id = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false).first.map(
                    String.init)
                if let id, ids.contains(id) { link.value = .string("\(name)-\(text)") }
            case .array(let links): link.value = .array(links.map(relinked))
            case .object(let members):
                link.value = .object(
                    members.map { member in
                        var member = member
                        if member.key == "from" { member.value = relinked(member.value) }
                        return member
                    })
            default: break
            }
            return link
        }
        guard case .object(var members) = node.value else { return }
        for index in members.indices where members[index].key == "input" || members[index].key == "inputs" {
            members[index].value = relinked(members[index].value)
        }
        node.value = .object(members)
    }

    /// The same with the variables of a source in place.
    private mutating func replaced(_ node: JSONNode, _ source: (name: String, values: [String: JSONNode])) -> JSONNode {
        var node = node
        switch node.value {
        case .string(let text):
            guard text.utf8.contains(UInt8(ascii: "$")) else { return node }
            // A value that is the whole text keeps its type.
            if text.hasPrefix("${"), text.firstIndex(of: "}") == text.index(before: text.endIndex),
                let value = source.values[Self.variable(text.dropFirst(2).dropLast())]
            {
                used.insert(Self.variable(text.dropFirst(2).dropLast()))
                var result = value
                result.range = node.range
                result.origin = node.origin
                return result
            }
            node.value = .string(filled(text, source.values))
        case .array(let elements): node.value = .array(elements.map { replaced($0, source) })
        case .object(let members):
            node.value = .object(
                members.map { member in
                    var member = member
                    if member.key != "$comment" { member.value = replaced(member.value, source) }
                    return member
                })
        case .null, .boolean, .number, .invalid: break
        }
        return node
    }

    /// A text with `${name}` of a source's values written out; `$$` and other names stay for the environment.
    private mutating func filled(_ text: String, _ values: [String: JSONNode]) -> String {
        var result = ""
        var rest = text[...]
        while let sign = rest.firstIndex(of: "$") {
            result += rest[..<sign]
            rest = rest[sign...]
            if rest.hasPrefix("$$") {
                result += "$$"
                rest = rest.dropFirst(2)
            } else if rest.hasPrefix("${"), let end = rest.firstIndex(of: "}"),
                let value = values[Self.variable(rest[rest.index(sign, offsetBy: 2)..<end])]
            {
                used.insert(Self.variable(rest[rest.index(sign, offsetBy: 2)..<end]))
                result += Self.text(of: value)
                rest = rest[rest.index(after: end)...]
            } else {
                result.append("$")
                rest = rest.dropFirst()
            }
        }
        return result + rest
    }

    /// The name in `NAME` or `NAME:-default`.
    private static func variable(_ inside: Substring) -> String {
        inside.firstRange(of: ":-").map { String(inside[..<$0.lowerBound]) } ?? String(inside)
    }

    private static func text(of value: JSONNode) -> String {
        switch value.value {
        case .string(let text): text
        case .number(let number): number.text
        case .boolean(let flag): flag ? "true" : "false"
        default: JSONDocument(value).compact
        }
    }

    /// A ladder whose changes reach all copies.
    private func spread(_ ladder: JSONNode) -> JSONNode {
        var ladder = ladder
        ladder.value = .array(
            ladder.elements.map { step in
                var step = step
                guard case .object(let members) = step.value else { return step }
                step.value = .object(
                    members.flatMap { member -> [JSONMember] in
                        let parts = member.key.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
                        guard parts.count == 2, let ids = copies[String(parts[0])] else { return [member] }
                        return ids.map { id in
                            var copy = member
                            copy.key = "\(id).\(parts[1])"
                            return copy
                        }
                    })
                return step
            })
        return ladder
    }
}
