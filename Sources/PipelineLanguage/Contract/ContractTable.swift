// SPDX-License-Identifier: Apache-2.0

/// The contracts of all known node types, by name and alias.
public struct ContractTable: Sendable {
    /// In order of registration.
    public private(set) var contracts: [Contract] = []
    private var index: [String: Int] = [:]

    /// Makes a table without any type.
    public init() {}

    /// Makes a table of these types.
    ///
    /// - Precondition: ``add(_:)`` takes all of them.
    public init(_ contracts: [Contract]) {
        for contract in contracts {
            do { try add(contract) } catch { preconditionFailure("\(error)") }
        }
    }

    /// Adds a contract.
    ///
    /// - Throws: ``ContractError`` when one of its names is taken, or when the contract contradicts itself; nothing is
    ///   added then.
    public mutating func add(_ contract: Contract) throws(ContractError) {
        var problems = contract.mistakes
        let names = [contract.type] + contract.aliases
        for (position, name) in names.enumerated() {
            if let taken = index[name] {
                problems.append("the name \"\(name)\" is taken by the node type \"\(contracts[taken].type)\"")
            } else if names[..<position].contains(name) {
                problems.append("the name \"\(name)\" is given twice")
            }
        }
        guard problems.isEmpty else { throw ContractError(type: contract.type, problems: problems) }
        for name in names { index[name] = contracts.count }
        contracts.append(contract)
    }

    /// Finds the contract of a type, or of an alias.
    public subscript(type: String) -> Contract? {
        index[type].map { contracts[$0] }
    }

    /// The type that other programs call so, or the closest known name; nil when none is close.
    public func nearest(to type: String) -> String? {
        let name = type.lowercased()
        return contracts.first { $0.knownElsewhereAs.contains(name) }?.type ?? closest(to: type, among: names)
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

/// Why a node type cannot be added to those that are known.
public struct ContractError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The node type's name.
    public let type: String
    /// What is wrong, one phrase each.
    public let problems: [String]

    /// Makes the error.
    public init(type: String, problems: [String]) {
        self.type = type
        self.problems = problems
    }

    /// All of it in one line.
    public var description: String { "node type \"\(type)\": \(problems.joined(separator: "; "))" }
}
