// SPDX-License-Identifier: Apache-2.0
import InferenceTestSupport
import Dataflow
import Synchronization
import Testing

@testable import Pipeline
@testable import PipelineLanguage

/// A guest's node: counts frames on their way.
private enum TallyNode: NodeType {
    static let contract = Contract(
        "tally", aliases: ["count"], .processing, summary: "Counts frames", outputs: [OutputPort()])
    static let seen = Atomic<Int>(0)

    private final class Counter: Node {
        func process(_ item: Item, to output: Output) -> Disposition {
            seen.add(1, ordering: .relaxed)
            output.forward()
            return .done
        }
    }

    static func make(_ node: ValidatedNode, in context: BuildContext) -> BuiltNode { .node(Counter()) }
}

@Suite struct NodeRegistryTests {
    private static let text = """
        {"nodes": {"bars": {"type": "testpattern", "size": "64x48", "frames": 5},
         "n": {"type": "count", "input": "bars"}, "end": {"type": "null", "input": "n"}}}
        """

    @Test func `a pipeline runs with somebody else's registry`() throws {
        var registry = NodeRegistry.builtIn
        try registry.register(TallyNode.self)
        let pipeline = try PipelineFile(name: "p.json", text: Self.text).validated(against: registry.contracts)
        let run = try PipelineRun(pipeline, registry: registry, engine: noEngine())
        try run.start()
        #expect(run.waitUntilFinished().failures.isEmpty)
        #expect(TallyNode.seen.load(ordering: .relaxed) == 5)
        // In another registry the type is not there, which is an error and no crash.
        let error = #expect(throws: PipelineRunError.self) {
            try PipelineRun(pipeline, registry: .builtIn, engine: noEngine())
        }
        #expect("\(error.map { "\($0)" } ?? "")".hasPrefix("nodes.n: this registry has no node type \"tally\""))
    }

    @Test func `a guest's node type is in the reference, the schema and the diagnostics`() throws {
        var registry = NodeRegistry.builtIn
        try registry.register(TallyNode.self)
        let reference = NodeReference(registry.contracts)
        #expect(reference.list.contains("Counts frames"))
        #expect(reference.markdown.contains("### tally"))
        #expect(try #require(reference.text(for: "count")).hasPrefix("tally"))
        #expect(PipelineSchema(registry.contracts).text.contains("\"tally\""))
        let misspelt = PipelineFile(name: "p.json", text: Self.text.replacing("\"count\"", with: "\"taly\""))
        let fixes = misspelt.check(against: registry.contracts).diagnostics.compactMap(\.fix)
        #expect(fixes.contains { $0.contains("\"tally\"") }, "\(fixes)")
    }

    @Test func `a name that is taken is an error, and nothing is registered`() throws {
        var registry = NodeRegistry.builtIn
        try registry.register(TallyNode.self)
        let before = registry.contracts.names
        let contracts = [
            Contract("tally", .processing, summary: "Another", outputs: [OutputPort()]),
            Contract("other", aliases: ["fresh", "faces"], .processing, summary: "Another", outputs: [OutputPort()]),
            Contract("twice", aliases: ["twice"], .processing, summary: "Another", outputs: [OutputPort()]),
            Contract("bad", .sink, summary: "", inputs: [InputPort()]),
        ]
        let problems = contracts.map { contract in
            #expect(throws: ContractError.self) {
                try registry.register(contract) { _, _ in throw OutputError("not made") }
            }?.description
        }
        #expect(
            problems == [
                "node type \"tally\": the name \"tally\" is taken by the node type \"tally\"",
                "node type \"other\": the name \"faces\" is taken by the node type \"retinaface\"",
                "node type \"twice\": the name \"twice\" is given twice",
                "node type \"bad\": the summary is not one line",
            ])
        #expect(registry.contracts.names == before)
    }
}
