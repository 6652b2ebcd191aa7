// SPDX-License-Identifier: Apache-2.0

extension Network {
    /// A part of a network whose precision is chosen as one.
    public struct Block: Sendable, Hashable {
        /// The first components of its layers' paths.
        public let name: String
        /// Paths of its convolutions, in order.
        public let convolutions: [String]
        /// Multiply-accumulates of its convolutions.
        public let multiplyAccumulates: Int
    }

    /// The convolutions in blocks, in order: of the paths' first components as few as leave no block with more than a
    /// sixteenth of the convolutions.
    public var blocks: [Block] {
        let convolutions = layers.filter { if case .convolution = $0.operation { true } else { false } }
        let limit = max(1, convolutions.count / 16)
        func split(_ members: [Layer], depth: Int) -> [Block] {
            var names: [String] = []
            var groups: [String: [Layer]] = [:]
            for layer in members {
                let name = layer.path.split(separator: ".").prefix(depth).joined(separator: ".")
                if groups[name] == nil { names.append(name) }
                groups[name, default: []].append(layer)
            }
            return names.flatMap { name -> [Block] in
                let group = groups[name] ?? []
                if group.count > limit, group.contains(where: { $0.path.split(separator: ".").count > depth }) {
                    return split(group, depth: depth + 1)
                }
                return [
                    Block(
                        name: name, convolutions: group.map(\.path),
                        multiplyAccumulates: group.reduce(0) { $0 + multiplyAccumulates(of: $1) })
                ]
            }
        }
        return split(convolutions, depth: 1)
    }
}
