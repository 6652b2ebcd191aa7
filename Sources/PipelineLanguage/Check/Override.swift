// SPDX-License-Identifier: Apache-2.0

/// One `--set node.param=value`: changes the tree before anything in it is checked.
///
/// The value is JSON where it is an object, an array or a quoted string, and otherwise plain text that becomes
/// whatever the parameter takes. `target.fps` and `name` reach the top of the file.
struct Override {
    let number: Int
    let text: String

    private var origin: Origin { .flag(number: number, text: text) }

    /// - Parameter copies: ids that a node of the file has become, where it is repeated.
    func apply(to root: inout JSONNode, copies: [String: [String]] = [:], problems: inout ProblemList) {
        guard case .object(var top) = root.value else { return }
        guard let sign = text.firstIndex(of: "="), sign != text.startIndex else {
            complain("must be NODE.PARAMETER=VALUE", fix: "for example --set detect.threshold=0.5", to: &problems)
            return
        }
        var keys = text[..<sign].split(separator: ".", omittingEmptySubsequences: false).map { String($0) }
        guard !keys.contains(""), keys.count <= 8 else {
            complain("must be NODE.PARAMETER=VALUE", fix: "remove the extra dot", to: &problems)
            return
        }
        let value = parse(String(text[text.index(after: sign)...]), at: root.range)
        let nodes = top.firstIndex { $0.key == "nodes" }
        let ids = nodes.map { top[$0].value.members.map(\.key) } ?? []
        if keys.count > 2, keys[0] == "nodes", !ids.contains("nodes") { keys.removeFirst() }

        let isTop = keys[0] == "target" && (!ids.contains("target") || ["fps", "latencyMs"].contains(keys.last ?? ""))
        if keys == ["name"] || isTop && keys.count == 2 {
            let path = keys.joined(separator: ".")
            if !set(keys[...], to: value, in: &root) {
                complain("is not an object", path: path, fix: nil, to: &problems)
            }
            return
        }
        guard keys.count >= 2 else {
            let fix = ids.contains(keys[0]) ? "name the parameter too: \(keys[0]).PARAMETER=VALUE" : nil
            complain(
                "must be NODE.PARAMETER=VALUE", fix: fix ?? suggestion(for: keys[0], among: ids, noun: "nodes"),
                to: &problems)
            return
        }
        // A file without usable nodes is reported by what checks the file.
        guard let nodes, case .object(var members) = top[nodes].value.value else { return }
        let targets = members.indices.filter { members[$0].key == keys[0] }
        let all =
            targets.isEmpty ? members.indices.filter { copies[keys[0]]?.contains(members[$0].key) == true } : targets
        guard !all.isEmpty else {
            complain(
                "no such node", path: JSONPath("nodes", keys[0]).text,
                fix: suggestion(for: keys[0], among: ids + copies.keys.sorted(), noun: "nodes"),
                to: &problems)
            return
        }
        for index in all {
            if keys.count == 2, keys[1] == "input" || keys[1] == "inputs" {
                let other = keys[1] == "input" ? "inputs" : "input"
                if case .object(let fields) = members[index].value.value {
                    members[index].value.value = .object(fields.filter { $0.key != other })
                }
            }
            guard set(keys[1...], to: value, in: &members[index].value) else {
                let path = keys.reduce(JSONPath("nodes")) { $0.appending($1) }
                complain("is not inside an object or array of the file", path: path.text, fix: nil, to: &problems)
                return
            }
        }
        top[nodes].value.value = .object(members)
        root.value = .object(top)
    }

    private func complain(_ message: String, path: String = "", fix: String?, to problems: inout ProblemList) {
        problems.add(
            Problem(location: SourceLocation(offset: 0, origin: origin), path: path, message: message, fix: fix))
    }

    /// Puts the value where the keys lead; false when something on the way is not an object or array.
    private func set(_ keys: ArraySlice<String>, to value: JSONNode, in node: inout JSONNode) -> Bool {
        guard let key = keys.first else {
            let range = node.range
            node = value
            node.range = range
            return true
        }
        switch node.value {
        case .object(var members):
            if let index = members.firstIndex(where: { $0.key == key }) {
                guard set(keys.dropFirst(), to: value, in: &members[index].value) else { return false }
                members[index].keyOrigin = origin
            } else {
                var made = JSONNode(.object([]), range: node.range, origin: origin)
                guard set(keys.dropFirst(), to: value, in: &made) else { return false }
                members.append(JSONMember(key: key, keyRange: node.range, keyOrigin: origin, value: made))
            }
            node.value = .object(members)
        case .array(var elements):
            guard let index = plainInteger(key), elements.indices.contains(index),
                set(keys.dropFirst(), to: value, in: &elements[index])
            else { return false }
            node.value = .array(elements)
        case .string where keys.count == 1 && (key == "policy" || key == "capacity"):
            // An input written as a bare id becomes the long form.
            let from = JSONMember(key: "from", keyRange: node.range, value: node)
            var long = JSONNode(.object([from]), range: node.range)
            guard set(keys, to: value, in: &long) else { return false }
            node = long
        default:
            return false
        }
        return true
    }

    private func parse(_ value: String, at range: Range<Int>) -> JSONNode {
        if let first = value.first, "{[\"".contains(first) {
            let tree = JSONTree(bytes: Array(value.utf8))
            if let root = tree.root, tree.problems.isEmpty { return moved(root, to: range) }
        }
        var node = JSONNode(.string(value), range: range, origin: origin)
        node.isLoose = true
        return node
    }

    /// The same value, said to come from this flag.
    private func moved(_ node: JSONNode, to range: Range<Int>) -> JSONNode {
        var node = node
        node.range = range
        node.origin = origin
        switch node.value {
        case .array(let elements): node.value = .array(elements.map { moved($0, to: range) })
        case .object(let members):
            node.value = .object(
                members.map {
                    JSONMember(key: $0.key, keyRange: range, keyOrigin: origin, value: moved($0.value, to: range))
                })
        default: break
        }
        return node
    }
}
