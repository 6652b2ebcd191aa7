// SPDX-License-Identifier: Apache-2.0

/// Replaces `${NAME}` and `${NAME:-default}` in the strings of a file; `$$` stands for one `$`.
///
/// As in a shell, the default stands in for a variable that is unset or empty. Keys, comments and values given
/// by flags stay as they are.
struct Interpolation {
    let environment: [String: String]

    func apply(to node: inout JSONNode, path: JSONPath, problems: inout ProblemList) {
        guard node.origin == .file else { return }
        switch node.value {
        case .string(let text):
            guard text.utf8.contains(UInt8(ascii: "$")) else { return }
            expand(text, in: &node, path: path, problems: &problems)
        case .array(var elements):
            for index in elements.indices {
                apply(to: &elements[index], path: path.appending(index), problems: &problems)
            }
            node.value = .array(elements)
        case .object(var members):
            for index in members.indices where members[index].key != "$schema" && members[index].key != "$comment" {
                let key = members[index].key
                apply(to: &members[index].value, path: path.appending(key), problems: &problems)
            }
            node.value = .object(members)
        case .null, .boolean, .number, .invalid:
            return
        }
    }

    private func expand(_ text: String, in node: inout JSONNode, path: JSONPath, problems: inout ProblemList) {
        let bytes = Array(text.utf8)
        var out: [UInt8] = []
        var at = 0
        var isBroken = false
        func complain(_ message: String, found: String? = nil, fix: String) {
            isBroken = true
            problems.add(
                Problem(location: node.location, path: path.text, message: message, found: found, fix: fix))
        }
        while at < bytes.count {
            guard bytes[at] == UInt8(ascii: "$"), at + 1 < bytes.count else {
                out.append(bytes[at])
                at += 1
                continue
            }
            if bytes[at + 1] == UInt8(ascii: "$") {
                out.append(bytes[at])
                at += 2
                continue
            }
            guard bytes[at + 1] == UInt8(ascii: "{") else {
                out.append(bytes[at])
                at += 1
                continue
            }
            guard let end = bytes[at...].firstIndex(of: UInt8(ascii: "}")) else {
                complain("`${` is never closed", fix: "write ${NAME}, or $$ for a plain dollar sign")
                break
            }
            let inside = String(decoding: bytes[(at + 2)..<end], as: UTF8.self)
            let (name, standIn) = Self.split(inside)
            let isWhole = at == 0 && end == bytes.count - 1
            at = end + 1
            guard Self.isName(name) else {
                complain(
                    "not the name of an environment variable", found: quoted(shortened(name)),
                    fix: "write ${NAME} or ${NAME:-default}, or $$ for a plain dollar sign")
                continue
            }
            let value = environment[name]
            if value?.isEmpty ?? true, let standIn {
                out += standIn.utf8
            } else if let value {
                out += value.utf8
                node.variables.append(name)
            } else {
                complain(
                    "environment variable \(shortened(name)) is not set",
                    fix: "set it, or give a default: ${\(shortened(name)):-value}")
                continue
            }
            if isWhole { node.isLoose = true }
        }
        node.value = isBroken ? .invalid : .string(String(decoding: out, as: UTF8.self))
    }

    private static func split(_ inside: String) -> (name: String, standIn: String?) {
        var at = inside.startIndex
        while at < inside.endIndex {
            let next = inside.index(after: at)
            if inside[at] == ":", next < inside.endIndex, inside[next] == "-" {
                return (String(inside[..<at]), String(inside[inside.index(after: next)...]))
            }
            at = next
        }
        return (inside, nil)
    }

    private static func isName(_ name: String) -> Bool {
        guard let first = name.utf8.first, !JSONParser.isDigit(first) else { return false }
        return name.utf8.allSatisfy { JSONParser.isWordStart($0) && $0 != UInt8(ascii: "$") || JSONParser.isDigit($0) }
    }
}
