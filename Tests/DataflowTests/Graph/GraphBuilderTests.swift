// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Dataflow

@Suite(.timeLimit(.minutes(15))) struct GraphBuilderTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var problem: String
        var make: @Sendable (inout GraphBuilder) -> Void
    }

    static let cases: [Case] = [
        Case(testDescription: "empty", problem: "the graph has no nodes") { _ in },
        Case(testDescription: "lone source", problem: "a: nothing takes what the source makes") {
            _ = $0.addSource("a", CountingSource(1))
        },
        Case(testDescription: "lone sink", problem: "s: nothing feeds it") {
            _ = $0.addNode("s", CollectingSink())
        },
        Case(testDescription: "same name", problem: "two nodes are named a") {
            let a = $0.addSource("a", CountingSource(1))
            $0.connect(a, to: $0.addNode("a", CollectingSink()))
        },
        Case(testDescription: "edge into a source", problem: "a: a source has no inputs") {
            let a = $0.addSource("a", CountingSource(1))
            let b = $0.addSource("b", CountingSource(1))
            $0.connect(b, to: a)
            $0.connect(a, to: $0.addNode("s", CollectingSink()))
        },
        Case(testDescription: "cycle", problem: "a cycle goes through or feeds p, q") {
            let p = $0.addNode("p", PassNode())
            let q = $0.addNode("q", PassNode())
            $0.connect(p, to: q)
            $0.connect(q, to: p)
        },
        Case(testDescription: "two edges on a port", problem: "s: an input port has two edges") {
            let a = $0.addSource("a", CountingSource(1))
            let s = $0.addNode("s", CollectingSink())
            $0.connect(a, to: s)
            $0.connect(a, to: s)
        },
        Case(
            testDescription: "several inputs and outputs",
            problem: "p: a node with outputs has one input; use a join to bring branches together"
        ) {
            let a = $0.addSource("a", CountingSource(1))
            let p = $0.addNode("p", PassNode())
            $0.connect(a, to: p)
            $0.connect(a, port: 0, to: p, port: 1)
            $0.connect(p, to: $0.addNode("s", CollectingSink()))
        },
        Case(testDescription: "gap in ports", problem: "j: the input ports of a join are numbered from 0 without gaps")
        {
            let a = $0.addSource("a", CountingSource(1))
            let j = $0.addJoin("j", CollectingJoin())
            $0.connect(a, to: j)
            $0.connect(a, port: 0, to: j, port: 2)
        },
        Case(testDescription: "two sources joined", problem: "j: joins frames of different sources (a, b)") {
            let j = $0.addJoin("j", CollectingJoin())
            $0.connect($0.addSource("a", CountingSource(1)), to: j)
            $0.connect($0.addSource("b", CountingSource(1)), port: 0, to: j, port: 1)
        },
        Case(testDescription: "no room", problem: "a.0 -> s.0: capacity 0 is not within 1...1048576") {
            let a = $0.addSource("a", CountingSource(1))
            $0.connect(a, to: $0.addNode("s", CollectingSink()), capacity: 0)
        },
    ]

    @Test("a graph that cannot run is refused with the reason", arguments: cases)
    func refusal(_ c: Case) {
        var builder = GraphBuilder(name: "bad")
        c.make(&builder)
        let error = caught { _ = try builder.build() }
        #expect(error?.code == .invalidGraph)
        #expect(error?.detail == c.problem)
    }

    @Test("edges into a join are given the room that the other branch may take")
    func diamond() throws {
        var builder = GraphBuilder(name: "diamond")
        let a = builder.addSource("a", CountingSource(1))
        let split = builder.addNode("split", PassNode())
        let ahead = builder.addNode("ahead", LookaheadNode(9))
        let relay = builder.addNode("relay", PassNode())
        let j = builder.addJoin("j", CollectingJoin())
        builder.connect(a, to: split, capacity: 7)
        builder.connect(split, to: ahead, capacity: 2)
        builder.connect(ahead, to: relay, capacity: 3)
        builder.connect(relay, port: 0, to: j, port: 1, capacity: 1)
        builder.connect(split, to: j, policy: .latest)
        let graph = try builder.build()
        // ahead holds 10 and one in hand, relay one in hand, their edges 2 and 3; what lies before split does not
        // count, and one more.
        #expect(graph.edges.map(\.ring.capacity) == [7, 2, 3, 1, 18])
        #expect(graph.adjustments == ["split -> j: capacity raised from 1 to 18, what the other branches may hold"])
        #expect(graph.edges.map(\.needsBounds) == [true, true, true, true, true])
    }

    @Test("forty diamonds in a row are planned and run")
    func manyDiamonds() throws {
        var builder = GraphBuilder(name: "ladder")
        var last = builder.addSource("a", CountingSource(20))
        for i in 0..<40 {
            let left = builder.addNode("l\(i)", PassNode())
            let right = builder.addNode("r\(i)", PassNode())
            let join = builder.addJoin("j\(i)", CollectingJoin())
            builder.connect(last, to: left)
            builder.connect(last, to: right)
            builder.connect(left, to: join)
            builder.connect(right, port: 0, to: join, port: 1)
            last = join
        }
        let sink = CollectingSink()
        builder.connect(last, to: builder.addNode("sink", sink))
        let graph = try builder.build()
        try graph.start()
        let report = graph.waitUntilFinished()
        #expect(sink.seen.count == 20)
        #expect(report.ledgerErrors == [])
    }
}
