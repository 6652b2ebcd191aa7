// SPDX-License-Identifier: Apache-2.0

extension PipelineValidator {
    static let inputKeys = ["from", "policy", "capacity"]
    static let capacitySpec = ParamSpec(
        name: "capacity", kind: .integer, unit: "frames",
        limits: ParamLimits(
            lowest: Double(LinkRule.capacityRange.lowerBound), highest: Double(LinkRule.capacityRange.upperBound)),
        doc: "Frames the link holds")

    /// Reads `input` or `inputs` of a node object.
    mutating func readInputs(_ node: JSONNode, into draft: inout DraftNode) {
        draft.inputsAreKnown = true
        let single = node.member("input")
        let several = node.member("inputs")
        if let single, let several {
            draft.inputsLocation = single.keyLocation
            draft.inputsAreKnown = false
            report(
                several.keyLocation, draft.path.appending("inputs"), "stands beside \"input\"",
                fix: "keep \"inputs\" and put all of them there")
        }
        if let single {
            let path = draft.path.appending("input")
            draft.inputsLocation = single.keyLocation
            if case .array(let elements) = single.value.value {
                report(
                    single.value.location, path, "takes one input", found: single.value.foundText,
                    expected: "a node id", fix: elements.count == 1 ? "remove the brackets" : "rename it to \"inputs\"")
                draft.inputsAreKnown = false
            } else {
                readInput(single.value, at: path, into: &draft)
            }
        }
        if let several, single == nil {
            let path = draft.path.appending("inputs")
            draft.inputsLocation = several.keyLocation
            guard case .array(let elements) = several.value.value else {
                draft.inputsAreKnown = false
                if several.value.isInvalid { return }
                let fix = several.value.string.map { "write [\(quoted(shortened($0)))], or rename it to \"input\"" }
                report(
                    several.value.location, path, "must be an array of inputs", found: several.value.foundText,
                    expected: "an array", fix: fix ?? "write [\"ID\", \"ID\"]")
                return
            }
            guard elements.count <= InputPort.countLimit else {
                draft.inputsAreKnown = false
                report(
                    several.value.location, path, "takes at most \(InputPort.countLimit) inputs",
                    found: "\(elements.count)")
                return
            }
            for (index, element) in elements.enumerated() {
                readInput(element, at: path.appending(index), into: &draft)
            }
        }
    }

    private mutating func readInput(_ node: JSONNode, at path: JSONPath, into draft: inout DraftNode) {
        switch node.value {
        case .string(let text):
            addInput(text, node, at: path, policy: nil, capacity: nil, into: &draft)
        case .object(let members):
            checkKeys(
                members, allowed: Self.inputKeys, at: path, noun: "keys", synonyms: ["node": "from", "id": "from"])
            let policy = readPolicy(node["policy"], at: path)
            let capacity = readCapacity(node["capacity"], policy, at: path)
            guard let from = node["from"] else {
                draft.inputsAreKnown = false
                report(node.location, path.appending("from"), "is missing", fix: "add \"from\": \"ID\"")
                return
            }
            guard let text = from.string else {
                draft.inputsAreKnown = false
                if from.isInvalid { return }
                report(
                    from.location, path.appending("from"), "must be a node id in double quotes", found: from.foundText,
                    expected: "a node id")
                return
            }
            addInput(text, from, at: path, policy: policy, capacity: capacity, into: &draft)
        case .invalid:
            draft.inputsAreKnown = false
        default:
            draft.inputsAreKnown = false
            report(
                node.location, path, "must be a node id, or an object with \"from\"", found: node.foundText,
                expected: "a node id", fix: "write \"ID\" or { \"from\": \"ID\", \"policy\": \"block\" }")
        }
    }

    private mutating func addInput(
        _ text: String, _ node: JSONNode, at path: JSONPath, policy: LinkPolicy?, capacity: Int?,
        into draft: inout DraftNode
    ) {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        draft.inputs.append(
            DraftInput(
                from: parts.first.map { String($0) } ?? "", port: parts.count > 1 ? String(parts[1]) : nil, path: path,
                location: node.location, policy: policy, capacity: capacity))
    }

    private mutating func readPolicy(_ node: JSONNode?, at path: JSONPath) -> LinkPolicy? {
        guard let node, !node.isInvalid else { return nil }
        if let policy = node.string.flatMap({ LinkPolicy(rawValue: $0) }) { return policy }
        let cases = LinkPolicy.allCases.map(\.rawValue)
        report(
            node.location, path.appending("policy"), "must be \(alternatives(cases.map(quoted)))",
            found: node.foundText,
            expected: alternatives(cases.map(quoted)),
            fix: node.string.flatMap { closest(to: $0, among: cases) }.map { "did you mean \"\($0)\"?" })
        return nil
    }

    private mutating func readCapacity(_ node: JSONNode?, _ policy: LinkPolicy?, at path: JSONPath) -> Int? {
        guard let node else { return nil }
        guard case .integer(let capacity) = decode(Self.capacitySpec, node, at: path.appending("capacity")) else {
            return nil
        }
        if policy == .latest, capacity != 1 {
            report(
                node.location, path.appending("capacity"), "must be 1 with policy \"latest\"", found: node.foundText,
                expected: "1", fix: "use policy \"dropOldest\" to keep the newest \(capacity)")
            return nil
        }
        return capacity
    }
}
