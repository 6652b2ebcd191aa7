// SPDX-License-Identifier: Apache-2.0

/// The reference of all node types, made from the contracts: a Markdown page and texts for the terminal.
public struct NodeReference: Sendable {
    private let contracts: ContractTable

    /// Makes the reference of these node types.
    public init(_ contracts: ContractTable) {
        self.contracts = contracts
    }

    package static func title(_ category: Contract.Category) -> String {
        switch category {
        case .source: "Sources"
        case .inference: "Inference"
        case .processing: "Processing"
        case .sink: "Sinks"
        }
    }

    // MARK: Markdown

    /// The page for `docs/nodes.md`.
    public var markdown: String {
        var lines = [
            "# Node types", "",
            "Made from the declarations in the code; do not edit.", "",
            "Every node also takes `input` or `inputs` (unless it is a source), `onError` (`isolate` or `stop`) and",
            "`$comment`, a source `sensitive`, a sink `allowRaw` ([privacy](events.md#privacy)). Texts may hold",
            "`${NAME}` or `${NAME:-default}` from the environment.", "",
        ]
        for (category, members) in contracts.byCategory {
            lines.append(
                "- \(Self.title(category)): " + members.map { "[`\($0.type)`](#\($0.type))" }.joined(separator: ", "))
        }
        for (category, members) in contracts.byCategory {
            lines += ["", "## " + Self.title(category)]
            for contract in members { lines += [""] + markdown(of: contract) }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func markdown(of contract: Contract) -> [String] {
        var lines = ["### " + contract.type, "", contract.summary + "."]
        if !contract.aliases.isEmpty {
            lines += ["", "Also called " + contract.aliases.map { "`\($0)`" }.joined(separator: ", ") + "."]
        }
        if !contract.details.isEmpty { lines += ["", contract.details] }
        let ports =
            contract.inputs.map { "- in `\($0.name)`: " + Self.text($0) }
            + contract.outputs.map { "- out `\($0.name)`: " + Self.text($0) }
        if !ports.isEmpty { lines += [""] + ports }
        if !contract.parameters.isEmpty {
            lines += ["", "| parameter | takes | default | |", "|---|---|---|---|"]
            for parameter in contract.parameters {
                let cells = [
                    "`\(parameter.name)`", Self.takes(parameter, code: true), Self.default(parameter, code: true),
                    Self.sentence(parameter),
                ]
                lines.append("| " + cells.map { $0.replacingBars }.joined(separator: " | ") + " |")
            }
        }
        for example in contract.examples {
            lines += ["", example.title + ":", "```json", example.json, "```"]
        }
        return lines
    }

    // MARK: Terminal

    /// One line per node type, grouped, as `vpipe nodes` prints it.
    public var list: String {
        let width = contracts.contracts.map(\.type.count).max() ?? 0
        var lines: [String] = []
        for (category, members) in contracts.byCategory {
            if !lines.isEmpty { lines.append("") }
            lines.append(Self.title(category))
            for contract in members { lines.append("  " + contract.type.padded(to: width) + "  " + contract.summary) }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Everything about one type (or alias), as `vpipe nodes TYPE` prints it; nil for an unknown type.
    public func text(for type: String) -> String? {
        guard let contract = contracts[type] else { return nil }
        var lines = ["\(contract.type) (\(contract.category.rawValue)): \(contract.summary)"]
        if !contract.aliases.isEmpty { lines.append("also called " + contract.aliases.joined(separator: ", ")) }
        if !contract.details.isEmpty { lines += ["", contract.details] }
        let ports =
            contract.inputs.map { ("in", $0.name, Self.text($0)) }
            + contract.outputs.map { ("out", $0.name, Self.text($0)) }
        if !ports.isEmpty {
            lines += ["", "ports"] + ports.map { "  " + $0.0.padded(to: 3) + " \($0.1): \($0.2)" }
        }
        if !contract.parameters.isEmpty {
            lines += ["", "parameters"]
            let width = contract.parameters.map(\.name.count).max() ?? 0
            for parameter in contract.parameters {
                lines.append("  " + parameter.name.padded(to: width) + "  " + Self.sentence(parameter))
                let given = Self.default(parameter, code: false)
                lines.append(
                    "  " + "".padded(to: width) + "  " + Self.takes(parameter, code: false)
                        + (parameter.isRequired ? "; required" : given.isEmpty ? "" : "; default " + given))
            }
        }
        for example in contract.examples { lines += ["", example.title + ":", "  " + example.json.indented] }
        return lines.joined(separator: "\n") + "\n"
    }

    // MARK: Phrases

    private static func text(_ port: InputPort) -> String {
        var text = port.payload.name
        if port.count.upperBound > 1 {
            text += ", \(port.count.lowerBound) to \(port.count.upperBound) links"
        } else if port.count.lowerBound == 0 {
            text += ", may be left open"
        }
        switch port.needs {
        case .none: break
        case .any: text += ", with results"
        case .anyOf(let kinds): text += ", with " + alternatives(kinds.map(\.name))
        }
        return port.doc.isEmpty ? text : text + ". " + port.doc
    }

    private static func text(_ port: OutputPort) -> String {
        var text = port.payload.name
        if !port.adds.isEmpty { text += ", adds " + port.adds.map(\.name).joined(separator: ", ") }
        return port.doc.isEmpty ? text : text + ". " + port.doc
    }

    private static func takes(_ parameter: ParamSpec, code: Bool) -> String {
        func mark(_ text: String) -> String { code ? "`\(text)`" : text }
        switch parameter.kind {
        case .enumeration(let choices):
            return alternatives(choices.map { mark($0.value) + ($0.doc.isEmpty ? "" : " (\($0.doc))") })
        case .size:
            return mark(parameter.kind.name) + (parameter.limits.text(unit: "pixels").map { ", each side " + $0 } ?? "")
        default:
            let bounds = parameter.limits.text(unit: parameter.unit).map { ", " + $0 }
            let unit = bounds == nil ? parameter.unit.map { ", \($0)" } ?? "" : ""
            return parameter.kind.name + (bounds ?? unit)
        }
    }

    private static func `default`(_ parameter: ParamSpec, code: Bool) -> String {
        if parameter.isRequired { return code ? "required" : "" }
        guard let value = parameter.default else { return "" }
        let text = value.text.isEmpty ? "\"\"" : value.text
        return code ? "`\(text)`" : text
    }

    private static func sentence(_ parameter: ParamSpec) -> String {
        parameter.doc + (parameter.isChangeable ? " (changeable while running)" : "")
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }

    /// The text with bars that would end a table cell escaped.
    fileprivate var replacingBars: String {
        split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|")
    }

    fileprivate var indented: String {
        split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\n  ")
    }
}
