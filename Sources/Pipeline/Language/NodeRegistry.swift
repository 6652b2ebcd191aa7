// SPDX-License-Identifier: Apache-2.0

/// The contracts of all known node types, by name and alias.
public struct ContractTable: Sendable {
    /// In order of registration.
    public private(set) var contracts: [Contract] = []
    private var index: [String: Int] = [:]

    /// Makes a table without any type.
    public init() {}

    /// Makes a table of these types.
    public init(_ contracts: [Contract]) {
        for contract in contracts { add(contract) }
    }

    /// Adds a contract.
    ///
    /// A name that is taken, or a contract with mistakes in itself, is a bug in vpipe.
    public mutating func add(_ contract: Contract) {
        precondition(
            contract.mistakes.isEmpty, "contract \(contract.type): \(contract.mistakes.joined(separator: "; "))")
        for name in [contract.type] + contract.aliases {
            precondition(index[name] == nil, "node type \"\(name)\" is registered twice")
            index[name] = contracts.count
        }
        contracts.append(contract)
    }

    /// Finds the contract of a type, or of an alias.
    public subscript(type: String) -> Contract? {
        index[type].map { contracts[$0] }
    }

    /// The closest known type name; nil when none is close.
    public func nearest(to type: String) -> String? {
        closest(to: type, among: names)
    }

    /// Every name, types before aliases.
    public var names: [String] { contracts.map(\.type) + contracts.flatMap(\.aliases) }

    /// Contracts by category (sources first) and, within one, in order of registration.
    public var byCategory: [(Contract.Category, [Contract])] {
        Contract.Category.allCases.compactMap { category in
            let members = contracts.filter { $0.category == category }
            return members.isEmpty ? nil : (category, members)
        }
    }
}

/// Maps node types to their contracts and to whatever makes a running node of them.
public struct NodeRegistry<Factory: Sendable>: Sendable {
    /// The contracts alone, for checking files and making the reference.
    public private(set) var contracts = ContractTable()
    private var factories: [String: Factory] = [:]

    /// Makes a registry without any type.
    public init() {}

    /// Adds a node type.
    ///
    /// A taken name is a bug in vpipe.
    public mutating func register(_ contract: Contract, factory: Factory) {
        contracts.add(contract)
        factories[contract.type] = factory
    }

    /// What makes nodes of a type (or alias); nil for unknown types.
    public func factory(for type: String) -> Factory? {
        contracts[type].flatMap { factories[$0.type] }
    }
}
