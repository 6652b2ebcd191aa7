// SPDX-License-Identifier: Apache-2.0
import Dataflow
import Dispatch
import Foundation
import Synchronization
import Testing

@testable import Pipeline
@testable import PipelineLanguage

@Suite(.timeLimit(.minutes(15))) struct RunControllerTests {
    /// Begins a reload on a thread of its own; the outcome comes when it is over.
    private final class PendingReload: Sendable {
        private let outcome = Mutex<Result<[String], ReloadError>?>(nil)
        private let isOver = DispatchSemaphore(value: 0)

        init(_ controller: RunController, _ file: ValidatedPipeline) {
            Thread.detachNewThread {
                let result = Result { () throws(ReloadError) in try controller.reload(file) }
                self.outcome.withLock { $0 = result }
                self.isOver.signal()
            }
        }

        func wait() -> Result<[String], ReloadError> {
            isOver.wait()
            return outcome.withLock { $0 } ?? .failure(ReloadError())
        }
    }

    @Test func `a rung that is taken while a reload is being prepared counts for both files`() throws {
        let first = try ScriptedPipeline.file()
        let second = try ScriptedPipeline.file(a: 3, network: 5)
        let run = try ScriptedPipeline(first)
        try run.controller.start()
        run.building.close()
        let reload = PendingReload(run.controller, second)
        run.building.waitUntilReached()
        // Prepared with the file in force, the rung need not wait for the network of the other.
        run.controller.take(rung: 2)
        #expect(run.graph.generation == 1)
        #expect(run.controller.pipeline["a"]?.settings[MarkingNode.value] == 0)
        run.building.open()
        #expect(try reload.wait().get() == ["a.value: 0 -> 3", "net.network: 0 -> 5"])
        // On rung 2 the ladder decides over all that the second file changes: nothing new for the nodes.
        #expect(run.graph.generation == 1)
        run.controller.take(rung: 0)
        #expect(run.graph.generation == 2)
        run.network.finishAll()
        run.feed.produce(1)
        while run.main.arrived.isEmpty || run.side.arrived.isEmpty { usleep(1000) }
        let report = run.finish()
        #expect(run.main.arrived[0].marks == ["a": "3", "net": "5/1", "b": "0", "both": "0"])
        #expect(report.isBalanced)
    }

    @Test func `a second reload waits for the first, and is compared with what that put into force`() throws {
        let run = try ScriptedPipeline(ScriptedPipeline.file())
        try run.controller.start()
        run.building.close()
        let first = PendingReload(run.controller, try ScriptedPipeline.file(b: 1, network: 5))
        run.building.waitUntilReached()
        let second = PendingReload(run.controller, try ScriptedPipeline.file(b: 2, network: 5))
        run.building.open()
        #expect(try first.wait().get() == ["b.value: 0 -> 1", "net.network: 0 -> 5"])
        #expect(try second.wait().get() == ["b.value: 1 -> 2"])
        _ = run.finish()
    }

    @Test func `all nodes that cannot take a file are named, and it changes none`() throws {
        let run = try ScriptedPipeline(ScriptedPipeline.file())
        try run.controller.start()
        let error = #expect(throws: ReloadError.self) {
            try run.controller.reload(ScriptedPipeline.file(a: 1, b: 90, c: 95, network: 9000))
        }
        // In the order of the graph.
        #expect(
            error?.failures == [
                "nodes.b: 90 is too much", "nodes.c: 95 is too much", "nodes.net: network 9000 cannot be built",
            ])
        #expect(run.graph.generation == 0)
        #expect(run.controller.pipeline["a"]?.settings[MarkingNode.value] == 0)
        _ = run.finish()
    }

    @Test func `a reload that is ready when the run is over changes nothing`() throws {
        let run = try ScriptedPipeline(ScriptedPipeline.file())
        try run.controller.start()
        run.building.close()
        let reload = PendingReload(run.controller, try ScriptedPipeline.file(network: 5))
        run.building.waitUntilReached()
        #expect(run.finish().isBalanced)
        run.building.open()
        #expect(throws: ReloadError.self) { try reload.wait().get() }
        #expect(run.controller.pipeline["net"]?.settings[ScriptedNetwork.network] == 0)
    }

    @Test func `a run that cannot start is not watched`() throws {
        let run = try ScriptedPipeline(ScriptedPipeline.file(top: #""target":{"fps":25},"#))
        try run.controller.start()
        #expect(run.controller.isWatching)
        // A graph runs once: this start fails.
        let other = try RunController(
            ScriptedPipeline.file(top: ""), nodes: [:], graph: run.graph, events: EventBox(now: { 0 }))
        #expect(throws: GraphError.self) { try other.start() }
        #expect(!other.isWatching)
        _ = run.finish()
        #expect(!run.controller.isWatching)
    }

    @Test func `files of the kernel that take long hold up neither the step nor those who ask`() throws {
        let heat = Gate()
        heat.close()
        let file = try ScriptedPipeline.file(top: #""target":{"fps":25},"ladder":[{"net.every":2}],"#)
        let run = try ScriptedPipeline(file, isGoverned: true) {
            heat.pass()
            return "too hot"
        }
        let told = Mutex<[Governor.Change]>([])
        run.controller.listenToRungs { change, _ in told.withLock { $0.append(change) } }
        run.network.finishAll()
        try run.controller.start()
        // Frames come, but not at 25 a second.
        while run.controller.rungInForce == 0 {
            run.feed.produce(1)
            usleep(100_000)
        }
        // The step is in force while its cause is still being looked for, and everybody gets an answer.
        #expect(run.controller.targetRecord?.changeCount == 0)
        #expect(told.withLock { $0.isEmpty })
        heat.open()
        _ = run.finish()
        #expect(run.controller.targetRecord?.changeCount == 1)
        #expect(told.withLock { $0.map(\.to) } == [1])
        #expect(told.withLock { $0.first?.cause.hasSuffix("; too hot") } == true)
    }
}
