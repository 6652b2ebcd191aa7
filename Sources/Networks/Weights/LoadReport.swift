// SPDX-License-Identifier: Apache-2.0

/// How well weights fit a network, name by name.
public struct LoadReport: Sendable, Hashable, CustomStringConvertible {
    /// A tensor that is there with another shape or type.
    public struct Mismatch: Sendable, Hashable {
        /// The tensor's key.
        public let name: String
        /// Shape and kind the network needs.
        public let expected: String
        /// Shape and kind in the weights.
        public let found: String
    }

    /// Network and variant the report is about: `mlsd tiny`.
    public let network: String
    /// Parameters of the network that the weights hold in the right shape.
    public let matched: Int
    /// Parameters the weights do not hold.
    public let missing: [String]
    /// Parameters held in another shape or type.
    public let mismatched: [Mismatch]
    /// Tensors that the network does not know: harmless alone, telling beside missing ones.
    public let unexpected: [String]
    /// Tensors that frameworks store beside weights and inference never needs, such as batch counters.
    public let ignored: [String]

    /// Whether the network can be loaded.
    public var isComplete: Bool { missing.isEmpty && mismatched.isEmpty }

    /// A readable list, shortened where it is long.
    public var description: String {
        var lines = ["\(network): \(matched) of \(matched + missing.count + mismatched.count) tensors fit"]
        for mismatch in mismatched.prefix(Self.shown) {
            lines.append("  \(mismatch.name): expected \(mismatch.expected), got \(mismatch.found)")
        }
        lines += Self.list("missing", missing) + Self.list("unexpected", unexpected)
        let hidden = mismatched.count - min(mismatched.count, Self.shown)
        if hidden > 0 { lines.append("  and \(hidden) more of another shape") }
        if !ignored.isEmpty { lines.append("  ignored: \(ignored.count) tensors that inference does not need") }
        return lines.joined(separator: "\n")
    }

    private static let shown = 12

    private static func list(_ title: String, _ names: [String]) -> [String] {
        guard !names.isEmpty else { return [] }
        let rest = names.count > shown ? ", and \(names.count - shown) more" : ""
        return ["  \(title): " + names.prefix(shown).joined(separator: ", ") + rest]
    }
}

extension Network {
    /// Compares weights with what this network needs.
    public func check(_ weights: Weights) -> LoadReport {
        var matched = 0
        var missing: [String] = []
        var mismatched: [LoadReport.Mismatch] = []
        var known: Set<String> = []
        for parameter in parameters {
            known.insert(parameter.name)
            guard let tensor = weights[parameter.name] else {
                missing.append(parameter.name)
                continue
            }
            if tensor.shape == parameter.shape, parameter.storage.holds(tensor.type) {
                matched += 1
            } else {
                mismatched.append(
                    .init(
                        name: parameter.name, expected: "\(dimensions(parameter.shape)) \(parameter.storage)",
                        found: "\(dimensions(tensor.shape)) \(tensor.type.rawValue)"))
            }
        }
        let others = weights.names.filter { !known.contains($0) }
        return LoadReport(
            network: "\(name) \(variant)", matched: matched, missing: missing, mismatched: mismatched,
            unexpected: others.filter { !Self.isBookkeeping($0) }, ignored: others.filter(Self.isBookkeeping))
    }

    private static func isBookkeeping(_ name: String) -> Bool { name.hasSuffix("num_batches_tracked") }
}

extension Parameter.Storage {
    fileprivate func holds(_ type: ElementType) -> Bool { self == .int8 ? type == .i8 : type.isFloatingPoint }
}
