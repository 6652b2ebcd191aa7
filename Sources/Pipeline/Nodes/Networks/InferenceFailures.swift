// SPDX-License-Identifier: Apache-2.0

/// The failed inferences of a node: each costs its frame, and too many in a row end the node.
///
/// Confined to its node's queue.
struct InferenceFailures {
    /// Failures in a row that the node does not survive: a second of video, or thereabouts.
    static let limit = 30

    private let node: String
    private let events: EventBox
    private var total = 0
    private var inARow = 0

    init(of node: String, _ events: EventBox) {
        self.node = node
        self.events = events
    }

    /// Counts a failure and reports it.
    ///
    /// - Throws: when it is one too many in a row.
    mutating func note(_ error: any Error) throws {
        total += 1
        inARow += 1
        events.post(RunEvent(.flawed, of: node, "inference failed: \(error)"))
        guard inARow < Self.limit else {
            throw OutputError("\(inARow) inferences in a row failed, the last one with: \(error)")
        }
    }

    /// Ends a row of failures.
    mutating func noteSuccess() { inARow = 0 }

    /// A line for the report; nil when nothing failed.
    var summary: String? { total == 0 ? nil : "inferences failed: \(total), each at the cost of its frame" }
}
