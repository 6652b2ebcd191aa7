// SPDX-License-Identifier: Apache-2.0
import Synchronization
import Testing

@testable import Dataflow

@Suite(.timeLimit(.minutes(15))) struct LifecycleTests {
    @Test("a chain delivers every frame in order") func chain()
        throws
    {
        let tally = Tally()
        let sink = CollectingSink()
        let pass = PassNode()
        var builder = GraphBuilder(name: "chain")
        let a = builder.addSource("source", CountingSource(10_000, tally: tally))
        let b = builder.addNode("pass", pass)
        let c = builder.addNode("sink", sink)
        builder.connect(a, to: b)
        builder.connect(b, to: c)
        let graph = try builder.build()
        #expect(graph.snapshot().state == .notStarted)
        try graph.start()
        let report = graph.waitUntilFinished()
        #expect(report.state == .finished)
        #expect(sink.seen.map(\.sequence) == Array(0..<10_000))
        #expect(report.source("source")?.delivered == 10_000)
        #expect(report.ledgerErrors == [] && report.failures == [])
        #expect(report.node("pass")?.items == 10_000)
        #expect(report.node("pass")?.processTime.count == 10_000)
        #expect(report.edges.map(\.wait.count) == [10_000, 10_000])
        #expect(report.endToEnd.count == 10_000)
        #expect([pass.starts.count, pass.stops.count, sink.starts.count, sink.stops.count] == [1, 1, 1, 1])
        #expect(tally.count == 0)
        #expect(throws: GraphError.self) { try graph.start() }
    }

    @Test("finish can be awaited") func finish() async throws {
        var builder = GraphBuilder(name: "await")
        let a = builder.addSource("source", CountingSource(100))
        builder.connect(a, to: builder.addNode("sink", CollectingSink()))
        let graph = try builder.build()
        try graph.start()
        let report = await graph.finish()
        #expect(report.source("source")?.delivered == 100)
    }

    @Test("stop delivers what is in flight, abort drops it", arguments: [false, true])
    func ending(aborts: Bool) throws {
        let tally = Tally()
        let sink = CollectingSink()
        let slow = PassNode()
        slow.work = 2000
        var builder = GraphBuilder(name: "stop")
        let a = builder.addSource("source", CountingSource(nil, tally: tally))
        let b = builder.addNode("slow", slow)
        let c = builder.addNode("sink", sink)
        builder.connect(a, to: b, capacity: 16)
        builder.connect(b, to: c)
        let graph = try builder.build()
        try graph.start()
        waitUntil { (graph.snapshot().node("sink")?.items ?? 0) >= 50 }
        if aborts { graph.abort() } else { graph.stop() }
        let report = graph.waitUntilFinished()
        let book = try #require(report.source("source"))
        #expect(report.ledgerErrors == [])
        #expect(report.state == (aborts ? .aborted : .finished))
        #expect(book.inFlight == 0 && book.admitted == book.delivered + book.dropped)
        if aborts {
            #expect(book.drops.allSatisfy { $0.cause == .aborted })
        } else {
            #expect(book.dropped == 0)
            #expect(sink.seen.count == Int(book.admitted))
        }
        #expect(slow.stops.count == 1 && sink.stops.count == 1)
        #expect(tally.count == 0)
    }

    @Test("behind a latest edge a busy node gets the newest frame, not the one it refused")
    func busyBehindLatest() throws {
        let tally = Tally()
        let gate = GatedSink()
        var builder = GraphBuilder(name: "latest")
        let a = builder.addSource("source", CountingSource(100, tally: tally))
        builder.connect(a, to: builder.addNode("gate", gate), policy: .latest)
        let graph = try builder.build()
        try graph.start()
        waitUntil { graph.snapshot().node("source")?.items == 100 && gate.refusals.count > 0 }
        gate.open()
        let report = graph.waitUntilFinished()
        let book = try #require(report.source("source"))
        #expect(gate.seen == [99])
        #expect(report.ledgerErrors == [] && book.delivered == 1 && book.dropped == 99 && book.inFlight == 0)
        #expect(book.drops.allSatisfy { $0.cause == .replaced })
        #expect(report.edges.map(\.dropped) == [99])
        #expect(tally.count == 0)
    }

    @Test("a failing start stops what was started and names the node", arguments: ["source", "pass", "sink"])
    func failingStart(culprit: String) throws {
        let source = CountingSource(10)
        let pass = PassNode()
        let sink = CollectingSink()
        let nodes: [(String, BaseNode)] = [("source", source), ("pass", pass), ("sink", sink)]
        for (name, node) in nodes { node.failsToStart = name == culprit }
        var builder = GraphBuilder(name: "start")
        let a = builder.addSource("source", source)
        let b = builder.addNode("pass", pass)
        builder.connect(a, to: b)
        builder.connect(b, to: builder.addNode("sink", sink))
        let graph = try builder.build()
        let error = caught { try graph.start() }
        #expect(error?.code == .startFailed)
        #expect(error?.detail.contains("node \(culprit): failed on purpose") == true)
        // Sinks start first: what comes after the culprit in the graph was started, and is stopped again.
        let index = try #require(nodes.firstIndex { $0.0 == culprit })
        #expect(nodes.map(\.1.starts.count) == nodes.indices.map { $0 > index ? 1 : 0 })
        #expect(nodes.map(\.1.stops.count) == nodes.map(\.1.starts.count))
    }

    @Test("a failing branch leaves the other alone", arguments: [ErrorPolicy.isolate, .stop])
    func failingBranch(policy: ErrorPolicy) throws {
        let good = CollectingSink()
        let bad = CollectingSink()
        bad.failsAt = 100
        var builder = GraphBuilder(name: "branch")
        let a = builder.addSource("source", CountingSource(policy == .isolate ? 5000 : nil))
        builder.connect(a, to: builder.addNode("good", good))
        builder.connect(a, to: builder.addNode("bad", bad, onError: policy))
        let graph = try builder.build()
        try graph.start()
        let report = graph.waitUntilFinished()
        let book = try #require(report.source("source"))
        #expect(report.ledgerErrors == [])
        #expect(report.failures.map(\.node) == ["bad"])
        #expect(bad.seen.count == 100 && bad.stops.count == 1)
        #expect(good.seen.map(\.sequence) == Array(0..<book.admitted))
        if policy == .isolate { #expect(book.admitted == 5000) }
        #expect(book.delivered == book.admitted)
        #expect(graph.fate(ofFrame: 100, source: "source") == .deliveredPartly(missedAt: "bad", cause: .nodeFailed))
    }

    @Test("when no sink is left the sources end") func noSinkLeft() throws {
        let pass = PassNode()
        pass.failsAt = 10
        var builder = GraphBuilder(name: "dead")
        let a = builder.addSource("source", CountingSource(nil))
        let b = builder.addNode("pass", pass)
        builder.connect(a, to: b)
        builder.connect(b, to: builder.addNode("sink", CollectingSink()))
        let graph = try builder.build()
        try graph.start()
        let report = graph.waitUntilFinished()
        #expect(report.ledgerErrors == [])
        #expect(report.source("source")?.delivered == 10)
        #expect(report.source("source")?.drops.allSatisfy { $0.place == "pass" && $0.cause == .nodeFailed } == true)
    }

    /// Breaks one rule of `Output`.
    final class Rogue: BaseNode, Node {
        let deed: @Sendable (Item, Output) -> Disposition
        init(_ deed: @escaping @Sendable (Item, Output) -> Disposition) { self.deed = deed }
        func process(_ item: Item, to output: Output) throws -> Disposition { deed(item, output) }
    }

    struct Deed: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var message: String
        var deed: @Sendable (Item, Output) -> Disposition
    }

    static let deeds: [Deed] = [
        Deed(testDescription: "emits twice", message: "emitted frame 0 after frame 0") { item, output in
            output.emit(item)
            output.emit(item)
            return .done
        },
        Deed(testDescription: "emits a stranger", message: "emitted frame 77, which it does not have") { item, output in
            output.emit(Item(ticket: Ticket(source: 0, sequence: 77, capturedAt: 0)))
            return .done
        },
        Deed(testDescription: "finishes a stranger", message: "finished frame 77, which it does not have") {
            item, output in
            output.finish(Ticket(source: 0, sequence: 77, capturedAt: 0))
            return .done
        },
        Deed(testDescription: "holds too many", message: "held more items than its maxHeld of 0") { _, _ in .held },
        Deed(testDescription: "busy after use", message: "answered busy after it had used the item") { item, output in
            output.emit(item)
            return .busy
        },
        Deed(testDescription: "forwards and holds", message: "forwarded an item and held it") { _, output in
            output.forward()
            return .held
        },
        Deed(testDescription: "forwards twice", message: "forwards an item outside process, or twice") { _, output in
            output.forward()
            output.forward()
            return .done
        },
    ]

    @Test("a node that breaks the rules fails, and every frame is still accounted for", arguments: deeds)
    func brokenRules(_ deed: Deed) throws {
        let tally = Tally()
        var builder = GraphBuilder(name: "rogue")
        let a = builder.addSource("source", CountingSource(nil, tally: tally))
        let b = builder.addNode("rogue", Rogue(deed.deed))
        builder.connect(a, to: b)
        builder.connect(b, to: builder.addNode("sink", CollectingSink()))
        let graph = try builder.build()
        try graph.start()
        let report = graph.waitUntilFinished()
        #expect(report.failures.first?.message == "node misbehaved: \(deed.message)")
        #expect(report.ledgerErrors == [])
        #expect(report.source("source").map { $0.admitted == $0.delivered + $0.dropped } == true)
        #expect(tally.count == 0)
    }

    @Test("a source may drop frames itself, and a full window holds it back")
    func fullWindow() throws {
        let source = CountingSource(1000)
        source.dropsEvery = 3
        let slow = CollectingSink()
        slow.work = 500
        var builder = GraphBuilder(name: "window")
        let a = builder.addSource("source", source, inFlightLimit: 2)
        builder.connect(a, to: builder.addNode("sink", slow), capacity: 64)
        let graph = try builder.build()
        try graph.start()
        let report = graph.waitUntilFinished()
        #expect(report.ledgerErrors == [])
        #expect(report.source("source")?.drops == [.init(place: "source", cause: .corrupt, count: 333)])
        #expect(report.source("source")?.delivered == 667)
    }

    @Test("a node may give up single frames as failed and goes on") func failedFrames() throws {
        let tally = Tally()
        let sink = CollectingSink()
        let pass = PassNode()
        pass.failsFrame = { $0 % 10 == 3 }
        var builder = GraphBuilder(name: "failed")
        let a = builder.addSource("source", CountingSource(100, tally: tally))
        let b = builder.addNode("pass", pass)
        builder.connect(a, to: b)
        builder.connect(b, to: builder.addNode("sink", sink))
        let graph = try builder.build()
        try graph.start()
        let report = graph.waitUntilFinished()
        #expect(report.ledgerErrors == [] && report.failures == [])
        #expect(report.source("source")?.drops == [.init(place: "pass", cause: .failed, count: 10)])
        #expect(report.source("source")?.delivered == 90)
        #expect(DropCause.failed.name == "failed")
        #expect(graph.fate(ofFrame: 13, source: "source") == .dropped(at: "pass", cause: .failed))
        #expect(sink.seen.map(\.sequence) == (0..<100).filter { $0 % 10 != 3 })
        #expect(tally.count == 0)
    }

    @Test("a sink takes the frames of several sources in turn")
    func severalSources() throws {
        let sink = CollectingSink()
        var builder = GraphBuilder(name: "two")
        let s = builder.addNode("sink", sink)
        builder.connect(builder.addSource("a", CountingSource(500)), port: 0, to: s, port: 0)
        builder.connect(builder.addSource("b", CountingSource(300)), port: 0, to: s, port: 1, policy: .dropOldest)
        let graph = try builder.build()
        try graph.start()
        let report = graph.waitUntilFinished()
        #expect(report.ledgerErrors == [])
        #expect(sink.isOrdered)
        #expect(report.source("a")?.delivered == 500)
        #expect(report.source("b").map { $0.delivered + $0.dropped } == 300)
    }

    @Test("times come from the clock the graph was given")
    func clock() throws {
        let time = Atomic<UInt64>(1000)
        var builder = GraphBuilder(name: "clock", clock: .custom { time.wrappingAdd(100, ordering: .relaxed).newValue })
        let a = builder.addSource("source", CountingSource(10))
        builder.connect(a, to: builder.addNode("sink", CollectingSink()))
        let graph = try builder.build()
        try graph.start()
        let report = graph.waitUntilFinished()
        #expect(report.elapsed >= 100 && report.elapsed % 100 == 0)
        #expect((report.node("sink")?.processTime.max ?? 0) >= 100)
    }
}
