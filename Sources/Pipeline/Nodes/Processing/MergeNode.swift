// SPDX-License-Identifier: Apache-2.0
internal import Dataflow
internal import Media
internal import PipelineLanguage

/// `merge`: brings the results of parallel branches together on one frame.
final class MergeNode: JoinNode, NodeType, ReportingNode {
    static let contract = Contract(
        "merge", .processing,
        summary: "Joins parallel branches of one source: the picture of the first, results of all",
        details:
            "Frames are matched by identity. A frame that a branch skipped goes on with that branch's last results, "
            + "carried on by the motion of the picture and marked so.",
        inputs: [InputPort(count: 1...16, doc: "branches of one source; the first gives the picture")],
        parameters: [BranchResults.choice, BranchResults.maxAge],
        waitsForBranches: { $0[BranchResults.choice] == .wait }, pictures: .firstInput,
        examples: [.init("Lines and faces in one record", #"{ "type": "merge", "inputs": ["faces", "lines"] }"#)])

    private let branches: BranchResults

    static func make(_ node: ValidatedNode, in context: BuildContext) -> BuiltNode {
        .join(MergeNode(BranchResults(node.settings)))
    }

    private init(_ branches: BranchResults) { self.branches = branches }

    var matching: JoinMatching { branches.matching }

    var notes: [String] { branches.notes }

    func join(_ items: JoinedItems, to output: Output) -> Disposition {
        output.emit(branches.completed(items))
        return .done
    }
}
