// SPDX-License-Identifier: Apache-2.0
package import Dataflow
package import PipelineLanguage

/// `null`: takes frames and forgets them.
package final class NullNode: Node, NodeType {
    package static let contract = Contract(
        "null", .sink, summary: "Takes frames and forgets them, for measuring",
        discloses: { _ in [] },
        examples: [.init("Measure a network alone", #"{ "type": "null", "input": "lines" }"#)])

    package static func make(_ node: ValidatedNode, in context: BuildContext) -> BuiltNode { .node(NullNode()) }

    package func process(_ item: Item, to output: Output) -> Disposition { .done }
}
