// SPDX-License-Identifier: Apache-2.0

/// What a pipeline promises to hold.
public struct PipelineTarget: Sendable, Hashable {
    /// Frames per second at every sink.
    public var fps: Double?
    /// Milliseconds from capture to delivery.
    public var latencyMilliseconds: Double?

    /// Makes a target; nil promises nothing.
    public init(fps: Double? = nil, latencyMilliseconds: Double? = nil) {
        self.fps = fps
        self.latencyMilliseconds = latencyMilliseconds
    }
}

/// What the failure of a node does to the rest of the pipeline.
public enum FailureScope: String, Sendable, Hashable, CaseIterable {
    /// Only the node and what depends on it ends.
    case isolate
    /// The whole pipeline stops.
    case stop
}

/// A link with everything about it resolved.
public struct ValidatedLink: Sendable, Hashable {
    /// Id of the writer.
    public let from: String
    /// Name of its output.
    public let fromPort: String
    /// Position among the writer's outputs.
    public let fromPortIndex: Int
    /// Id of the reader.
    public let to: String
    /// Name of the input port; several links may share one that takes many.
    public let toPort: String
    /// Position among all inputs of the reader, which is the port number of a join.
    public let toPortIndex: Int
    /// Policy and capacity, from the file or by default.
    public let rule: LinkRule
    /// Whether the file said what the rule is.
    public let isRuleGiven: Bool

    package init(
        from: String, fromPort: String, fromPortIndex: Int, to: String, toPort: String, toPortIndex: Int,
        rule: LinkRule, isRuleGiven: Bool
    ) {
        self.from = from
        self.fromPort = fromPort
        self.fromPortIndex = fromPortIndex
        self.to = to
        self.toPort = toPort
        self.toPortIndex = toPortIndex
        self.rule = rule
        self.isRuleGiven = isRuleGiven
    }
}

/// A node ready to be made.
public struct ValidatedNode: Sendable {
    /// The key in `nodes`.
    public let id: String
    /// The declaration of its type.
    public let contract: Contract
    /// Its parameters, all valid.
    public let settings: Settings
    /// What its failure does to the rest.
    public let onError: FailureScope
    /// Whether it is a source of what must not be given away as it is.
    public let isSensitive: Bool
    /// Why it may give away what a sensitive source sees; nil where it may not.
    public let allowRaw: String?
    /// The links it reads, in port order.
    public let inputs: [ValidatedLink]
    /// The links that read it, in the order of the file.
    public let outputs: [ValidatedLink]
    /// Ids of the sources its frames come from; itself for a source.
    public let sources: [String]
    /// Whether any of its sources is live.
    public let isLive: Bool
    /// Whether what it makes arrives at a sink; a node that does not is useless work, and has been warned of.
    public let reachesSink: Bool
    /// Results that its frames carry when they leave (a sink: when they arrive).
    public let results: [ResultKind]
    /// The place of the node in the file.
    public let position: TextPosition

    package init(
        id: String, contract: Contract, settings: Settings, onError: FailureScope,
        isSensitive: Bool = false, allowRaw: String? = nil, inputs: [ValidatedLink], outputs: [ValidatedLink],
        sources: [String], isLive: Bool, reachesSink: Bool, results: [ResultKind],
        position: TextPosition
    ) {
        self.id = id
        self.contract = contract
        self.settings = settings
        self.onError = onError
        self.isSensitive = isSensitive
        self.allowRaw = allowRaw
        self.inputs = inputs
        self.outputs = outputs
        self.sources = sources
        self.isLive = isLive
        self.reachesSink = reachesSink
        self.results = results
        self.position = position
    }

    /// The same node with other settings.
    package func with(_ settings: Settings) -> ValidatedNode {
        ValidatedNode(
            id: id, contract: contract, settings: settings, onError: onError, isSensitive: isSensitive,
            allowRaw: allowRaw, inputs: inputs, outputs: outputs, sources: sources, isLive: isLive,
            reachesSink: reachesSink, results: results, position: position)
    }

    /// The canonical type name, also where the file used an alias.
    public var type: String { contract.type }
}

/// A pipeline in which everything that can be checked before opening anything holds.
public struct ValidatedPipeline: Sendable {
    /// The file it came from, as messages call it.
    public let file: String
    /// What reports call the pipeline.
    public let name: String?
    /// What the pipeline promises; nil promises nothing.
    public let target: PipelineTarget?
    /// How it may get cheaper to hold its target.
    public let ladder: Ladder
    /// Every node after all the nodes it reads; otherwise in the order of the file.
    public let nodes: [ValidatedNode]
    /// What is doubtful, though it can run.
    public internal(set) var warnings: [Diagnostic]
    /// What it was validated from; nil where it was made otherwise.
    package var origin: PipelineOrigin?

    package init(
        file: String, name: String?, target: PipelineTarget?, ladder: Ladder, nodes: [ValidatedNode],
        warnings: [Diagnostic]
    ) {
        self.file = file
        self.name = name
        self.target = target
        self.ladder = ladder
        self.nodes = nodes
        self.warnings = warnings
    }

    /// The nodes whose pictures show what a sensitive source sees as it is: nobody outside may look at them.
    public var nodesWithRawPictures: Set<String> {
        var raw: Set<String> = []
        for node in nodes {
            let seen = node.contract.pictures == .firstInput ? Array(node.inputs.prefix(1)) : node.inputs
            guard node.isSensitive || seen.contains(where: { raw.contains($0.from) }), !node.contract.redacts else {
                continue
            }
            raw.insert(node.id)
        }
        return raw
    }

    /// All links, ordered by reader.
    public var links: [ValidatedLink] { nodes.flatMap(\.inputs) }

    /// Whether frames come by themselves rather than as fast as they are taken.
    package var isLive: Bool { nodes.contains { $0.contract.category == .source && $0.reachesSink && $0.isLive } }

    /// Finds a node by id.
    public subscript(id: String) -> ValidatedNode? { nodes.first { $0.id == id } }

    /// The nodes that `node` takes frames from, directly or through others; each once, and behind those before it.
    package func nodes(before node: ValidatedNode) -> [ValidatedNode] {
        var found: [ValidatedNode] = []
        var seen: Set<String> = []
        func visit(_ node: ValidatedNode) {
            for before in node.inputs.compactMap({ self[$0.from] }) where seen.insert(before.id).inserted {
                visit(before)
                found.append(before)
            }
        }
        visit(node)
        return found
    }
}

/// What a pipeline was validated from: enough to validate it again with other values.
package struct PipelineOrigin: Sendable {
    package let file: PipelineFile
    package let contracts: ContractTable
    /// Texts of `--set`, those of changes made while running last.
    package let overrides: [String]
    package let environment: [String: String]?
}

extension ValidatedPipeline {
    /// The same pipeline with another value of a parameter, checked as if the file had it; the file is not touched.
    ///
    /// - Parameter value: as after the `=` of `--set node.parameter=value`.
    /// - Throws: `PipelineFileError` with every mistake that this makes; a sentence where there is no file.
    package func setting(_ parameter: String, of node: String, to value: String) throws -> ValidatedPipeline {
        guard let origin else {
            throw PipelineFileError([
                Diagnostic(file: file, message: "was not made from a file: nothing can be changed")
            ])
        }
        let key = "\(node).\(parameter)="
        return try origin.file.validated(
            against: origin.contracts, overrides: origin.overrides.filter { !$0.hasPrefix(key) } + [key + value],
            environment: origin.environment)
    }
}
