// SPDX-License-Identifier: Apache-2.0

/// What the file says about the ladder.
enum LadderChoice {
    /// Nothing, or `"auto"`: what is usual for the pipeline.
    case usual
    /// The steps written; none for `"off"`.
    case steps([[Ladder.Change]])
}

extension PipelineValidator {
    /// More steps than this are refused.
    static let stepLimit = 32
    private static let ladderForm = "\"auto\", \"off\", or [ { \"NODE.PARAMETER\": VALUE }, ... ]"

    /// Reads `ladder`; the nodes have been read.
    mutating func readLadder(_ node: JSONNode?, target: PipelineTarget?) -> LadderChoice {
        guard let node, !node.isInvalid else { return .usual }
        let path = JSONPath("ladder")
        if let word = node.string {
            if word == "auto" { return .usual }
            if word == "off" { return .steps([]) }
        }
        guard case .array(let elements) = node.value else {
            report(
                node.location, path, "must be \(Self.ladderForm)", found: node.foundText, expected: Self.ladderForm,
                fix: node.string.flatMap { closest(to: $0, among: ["auto", "off"]) }.map { "did you mean \"\($0)\"?" })
            return .usual
        }
        guard elements.count <= Self.stepLimit else {
            report(node.location, path, "must have at most \(Self.stepLimit) steps", found: "\(elements.count)")
            return .usual
        }
        if target == nil, !elements.isEmpty {
            report(
                node.location, path, "does nothing without a \"target\"", fix: "add \"target\": { \"fps\": 25 }",
                severity: .warning)
        }
        return .steps(elements.enumerated().map { readStep($1, at: path.appending($0)) })
    }

    private mutating func readStep(_ node: JSONNode, at path: JSONPath) -> [Ladder.Change] {
        if node.isInvalid { return [] }
        guard case .object(let members) = node.value, !members.isEmpty else {
            report(
                node.location, path, "must be an object of changes", found: node.foundText, expected: "an object",
                fix: "write { \"NODE.PARAMETER\": VALUE }, such as { \"faces.every\": 2 }")
            return []
        }
        return members.compactMap { readChange($0, at: path.appending($0.key)) }
    }

    private mutating func readChange(_ member: JSONMember, at path: JSONPath) -> Ladder.Change? {
        if member.key == "$comment" { return nil }
        let parts = member.key.split(separator: ".", omittingEmptySubsequences: false).map { String($0) }
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
            report(
                member.keyLocation, path, "must be NODE.PARAMETER", found: quoted(shortened(member.key)),
                fix: "for example \"faces.every\"")
            return nil
        }
        guard let index = indexOfNode[parts[0]] else {
            report(
                member.keyLocation, path, "no such node",
                fix: suggest(for: parts[0], among: drafts.map(\.id), noun: "nodes"))
            return nil
        }
        // A node of unknown type has been reported.
        guard let contract = drafts[index].contract else { return nil }
        let changeable = contract.parameters.filter(\.isChangeable).map(\.name)
        guard let spec = contract.parameter(parts[1]), spec.isChangeable else {
            let message =
                contract.parameter(parts[1]) == nil
                ? "\"\(contract.type)\" has no such parameter" : "cannot change while running"
            let all = changeable.isEmpty ? "\"\(contract.type)\" has none that can" : nil
            report(
                member.keyLocation, path, message,
                fix: all ?? suggest(for: parts[1], among: changeable, noun: "those that can"))
            return nil
        }
        guard let value = decode(spec, member.value, at: path) else { return nil }
        return Ladder.Change(node: parts[0], parameter: parts[1], value: value)
    }
}
