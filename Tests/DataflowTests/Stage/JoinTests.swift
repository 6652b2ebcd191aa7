// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Dataflow

@Suite(.timeLimit(.minutes(15))) struct JoinTests {
    /// What the two branches of a diamond let through, and what the join must see.
    struct Case: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var primary: @Sendable (UInt64) -> Bool
        var other: @Sendable (UInt64) -> Bool
    }

    static let cases: [Case] = [
        Case(testDescription: "both pass all", primary: { _ in true }, other: { _ in true }),
        Case(testDescription: "other passes none", primary: { _ in true }, other: { _ in false }),
        Case(testDescription: "primary passes none", primary: { _ in false }, other: { _ in true }),
        Case(testDescription: "other skips odd", primary: { _ in true }, other: { $0 % 2 == 0 }),
        Case(testDescription: "primary skips odd", primary: { $0 % 2 == 0 }, other: { _ in true }),
        Case(testDescription: "they never meet", primary: { $0 % 2 == 0 }, other: { $0 % 2 == 1 }),
        Case(testDescription: "other ends early", primary: { _ in true }, other: { $0 < 20 }),
        Case(testDescription: "other starts late", primary: { _ in true }, other: { $0 > 150 }),
        Case(testDescription: "primary ends early", primary: { $0 < 20 }, other: { _ in true }),
        Case(testDescription: "primary starts late", primary: { $0 > 150 }, other: { _ in true }),
        Case(testDescription: "only the last", primary: { _ in true }, other: { $0 == 199 }),
    ]

    @Test("a join sees what is there and does not wait for what is not", arguments: cases)
    func absentItems(_ c: Case) throws {
        let total: UInt64 = 200
        let tally = Tally()
        let left = PassNode()
        left.keeps = c.primary
        let right = PassNode()
        right.keeps = c.other
        let join = CollectingJoin()
        let sink = CollectingSink()
        var builder = GraphBuilder(name: "join")
        let source = builder.addSource("source", CountingSource(Int(total), tally: tally))
        let a = builder.addNode("left", left)
        let b = builder.addNode("right", right)
        let relay = builder.addNode("relay", PassNode())
        let j = builder.addJoin("join", join)
        let s = builder.addNode("sink", sink)
        builder.connect(source, to: a, capacity: 1)
        builder.connect(source, to: b, capacity: 1)
        builder.connect(a, to: j, capacity: 1)
        builder.connect(b, to: relay, capacity: 1)
        builder.connect(relay, port: 0, to: j, port: 1, capacity: 1)
        builder.connect(j, to: s)
        let graph = try builder.build()
        try graph.start()
        let report = graph.waitUntilFinished()

        let expected = (0..<total).filter(c.primary)
        #expect(join.seen.map(\.sequence) == expected)
        #expect(join.seen.map { $0.items[1] } == expected.map { c.other($0) ? $0 : nil })
        #expect(!join.isWrong)
        #expect(sink.seen.map(\.sequence) == expected)
        #expect(report.ledgerErrors == [])
        #expect(report.source("source")?.delivered == UInt64(expected.count))
        let book = try #require(report.source("source"))
        #expect(book.admitted == total && book.dropped == total - book.delivered && book.inFlight == 0)
        // A frame the primary filtered and the other branch brought has one fate: the first drop, which may be either.
        for n in 0..<total where !c.primary(n) {
            let fate = graph.fate(ofFrame: n, source: "source")
            let possible: [FrameFate] = [
                .dropped(at: "left", cause: .filtered), .dropped(at: "right", cause: .filtered),
                .dropped(at: "join", cause: .unmatched),
            ]
            #expect(fate.map(possible.contains) == true, "frame \(n): \(String(describing: fate))")
        }
    }

    @Test("a look-ahead in one branch does not starve the join", arguments: [0, 1, 5, 30])
    func lookAhead(depth: Int) throws {
        for primaryIsDirect in [true, false] {
            let join = CollectingJoin()
            var builder = GraphBuilder(name: "lookahead")
            let source = builder.addSource("source", CountingSource(300), inFlightLimit: 1)
            let ahead = builder.addNode("ahead", LookaheadNode(depth))
            let j = builder.addJoin("join", join)
            builder.connect(source, to: ahead, capacity: 1)
            builder.connect(ahead, port: 0, to: j, port: primaryIsDirect ? 1 : 0, capacity: 1)
            builder.connect(source, port: 0, to: j, port: primaryIsDirect ? 0 : 1, capacity: 1)
            let sink = builder.addNode("sink", CollectingSink())
            builder.connect(j, to: sink)
            let graph = try builder.build()
            #expect(graph.adjustments.count == 1)
            try graph.start()
            let report = graph.waitUntilFinished()
            #expect(join.seen.map(\.sequence) == Array(0..<300))
            #expect(join.seen.allSatisfy { $0.items == [$0.sequence, $0.sequence] })
            #expect(report.ledgerErrors == [])
            #expect(report.source("source")?.deliveredPartly == 0)
        }
    }
}
