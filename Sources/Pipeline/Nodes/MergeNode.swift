// SPDX-License-Identifier: Apache-2.0
internal import Dataflow
internal import Media

/// `merge`: brings the results of parallel branches together on one frame.
final class MergeNode: JoinNode, NodeType {
    static let contract = Contract(
        "merge", .processing,
        summary: "Joins parallel branches of one source: the picture of the first, results of all",
        details: "Frames are matched by identity. A frame that a branch dropped goes on without that branch's results.",
        inputs: [InputPort(count: 1...16, doc: "branches of one source; the first gives the picture")],
        examples: [.init("Lines and faces in one record", #"{ "type": "merge", "inputs": ["faces", "lines"] }"#)])

    static func make(_ node: ValidatedNode, in context: BuildContext) -> BuiltNode { .join(MergeNode()) }

    func join(_ items: JoinedItems, to output: Output) -> Disposition {
        output.emit(Self.merged(items))
        return .done
    }

    /// The primary frame with the results of all branches.
    static func merged(_ items: JoinedItems) -> Frame {
        let primary = items.primary.frame
        var results = primary.results
        for port in 1..<max(1, items.count) {
            if let other = items[port] { results = results.merging(other.frame.results) }
        }
        return primary.replacing(results: results)
    }
}
