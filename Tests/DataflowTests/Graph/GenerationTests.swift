// SPDX-License-Identifier: Apache-2.0
import Synchronization
import TestSupport
import Testing

@testable import Dataflow

/// Passes items on and notes, frame by frame, the setting that it had then.
private final class AdjustedNode: BaseNode, Node {
    let changes = ChangeQueue<UInt64>()
    private var setting: UInt64 = 0
    private(set) var seen: [(ticket: Ticket, setting: UInt64)] = []
    let isSink: Bool
    init(isSink: Bool = false) { self.isSink = isSink }
    func process(_ item: Item, to output: Output) throws -> Disposition {
        if let change = changes.take(upTo: item.ticket.generation) { setting = change }
        seen.append((item.ticket, setting))
        try attend()
        if !isSink { output.forward() }
        return .done
    }
}

@Suite(.timeLimit(.minutes(15))) struct GenerationTests {
    /// What each generation's setting is in these tests.
    static func setting(of generation: UInt64) -> UInt64 { generation &* 1000 }

    /// Changes all nodes' setting together, many times while frames flow, and holds each frame to one setting.
    private func change(_ nodes: [AdjustedNode], of graph: Graph, times: Int, seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        try graph.start()
        for _ in 0..<times {
            // From no frame at all up to a few between two changes, at every node.
            let before = graph.stages.map { $0.items.load(ordering: .relaxed) }
            let frames = UInt64.random(in: 0...4, using: &random)
            waitUntil {
                zip(graph.stages, before).allSatisfy { $0.items.load(ordering: .relaxed) >= $1 + frames }
            }
            let next = graph.generation + 1
            for node in nodes.shuffled(using: &random) { node.changes.post(Self.setting(of: next), from: next) }
            #expect(graph.advanceGeneration() == next)
        }
        graph.stop()
        let report = graph.waitUntilFinished()
        #expect(report.ledgerErrors == [] && report.failures == [])
        for node in nodes {
            let wrong = node.seen.filter { $0.setting != Self.setting(of: $0.ticket.generation) }
            #expect(wrong.isEmpty, "\(wrong.count) of \(node.seen.count) frames")
            let generations = node.seen.map(\.ticket.generation)
            #expect(generations == generations.sorted())
            #expect(Set(generations).count > 50, "too few changes fell among frames")
        }
    }

    @Test("in a chain, every frame sees one whole set of settings") func chain() throws {
        let nodes = [AdjustedNode(), AdjustedNode(), AdjustedNode(isSink: true)]
        nodes[1].work = 300
        var builder = GraphBuilder(name: "chain")
        var last = builder.addSource("source", CountingSource(nil))
        for (i, node) in nodes.enumerated() {
            let next = builder.addNode("node\(i)", node)
            builder.connect(last, to: next, capacity: 8)
            last = next
        }
        try change(nodes, of: builder.build(), times: 2000, seed: 1)
    }

    @Test("in a fan-out, every frame sees one whole set of settings", arguments: [EdgePolicy.block, .latest])
    func fanOut(policy: EdgePolicy) throws {
        let nodes = [AdjustedNode(), AdjustedNode(), AdjustedNode(isSink: true)]
        nodes[1].work = 1000
        var builder = GraphBuilder(name: "fan")
        let source = builder.addSource("source", CountingSource(nil))
        let left = builder.addNode("left", nodes[0])
        let right = builder.addNode("right", nodes[1])
        let join = builder.addJoin("join", CollectingJoin())
        builder.connect(source, to: left, policy: policy)
        builder.connect(source, to: right, policy: policy)
        builder.connect(left, to: join)
        builder.connect(right, port: 0, to: join, port: 1)
        builder.connect(join, to: builder.addNode("sink", nodes[2]))
        try change(nodes, of: builder.build(), times: 2000, seed: 2)
    }

    @Test("a change waits for its generation, and none replaces an earlier one") func queue() {
        let changes = ChangeQueue<String>()
        #expect(changes.take(upTo: 9) == nil)
        changes.post("one", from: 1)
        changes.post("two", from: 2)
        changes.post("five", from: 5)
        #expect(changes.take(upTo: 0) == nil)
        #expect(changes.take(upTo: 1) == "one")
        #expect(changes.take(upTo: 1) == nil)
        #expect(changes.take(upTo: 4) == "two")
        changes.post("six", from: 6)
        #expect(changes.take(upTo: 7) == "six")
        #expect(changes.take(upTo: 7) == nil)
    }

    @Test("changes that nobody takes are freed") func queueEnd() {
        let tally = Tally()
        do {
            let changes = ChangeQueue<CountedItem>()
            for n in 1...100_000 as ClosedRange<UInt64> {
                changes.post(CountedItem(ticket: Ticket(source: 0, sequence: n, capturedAt: 0), tally: tally), from: n)
            }
            _ = changes.take(upTo: 10)
            // The one in force is kept until the next.
            #expect(tally.count == 99_991)
        }
        #expect(tally.count == 0)
    }
}
