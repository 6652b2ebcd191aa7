// SPDX-License-Identifier: Apache-2.0
public import PipelineLanguage

/// The node types a pipeline can use: their contracts, and what makes running nodes of them.
///
/// A value: take ``builtIn``, add types of your own, and hand it to ``PipelineRun``.
/// - Note: Thread-safety: an immutable value once it is built.
public struct NodeRegistry: Sendable {
    /// The contracts alone, for checking files and making the reference.
    public private(set) var contracts = ContractTable()
    private var factories: [String: NodeFactory] = [:]
    /// What makes stand-ins for trial runs.
    private var trials: [String: NodeFactory] = [:]

    /// Makes a registry without any type.
    public init() {}

    /// Adds a node type.
    ///
    /// - Throws: `ContractError` when one of its names is taken, or when its contract contradicts itself.
    public mutating func register(_ type: any NodeType.Type) throws(ContractError) {
        try register(type.contract, trial: { try type.makeTrial($0, in: $1) }) { try type.make($0, in: $1) }
    }

    /// Adds a node type as a contract and what makes nodes of it.
    ///
    /// - Parameters:
    ///   - contract: the declaration.
    ///   - trial: makes the stand-ins for trial runs, see ``NodeType/makeTrial(_:in:)``; nil has its default.
    ///   - factory: makes the nodes.
    /// - Throws: `ContractError`, as above.
    public mutating func register(
        _ contract: Contract, trial: NodeFactory? = nil,
        factory: @escaping NodeFactory
    ) throws(ContractError) {
        try contracts.add(contract)
        factories[contract.type] = factory
        trials[contract.type] = trial ?? { try NullNode.makeTrial($0, in: $1) }
    }

    /// What makes nodes of a type (or alias); nil for unknown types.
    public func factory(for type: String) -> NodeFactory? {
        contracts[type].flatMap { factories[$0.type] }
    }

    /// Makes a node of a validated declaration.
    ///
    /// - Throws: what its factory throws; a sentence when the registry does not know its type.
    package func make(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode {
        let makers = context.isTrial && node.contract.feedsPeer ? trials : factories
        guard let factory = contracts[node.type].flatMap({ makers[$0.type] }) else {
            throw OutputError("this registry has no node type \"\(node.type)\": validate the pipeline against it")
        }
        return try factory(node, context)
    }
}
