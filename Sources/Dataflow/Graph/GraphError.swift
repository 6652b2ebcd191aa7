// SPDX-License-Identifier: Apache-2.0

/// What can be wrong with a graph or with a node in it.
public struct GraphError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of error.
    public struct Code: Sendable, Hashable {
        let name: String
        /// The graph cannot be built; `detail` lists every problem, one per line.
        public static let invalidGraph = Code(name: "invalid graph")
        /// A node's `start` threw; nothing runs.
        public static let startFailed = Code(name: "start failed")
        /// A node broke the rules of `Output`.
        public static let nodeMisbehaved = Code(name: "node misbehaved")
        /// The graph was started twice.
        public static let alreadyStarted = Code(name: "already started")
    }

    /// The kind of error.
    public let code: Code
    /// What happened, in words.
    public let detail: String

    init(code: Code, detail: String) {
        self.code = code
        self.detail = detail
    }

    /// One line or more for people.
    public var description: String { "\(code.name): \(detail)" }
}
