// SPDX-License-Identifier: Apache-2.0
import Synchronization
import Testing

@testable import Dataflow

/// Joins that wait for nobody: the primary frame goes on with the newest of the other ports.
@Suite(.timeLimit(.minutes(15))) struct NewestJoinTests {
    /// Holds what comes until it is asked for it, one item at a time.
    final class Valve: BaseNode, Node {
        let open = Atomic<Int>(0)
        private var items: [Item] = []
        private var released = 0
        var maxHeld: Int { 1000 }
        func process(_ item: Item, to output: Output) throws -> Disposition {
            items.append(item)
            try advance(to: output)
            return .held
        }
        func advance(to output: Output) throws {
            while !items.isEmpty, released < open.load(ordering: .acquiring) {
                let item = items.removeFirst()
                released += 1
                output.emit(item)
                output.finish(item.ticket)
            }
        }
        func drain(to output: Output) throws -> Bool {
            try advance(to: output)
            return items.isEmpty
        }
        /// Lets so many go in all, from any thread.
        func release(_ count: Int) {
            open.store(count, ordering: .releasing)
            link?.wake()
        }
    }

    /// A source whose frames a test lets go, a branch with a valve, and the join of both.
    struct Bench {
        let pictures = Valve()
        let results = Valve()
        let join = CollectingJoin(.newest)
        let graph: Graph

        init(frames: Int) throws {
            var builder = GraphBuilder(name: "newest")
            let source = builder.addSource("source", CountingSource(frames))
            let p = builder.addNode("pictures", pictures)
            let r = builder.addNode("results", results)
            let j = builder.addJoin("join", join)
            builder.connect(source, to: p)
            builder.connect(source, to: r)
            builder.connect(p, to: j)
            builder.connect(r, port: 0, to: j, port: 1, capacity: 64)
            builder.connect(j, to: builder.addNode("sink", CollectingSink()))
            graph = try builder.build()
            try graph.start()
        }

        /// Waits until so many items were processed by a node, or queued on the join's second edge.
        func settle(_ condition: (RunReport) -> Bool) {
            waitUntil { condition(graph.snapshot()) }
        }

        func joined(_ count: UInt64) { settle { $0.node("join")?.items == count } }

        /// Lets pictures up to a number go and waits for the join to have had them.
        func show(_ count: Int) {
            pictures.release(count)
            joined(UInt64(count))
        }
    }

    @Test("no picture waits, and results go with the next one")
    func primaryNeverWaits() throws {
        let bench = try Bench(frames: 8)
        bench.show(3)
        bench.results.release(2)
        // The join looks at its ports when it is woken; both results are below the next picture in any case.
        bench.settle { $0.node("results")?.items == 8 }
        bench.show(4)
        bench.results.release(3)
        bench.show(8)
        bench.results.release(8)
        let report = bench.graph.waitUntilFinished()

        #expect(bench.join.seen.map(\.sequence) == Array(0..<8))
        #expect(!bench.join.isWrong)
        #expect(bench.join.seen[0..<3].allSatisfy { $0.items[1] == nil })
        let taken = bench.join.seen.compactMap { $0.items[1] }
        #expect(taken.count >= 1 && taken.contains { $0 >= 1 })
        #expect(report.ledgerErrors == [])
        let book = try #require(report.source("source"))
        #expect(book.admitted == 8 && book.delivered == 8 && book.dropped == 0)
        // Every result that was not taken along was either overtaken or came after the last picture.
        #expect(book.deliveredPartly == UInt64(8 - taken.count))
        for number in 0..<8 where !taken.contains(UInt64(number)) {
            let fate = bench.graph.fate(ofFrame: UInt64(number), source: "source")
            let possible: [FrameFate] = [
                .deliveredPartly(missedAt: "join", cause: .replaced), .deliveredPartly(missedAt: "join", cause: .late),
            ]
            #expect(fate.map(possible.contains) == true, "frame \(number): \(String(describing: fate))")
        }
    }

    @Test("a result never goes with a picture before its own")
    func noLaterResult() throws {
        let bench = try Bench(frames: 30)
        // All results are there before the first picture: each goes with its own.
        bench.results.release(30)
        bench.settle { report in report.edges.contains { $0.name == "results -> join.1" && $0.queued >= 29 } }
        bench.pictures.release(30)
        let report = bench.graph.waitUntilFinished()
        #expect(bench.join.seen.map(\.sequence) == Array(0..<30))
        #expect(bench.join.seen.allSatisfy { $0.items[1] == $0.sequence })
        #expect(report.ledgerErrors == [])
        #expect(report.source("source")?.deliveredPartly == 0)
    }

    @Test("a frame whose picture was dropped is dropped, though its result was used")
    func droppedPrimary() throws {
        let join = CollectingJoin(.newest)
        let pictures = PassNode()
        pictures.keeps = { $0 % 2 == 1 }
        let results = PassNode()
        results.keeps = { $0 % 2 == 0 }
        var builder = GraphBuilder(name: "dropped")
        let source = builder.addSource("source", CountingSource(100))
        let p = builder.addNode("pictures", pictures)
        let r = builder.addNode("results", results)
        let j = builder.addJoin("join", join)
        builder.connect(source, to: p)
        builder.connect(source, to: r)
        builder.connect(p, to: j)
        builder.connect(r, port: 0, to: j, port: 1)
        builder.connect(j, to: builder.addNode("sink", CollectingSink()))
        let graph = try builder.build()
        try graph.start()
        let report = graph.waitUntilFinished()
        let odd = (0..<100).filter { $0 % 2 == 1 } as [UInt64]
        #expect(join.seen.map(\.sequence) == odd)
        #expect(!join.isWrong && report.ledgerErrors == [])
        let book = try #require(report.source("source"))
        #expect(book.delivered == 50 && book.dropped == 50)
    }

    @Test("frames that only ever reach a second port are dropped as unmatched")
    func unmatched() throws {
        /// Sends even frames one way and odd ones another.
        final class Fork: BaseNode, Node {
            func process(_ item: Item, to output: Output) throws -> Disposition {
                output.emit(item, port: Int(item.ticket.sequence % 2))
                return .done
            }
        }
        let join = CollectingJoin(.newest)
        var builder = GraphBuilder(name: "fork")
        let source = builder.addSource("source", CountingSource(60))
        let fork = builder.addNode("fork", Fork())
        let j = builder.addJoin("join", join)
        builder.connect(source, to: fork)
        builder.connect(fork, port: 0, to: j)
        builder.connect(fork, port: 1, to: j, port: 1)
        builder.connect(j, to: builder.addNode("sink", CollectingSink()))
        let graph = try builder.build()
        try graph.start()
        let report = graph.waitUntilFinished()
        #expect(join.seen.count == 30 && !join.isWrong)
        #expect(report.ledgerErrors == [])
        #expect(report.source("source")?.delivered == 30 && report.source("source")?.dropped == 30)
    }

    @Test("only what waits for the primary is given more room") func capacities() throws {
        var builder = GraphBuilder(name: "room")
        let source = builder.addSource("source", CountingSource(1))
        let slow = builder.addNode("slow", Valve())
        let ahead = builder.addNode("ahead", LookaheadNode(5))
        let j = builder.addJoin("join", CollectingJoin(.newest))
        builder.connect(source, to: ahead, capacity: 1)
        builder.connect(ahead, to: j, policy: .latest)
        builder.connect(source, to: slow)
        builder.connect(slow, port: 0, to: j, port: 1, capacity: 1)
        builder.connect(j, to: builder.addNode("sink", CollectingSink()))
        let graph = try builder.build()
        // ahead holds 6 and one at work, one waits before it, and one more.
        #expect(
            graph.adjustments.count == 1 && graph.adjustments[0].hasPrefix("slow -> join: capacity raised from 1 to 9"))
        #expect(graph.edges.first { $0.name == "ahead -> join" }?.ring.capacity == 1)
    }

    /// Keeps two items until it is opened, and takes no third one meanwhile.
    final class Lock: BaseNode, Node {
        private let isOpen = Atomic<Bool>(false)
        private var items: [Item] = []
        var maxHeld: Int { 2 }
        func process(_ item: Item, to output: Output) throws -> Disposition {
            guard items.count < 2 else { return .busy }
            items.append(item)
            // As an asynchronous node is woken by a result.
            if isOpen.load(ordering: .acquiring) { link?.wake() }
            return .held
        }
        func advance(to output: Output) throws {
            guard isOpen.load(ordering: .acquiring) else { return }
            for item in items {
                output.emit(item)
                output.finish(item.ticket)
            }
            items = []
        }
        func drain(to output: Output) throws -> Bool {
            try advance(to: output)
            return items.isEmpty
        }
        func open() {
            isOpen.store(true, ordering: .releasing)
            link?.wake()
        }
    }

    @Test("a join that waits for room does not hold up the branches it does not wait for")
    func blockedJoin() throws {
        let lock = Lock()
        let join = CollectingJoin(.newest)
        let last = CollectingJoin()
        var builder = GraphBuilder(name: "blocked")
        let source = builder.addSource("source", CountingSource(100))
        let split = builder.addNode("split", PassNode())
        let l = builder.addNode("lock", lock)
        let j = builder.addJoin("join", join)
        let e = builder.addJoin("last", last)
        builder.connect(source, to: split, capacity: 16)
        builder.connect(source, to: j, capacity: 1)
        builder.connect(split, to: l, capacity: 1)
        builder.connect(l, port: 0, to: j, port: 1, capacity: 1)
        builder.connect(j, to: e, capacity: 1)
        builder.connect(split, port: 0, to: e, port: 1, capacity: 1)
        builder.connect(e, to: builder.addNode("sink", CollectingSink()))
        let graph = try builder.build()
        try graph.start()
        // `last` waits for the split, the split for the lock; `join` is ahead of them and waits for `last`.
        waitUntil {
            let report = graph.snapshot()
            return ["split", "last", "join"].map { report.node($0)?.items } == [5, 5, 8]
        }
        lock.open()
        let report = graph.waitUntilFinished()
        #expect(last.seen.map(\.sequence) == Array(0..<100))
        #expect(!join.isWrong && !last.isWrong)
        #expect(report.ledgerErrors == [])
    }

    @Test("a join without its primary sleeps through what the others promise")
    func sleepingJoin() throws {
        let reads = Atomic<Int>(0)
        let valve = Valve()
        let none = PassNode()
        none.keeps = { _ in false }
        var builder = GraphBuilder(
            name: "quiet",
            clock: .custom {
                reads.wrappingAdd(1, ordering: .relaxed)
                return MonotonicClock.system.now()
            })
        let source = builder.addSource("source", CountingSource(5))
        let v = builder.addNode("valve", valve)
        let n = builder.addNode("none", none)
        let j = builder.addJoin("join", CollectingJoin())
        builder.connect(source, to: v)
        builder.connect(source, to: n)
        builder.connect(v, to: j)
        builder.connect(n, port: 0, to: j, port: 1)
        builder.connect(j, to: builder.addNode("sink", CollectingSink()))
        let graph = try builder.build()
        try graph.start()
        waitUntil { graph.snapshot().node("none")?.items == 5 }
        waitUntil(atMost: 500) { false }
        let before = reads.load(ordering: .relaxed)
        waitUntil(atMost: 500) { false }
        // A stage reads the clock at every turn; one that spins does so a hundred thousand times.
        #expect(reads.load(ordering: .relaxed) - before < 1000)
        valve.release(5)
        #expect(graph.waitUntilFinished().ledgerErrors == [])
    }
}
