// SPDX-License-Identifier: Apache-2.0
internal import Dataflow

/// `null`: takes frames and forgets them.
final class NullNode: Node, NodeType {
    static let contract = Contract(
        "null", .sink, summary: "Takes frames and forgets them, for measuring",
        examples: [.init("Measure a network alone", #"{ "type": "null", "input": "lines" }"#)])

    static func make(_ node: ValidatedNode, in context: BuildContext) -> BuiltNode { .node(NullNode()) }

    func process(_ item: Item, to output: Output) -> Disposition { .done }
}
