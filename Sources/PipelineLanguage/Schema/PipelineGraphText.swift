// SPDX-License-Identifier: Apache-2.0

/// Pictures of a pipeline as text for other programs: Graphviz DOT and Mermaid.
public struct PipelineGraphText: Sendable {
    private let pipeline: ValidatedPipeline

    /// Makes pictures of a pipeline.
    public init(_ pipeline: ValidatedPipeline) {
        self.pipeline = pipeline
    }

    /// For `dot -Tsvg`; links that may lose frames are dashed.
    public var dot: String {
        var lines = ["digraph \(Self.dotText(pipeline.name ?? "pipeline")) {", "    rankdir=LR;"]
        lines.append("    node [fontname=\"sans-serif\"];")
        lines.append("    edge [fontname=\"sans-serif\", fontsize=10];")
        for node in pipeline.nodes {
            let label = node.id == node.type ? node.id : node.id + "\n" + node.type
            let shape = Self.shape(node.contract.category)
            lines.append("    \(Self.dotText(node.id)) [label=\(Self.dotText(label)), shape=\(shape)];")
        }
        for link in pipeline.links {
            let style = link.rule.policy == .block ? "" : ", style=dashed"
            let ends = "\(Self.dotText(link.from)) -> \(Self.dotText(link.to))"
            lines.append("    \(ends) [label=\(Self.dotText(label(link)))\(style)];")
        }
        return (lines + ["}"]).joined(separator: "\n") + "\n"
    }

    /// For Markdown pages and the Mermaid viewer; links that may lose frames are dotted.
    public var mermaid: String {
        var lines = ["flowchart LR"]
        var numbers: [String: Int] = [:]
        for (index, node) in pipeline.nodes.enumerated() {
            numbers[node.id] = index
            let label = node.id == node.type ? node.id : "\(node.id)<br/>\(node.type)"
            let (open, close) = Self.brackets(node.contract.category)
            lines.append("    n\(index)\(open)\"\(label)\"\(close)")
        }
        for link in pipeline.links {
            guard let from = numbers[link.from], let to = numbers[link.to] else { continue }
            let arrow = link.rule.policy == .block ? "-->" : "-.->"
            lines.append("    n\(from) \(arrow)|\"\(label(link))\"| n\(to)")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func label(_ link: ValidatedLink) -> String {
        let ports = pipeline[link.from]?.contract.outputs.count ?? 1
        return (ports > 1 ? link.fromPort + ": " : "") + link.rule.description
    }

    private static func shape(_ category: Contract.Category) -> String {
        switch category {
        case .source: "cds"
        case .inference: "hexagon"
        case .processing: "box"
        case .sink: "folder"
        }
    }

    private static func brackets(_ category: Contract.Category) -> (String, String) {
        switch category {
        case .source: ("([", "])")
        case .inference: ("{{", "}}")
        case .processing: ("[", "]")
        case .sink: ("[/", "/]")
        }
    }

    /// A quoted DOT string, where a line break is `\n` and only quotes and backslashes need escapes.
    private static func dotText(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case _ where scalar.value < 0x20: out += " "
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }
}
