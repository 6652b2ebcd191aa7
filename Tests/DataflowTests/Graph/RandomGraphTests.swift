// SPDX-License-Identifier: Apache-2.0
import CMallocCounter
import Dispatch
import Glibc
import TestSupport
import Testing

@testable import Dataflow

/// Graphs of any shape, run under any treatment: they always end, every frame is accounted for, the order always holds.
@Suite(.timeLimit(.minutes(15))) struct RandomGraphTests {
    enum Ending: CaseIterable { case natural, stop, abort }

    /// One random graph and what is known of it.
    struct Specimen {
        var graph: Graph
        var nodes: [BaseNode] = []
        var sinks: [CollectingSink] = []
        var joins: [CollectingJoin] = []
        var totals: [String: Int?] = [:]
        /// Nothing in it drops a frame.
        var isLossless = true
        /// Every join shows each frame all there is of it.
        var isComplete = true
        let tally: Tally
    }

    static func make(seed: UInt64, endless: Bool) throws -> Specimen {
        var random = SeededGenerator(seed: seed)
        let tally = Tally()
        var builder = GraphBuilder(name: "random\(seed)")
        var nodes: [BaseNode] = []
        var sinks: [CollectingSink] = []
        var joins: [CollectingJoin] = []
        var totals: [String: Int?] = [:]
        var isLossless = true
        var isComplete = true
        let dropsAllowed = random.chance(60)
        let failuresAllowed = random.chance(35)
        var number = 0

        func name(_ kind: String) -> String {
            number += 1
            return "\(kind)\(number)"
        }
        func settle(_ node: BaseNode) {
            if random.chance(40) { node.work = Int.random(in: 0..<2000, using: &random) }
            if failuresAllowed, random.chance(12) {
                node.failsAt = Int.random(in: 0..<150, using: &random)
                isLossless = false
            }
            nodes.append(node)
        }
        func connect(_ from: NodeID, _ to: NodeID, port: Int = 0) {
            var policy = EdgePolicy.block
            if dropsAllowed, random.chance(40) { policy = EdgePolicy.allCases.randomElement(using: &random) ?? .block }
            if policy != .block { isLossless = false }
            let capacity = random.chance(30) ? nil : Int.random(in: 1...12, using: &random)
            builder.connect(from, port: 0, to: to, port: port, policy: policy, capacity: capacity)
        }
        func addMiddle() -> NodeID {
            let onError: ErrorPolicy = random.chance(80) ? .isolate : .stop
            switch Int.random(in: 0..<10, using: &random) {
            // It lets go of a frame when later ones come: nothing may drop those.
            case 0...1 where !dropsAllowed:
                let node = LookaheadNode(Int.random(in: 0...6, using: &random))
                settle(node)
                return builder.addNode(name("ahead"), node, onError: onError)
            case 2, 3, 4:
                let node = AsyncNode(Int.random(in: 1...5, using: &random), seed: random.next())
                settle(node)
                return builder.addNode(name("async"), node, onError: onError)
            default:
                let node = PassNode()
                node.renews = random.chance(30)
                if dropsAllowed, random.chance(40) {
                    let every = UInt64.random(in: 2...7, using: &random)
                    node.keeps = { $0 % every != 1 }
                    isLossless = false
                }
                settle(node)
                return builder.addNode(name("pass"), node, onError: onError)
            }
        }

        for _ in 0..<(random.chance(25) ? 2 : 1) {
            let total = endless ? nil : Int.random(in: 0..<250, using: &random)
            let source = CountingSource(total, tally: tally)
            settle(source)
            let label = name("source")
            totals[label] = total
            let limit = random.chance(40) ? Int.random(in: 1...8, using: &random) : 256
            var open = [builder.addSource(label, source, inFlightLimit: limit)]
            var isTaken = [false]
            for _ in 0..<Int.random(in: 0...7, using: &random) {
                let from = Int.random(in: 0..<open.count, using: &random)
                if open.count >= 2, random.chance(35) {
                    let join = CollectingJoin(random.chance(40) ? .newest : .sameFrame)
                    if join.matching == .newest { isComplete = false }
                    if random.chance(15) { join.refusals = 1 }
                    settle(join)
                    joins.append(join)
                    let ports = min(open.count, Int.random(in: 2...3, using: &random))
                    let chosen = open.indices.shuffled(using: &random).prefix(ports)
                    let node = builder.addJoin(name("join"), join)
                    for (port, i) in chosen.enumerated() {
                        connect(open[i], node, port: port)
                        isTaken[i] = true
                    }
                    open.append(node)
                } else {
                    let node = addMiddle()
                    connect(open[from], node)
                    isTaken[from] = true
                    open.append(node)
                }
                isTaken.append(false)
            }
            for i in open.indices where !isTaken[i] || random.chance(15) {
                let sink = CollectingSink()
                settle(sink)
                sinks.append(sink)
                connect(open[i], builder.addNode(name("sink"), sink))
            }
        }
        return Specimen(
            graph: try builder.build(), nodes: nodes, sinks: sinks, joins: joins, totals: totals,
            isLossless: isLossless, isComplete: isComplete, tally: tally)
    }

    private func examine(seed: UInt64, ending: Ending) throws {
        var random = SeededGenerator(seed: seed ^ 0xfeed)
        let specimen = try Self.make(seed: seed, endless: ending != .natural)
        let graph = specimen.graph
        try graph.start()
        if ending != .natural {
            spin(Int.random(in: 0..<3_000_000, using: &random))
            _ = graph.snapshot()
            if ending == .abort { graph.abort() } else { graph.stop() }
        }
        // Only to name the seed of a graph that stands still; none takes a hundredth of it, also on a busy machine.
        guard let report = graph.waitUntilFinished(nanoseconds: 120_000_000_000) else {
            Issue.record("seed \(seed) \(ending): still running after two minutes\n\(graph.snapshot())")
            return
        }
        let what: Comment = "seed \(seed) \(ending)"
        #expect(report.ledgerErrors == [], what)
        for source in report.sources {
            #expect(source.admitted == source.delivered + source.dropped && source.inFlight == 0, what)
            if specimen.isLossless, ending != .abort {
                #expect(source.dropped == 0, "seed \(seed) \(ending): \(source)")
                if specimen.isComplete { #expect(source.deliveredPartly == 0, "seed \(seed) \(ending): \(source)") }
                if let total = specimen.totals[source.name], let total {
                    #expect(source.admitted == UInt64(total), what)
                }
            }
        }
        for sink in specimen.sinks {
            #expect(sink.isOrdered, what)
            // Without a drop anywhere, every sink sees every frame of its source.
            guard specimen.isLossless, ending != .abort else { continue }
            if let first = sink.seen.first {
                let admitted = report.sources[Int(first.source)].admitted
                #expect(sink.seen.map(\.sequence) == Array(0..<admitted), what)
            } else {
                #expect(report.sources.contains { $0.admitted == 0 }, what)
            }
        }
        for join in specimen.joins {
            #expect(!join.isWrong, what)
            if specimen.isLossless, specimen.isComplete, ending != .abort {
                #expect(join.seen.allSatisfy { !$0.items.contains(nil) }, what)
            }
        }
        let failed = Set(report.failures.map(\.node))
        #expect(failed.count == report.failures.count, "a node failed twice")
        #expect(specimen.nodes.allSatisfy { $0.starts.count == 1 && $0.stops.count == 1 }, what)
        if ending == .natural, failed.isEmpty { #expect(!report.nodes.contains { $0.hasFailed }, what) }
    }

    /// Fewer under a sanitizer or an emulator, which make each some twenty times as slow.
    private static func graphs(_ count: Int) -> Int {
        let isSlow = vpipe_malloc_counter_works() != 1 || getenv("VPIPE_EMULATED") != nil
        return isSlow ? max(1, count / 5) : count
    }

    @Test("random graphs end, lose no count and keep the order", arguments: 0..<12)
    func randomGraphs(block: Int) throws {
        for i in 0..<Self.graphs(25) {
            for ending in Ending.allCases { try examine(seed: UInt64(block * 1000 + i), ending: ending) }
        }
    }

    @Test("nothing is left in memory when a random graph is gone", arguments: 0..<4)
    func memory(block: Int) throws {
        for i in 0..<Self.graphs(10) {
            for ending in Ending.allCases {
                var specimen: Specimen? = try Self.make(
                    seed: UInt64(50_000 + block * 100 + i), endless: ending != .natural)
                let tally = try #require(specimen?.tally)
                try specimen?.graph.start()
                if ending == .stop { specimen?.graph.stop() }
                if ending == .abort { specimen?.graph.abort() }
                specimen?.graph.waitUntilFinished()
                // The asynchronous nodes' last jobs hold items until they have run.
                DispatchQueue.global().sync(flags: .barrier) {}
                specimen = nil
                waitUntil(atMost: 100_000) { tally.count == 0 }
                #expect(tally.count == 0, "seed \(50_000 + block * 100 + i) \(ending)")
            }
        }
    }
}
