// SPDX-License-Identifier: Apache-2.0

extension PipelineValidator {
    /// Reads one member of `nodes`.
    mutating func readNode(_ member: JSONMember) -> DraftNode {
        let path = JSONPath("nodes", member.key)
        let location = member.keyLocation
        var draft = DraftNode(id: member.key, path: path, location: location, typeLocation: location)
        draft.inputsAreKnown = false
        if !Self.isID(member.key) {
            report(
                location, path, "not a node id", found: quoted(shortened(member.key)),
                expected: "letters, digits, `-` and `_`",
                fix: Self.idFix(member.key).map { "write \"\($0)\"; ids are letters, digits, `-` and `_`" }
                    ?? "ids are 1 to 64 letters, digits, `-` and `_`")
        }
        let node = member.value
        if node.isInvalid { return draft }
        guard case .object(let fields) = node.value else {
            let example = node.string.flatMap { contracts[$0] != nil ? $0 : nil } ?? "TYPE"
            report(
                node.location, path, "must be an object with a \"type\"", found: node.foundText, expected: "an object",
                fix: "write { \"type\": \"\(example)\" }")
            return draft
        }
        readInputs(node, into: &draft)
        readOnError(node["onError"], into: &draft)
        if let comment = node["$comment"], comment.string == nil, !comment.isInvalid {
            report(
                comment.location, path.appending("$comment"), "must be text in double quotes", found: comment.foundText)
        }
        guard let type = readType(node, into: &draft), let contract = contracts[type] else { return draft }
        draft.contract = contract
        readDisclosure(node, contract, into: &draft)
        readParameters(node, fields, contract, into: &draft)
        return draft
    }

    private mutating func readType(_ node: JSONNode, into draft: inout DraftNode) -> String? {
        guard let type = node["type"] else {
            let guess = contracts[draft.id] != nil ? draft.id : nil
            report(
                draft.location, draft.path.appending("type"), "is missing",
                fix: guess.map { "add \"type\": \"\($0)\"" } ?? "add \"type\": ...; `vpipe nodes` lists the types")
            return nil
        }
        draft.typeLocation = type.location
        if type.isInvalid { return nil }
        guard let name = type.string else {
            report(
                type.location, draft.path.appending("type"), "must be the name of a node type", found: type.foundText,
                expected: "text in double quotes")
            return nil
        }
        guard contracts[name] != nil else {
            let types = contracts.contracts.map(\.type)
            report(
                type.location, draft.path.appending("type"), "unknown node type", found: type.foundText,
                fix: contracts.nearest(to: name).map { "did you mean \"\($0)\"?" }
                    ?? suggest(for: name, among: types, noun: "types") ?? "`vpipe nodes` lists the types")
            return nil
        }
        return name
    }

    private mutating func readOnError(_ node: JSONNode?, into draft: inout DraftNode) {
        guard let node, !node.isInvalid else { return }
        if let scope = node.string.flatMap({ FailureScope(rawValue: $0) }) {
            draft.onError = scope
            return
        }
        let cases = FailureScope.allCases.map(\.rawValue)
        report(
            node.location, draft.path.appending("onError"), "must be \(alternatives(cases.map(quoted)))",
            found: node.foundText, expected: alternatives(cases.map(quoted)),
            fix: node.string.flatMap { closest(to: $0, among: cases) }.map { "did you mean \"\($0)\"?" })
    }

    private mutating func readParameters(
        _ node: JSONNode, _ fields: [JSONMember], _ contract: Contract, into draft: inout DraftNode
    ) {
        var synonyms: [String: String] = [:]
        for parameter in contract.parameters {
            for synonym in parameter.synonyms { synonyms[synonym.lowercased()] = parameter.name }
        }
        let inputKeys =
            contract.inputs.isEmpty
            ? []
            : contract.inputs.last.map { $0.count.upperBound > 1 } == true
                || contract.inputs.count > 1 ? ["inputs"] : ["input"]
        let offered = ["type"] + inputKeys + contract.parameters.map(\.name)
        for field in fields
        where !Contract.reservedKeys.contains(field.key) && contract.parameter(field.key) == nil {
            let fix = synonyms[field.key.lowercased()].map { "did you mean \"\($0)\"?" }
            report(
                field.keyLocation, draft.path.appending(field.key), "\"\(contract.type)\" has no such parameter",
                fix: fix ?? suggest(
                    for: field.key,
                    among: offered + Self.commonKeys.filter { closest(to: field.key, among: [$0]) != nil },
                    noun: "keys") ?? "`vpipe nodes \(contract.type)` lists them")
        }
        // The check of all together may read any of them, so it runs only when every one could be read.
        var isComplete = true
        var values: [String: ParamValue] = [:]
        var written: Set<String> = []
        for parameter in contract.parameters {
            let path = draft.path.appending(parameter.name)
            if let field = node[parameter.name] {
                guard let value = decode(parameter, field, at: path) else {
                    isComplete = false
                    continue
                }
                values[parameter.name] = value
                written.insert(parameter.name)
                if parameter.role.isOutput || parameter.role.isPeer, case .string(let text) = value {
                    draft.written.append((parameter, text, field.location))
                }
                if parameter.role.isInput, [.path, .url].contains(parameter.kind), case .string(let text) = value {
                    draft.read.append((parameter, text, field.location))
                }
            } else if parameter.isRequired {
                isComplete = false
                report(
                    draft.typeLocation, path, "is missing; \"\(contract.type)\" needs \(parameter.expectation)",
                    expected: parameter.expectation,
                    fix: "add \"\(parameter.name)\": ... (\(parameter.doc))")
            } else if let value = parameter.default {
                values[parameter.name] = value
            }
        }
        guard isComplete else { return }
        let settings = Settings(values: values, written: written)
        draft.settings = settings
        for problem in contract.check?(settings) ?? [] {
            let field = node[problem.parameter]
            report(
                field?.location ?? draft.typeLocation, draft.path.appending(problem.parameter), problem.message,
                found: field?.foundText, fix: problem.fix, severity: problem.severity)
        }
    }

    /// Keys of every node that are offered only to who nearly wrote them.
    private static let commonKeys = ["onError", "sensitive", "allowRaw"]

    static func isID(_ id: String) -> Bool {
        (1...64).contains(id.utf8.count)
            && id.utf8.allSatisfy {
                JSONParser.isWordStart($0) && $0 != UInt8(ascii: "$") || JSONParser.isDigit($0)
                    || $0 == UInt8(ascii: "-")
            }
    }

    /// The nearest id that is one; nil when nothing would be left.
    private static func idFix(_ id: String) -> String? {
        guard id.utf8.count <= 64 else { return nil }
        let text = String(id.map { isID(String($0)) ? $0 : "-" })
        return text.contains { $0 != "-" } ? text : nil
    }
}
