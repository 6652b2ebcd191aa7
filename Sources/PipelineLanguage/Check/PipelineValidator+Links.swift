// SPDX-License-Identifier: Apache-2.0

/// A link whose two ends are known by index.
struct DraftLink {
    let from: Int
    let fromPort: Int
    let to: Int
    /// Position among the reader's inputs.
    let position: Int
    /// nil when the reader's type is unknown.
    let port: InputPort?
    let input: DraftInput
}

extension PipelineValidator {
    /// Finds the nodes and ports that inputs name, and checks that payloads and counts fit.
    mutating func resolveLinks() -> [DraftLink] {
        var links: [DraftLink] = []
        for index in drafts.indices {
            let draft = drafts[index]
            checkCount(draft)
            for (position, input) in draft.inputs.enumerated() {
                let port = draft.contract.flatMap { Self.port(at: position, in: $0) }
                guard let from = findNode(input, readBy: draft) else { continue }
                guard let fromPort = findPort(input, of: drafts[from]) else { continue }
                if let port {
                    checkPayload(from: drafts[from], fromPort, to: draft, port, input)
                } else if draft.contract != nil {
                    // One input too many, which has been reported.
                    continue
                }
                links.append(
                    DraftLink(
                        from: from, fromPort: fromPort, to: index, position: position, port: port, input: input))
            }
        }
        return links
    }

    /// The port that an input belongs to: one each in order, the last taking the rest.
    static func port(at position: Int, in contract: Contract) -> InputPort? {
        if position < contract.inputs.count { return contract.inputs[position] }
        return contract.inputs.last.flatMap { $0.count.upperBound > 1 ? $0 : nil }
    }

    private mutating func checkCount(_ draft: DraftNode) {
        guard let contract = draft.contract, draft.inputsAreKnown else { return }
        let lowest = contract.inputs.reduce(0) { $0 + $1.count.lowerBound }
        let highest = contract.inputs.reduce(0) { $0 + $1.count.upperBound }
        let count = draft.inputs.count
        guard count < lowest || count > highest else { return }
        let key = highest > 1 ? "inputs" : "input"
        let path = draft.path.appending(
            draft.inputs.isEmpty || highest <= 1 && count == 1 ? key : count > 1 ? "inputs" : "input")
        let location = draft.inputsLocation ?? draft.typeLocation
        if highest == 0 {
            report(
                location, path, "\"\(contract.type)\" is a source: it takes no input", found: "\(count)",
                fix: "remove it")
        } else if count == 0 {
            let sources = drafts.filter { $0.contract?.category == .source && Self.isID($0.id) }.map(\.id)
            let id = sources.count == 1 ? sources[0] : "ID"
            let example = highest > 1 ? "\"inputs\": [\(quoted(id)), ...]" : "\"input\": \(quoted(id))"
            report(
                location, path, "is missing: \"\(contract.type)\" reads frames of another node", fix: "add \(example)")
        } else {
            let names = contract.inputs.map(\.name).joined(separator: ", ")
            let expected =
                lowest == highest
                ? "\(lowest) \(lowest == 1 ? "input" : "inputs")"
                : count < lowest ? "at least \(lowest) inputs" : "at most \(highest) inputs"
            let fix =
                highest == 1 && count > 1 ? joinFix() : contract.inputs.count > 1 ? "its inputs are: \(names)" : nil
            report(
                location, path, "\"\(contract.type)\" takes \(expected)", found: "\(count)", expected: expected,
                fix: fix)
        }
    }

    private func joinFix() -> String {
        let joins = contracts.contracts.filter { ($0.inputs.last?.count.upperBound ?? 0) > 1 && !$0.outputs.isEmpty }
        return joins.isEmpty
            ? "keep one of them"
            : "keep one, or join them first with \(alternatives(joins.map { quoted($0.type) }))"
    }

    private mutating func findNode(_ input: DraftInput, readBy reader: DraftNode) -> Int? {
        if let index = indexOfNode[input.from] { return index }
        let ids = drafts.map(\.id).filter { $0 != reader.id }
        report(
            input.location, input.path, "unknown node", found: quoted(shortened(input.from)),
            expected: "the id of a node", fix: suggest(for: input.from, among: ids, noun: "nodes"))
        return nil
    }

    private mutating func findPort(_ input: DraftInput, of writer: DraftNode) -> Int? {
        guard let contract = writer.contract else { return 0 }
        let ports = contract.outputs.map(\.name)
        guard !ports.isEmpty else {
            let before = writer.inputs.first.map {
                $0.port.map { port in "\(writer.inputs[0].from).\(port)" } ?? $0.from
            }
            report(
                input.location, input.path, "\"\(writer.id)\" is a sink (\(contract.type)): nothing comes out of it",
                found: quoted(shortened(input.from)),
                fix: before == writer.id ? nil : before.map { "read what it reads: \"\($0)\"" })
            return nil
        }
        guard let name = input.port else { return 0 }
        if let index = ports.firstIndex(of: name) { return index }
        report(
            input.location, input.path, "\"\(writer.id)\" (\(contract.type)) has no output \"\(shortened(name))\"",
            expected: alternatives(ports.map(quoted)), fix: suggest(for: name, among: ports, noun: "outputs"))
        return nil
    }

    private mutating func checkPayload(
        from writer: DraftNode, _ fromPort: Int, to reader: DraftNode, _ port: InputPort, _ input: DraftInput
    ) {
        guard let output = writer.contract?.outputs[fromPort], output.payload != port.payload else { return }
        let other = writer.contract?.outputs.first { $0.payload == port.payload }
        let converters = contracts.contracts.filter { contract in
            contract.inputs.count == 1 && contract.inputs[0].payload == output.payload
                && contract.outputs.contains { $0.payload == port.payload }
        }
        let fix =
            other.map { "read \"\(writer.id).\($0.name)\", which is \($0.payload)" }
            ?? (converters.isEmpty
                ? "no node type turns \(output.payload) into \(port.payload)"
                : "put \(alternatives(converters.map { quoted($0.type) })) between them")
        let ends = ["\(writer.id).\(output.name) (\(output.payload))", "\(reader.id).\(port.name) (\(port.payload))"]
        report(
            input.location, input.path, "wrong payload: " + ends.joined(separator: " -> "),
            expected: port.payload.name, fix: fix)
    }
}
