// SPDX-License-Identifier: Apache-2.0
import Dataflow
import Dispatch
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Pipeline
@testable import PipelineLanguage

/// Random interleavings of everything that can happen to what is in force, beside frames, against a model that knows
/// one accepted file and one rung.
@Suite(.timeLimit(.minutes(15))) struct ControlModelTests {
    /// What becomes of a reload of some file.
    private enum Outcome { case accepted, unprepared, restart }

    private struct Step {
        let file: ValidatedPipeline
        let outcome: Outcome
    }

    /// A reload on a thread of its own.
    private final class Reloading: Sendable {
        let step: Step
        private let result = Mutex<Result<[String], ReloadError>>(.success([]))
        private let isOver = DispatchSemaphore(value: 0)

        init(_ step: Step, _ controller: RunController) {
            self.step = step
            Thread.detachNewThread {
                let result = Result { () throws(ReloadError) in try controller.reload(step.file) }
                self.result.withLock { $0 = result }
                self.isOver.signal()
            }
        }

        func wait() -> Result<[String], ReloadError> {
            isOver.wait()
            return result.withLock { $0 }
        }
    }

    /// One interleaving.
    private final class Interleaving {
        private var random: SeededGenerator
        private let seed: UInt64
        private let top: String
        private let run: ScriptedPipeline
        private var file: ValidatedPipeline
        private var rung = 0
        /// What every node does with frames of each generation.
        private var expected: [[String: String]]
        private var pending: [Reloading] = []
        private var failed: Set<String> = []
        /// The graph may end before the script does.
        private var isEnding = false
        private var newNetwork = 100
        var reloads = (accepted: 0, refused: 0)

        init(seed: UInt64) throws {
            self.seed = seed
            random = SeededGenerator(seed: seed)
            // The ladder as it follows from the nodes changes with every file; the written one stays.
            top =
                Bool.random(using: &random)
                ? #""ladder":[{"net.network":1},{"a.value":50,"net.every":5},{"net.network":2,"both.value":7}],"#
                : #""target":{"fps":25},"#
            file = try ScriptedPipeline.file(top: top)
            run = try ScriptedPipeline(file)
            #expect(file.ladder.rungCount > 2)
            expected = [ScriptedPipeline.marks(file, on: 0)]
            try run.controller.start()
        }

        func go() throws {
            for _ in 0..<Int.random(in: 10...40, using: &random) { try step() }
            settle()
            try end()
        }

        private func pick(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }

        private func step() throws {
            switch pick(0...99) {
            case 0..<35: run.feed.produce(pick(1...6))
            case 35..<55: for _ in 0..<pick(1...4) { run.network.complete { self.pick(0...($0 - 1)) } }
            case 55..<72: take(rung: pick(0...(file.ladder.rungCount - 1)))
            case 72..<88:
                settle()
                let step = try anyStep()
                check(step, Result { () throws(ReloadError) in try run.controller.reload(step.file) })
                checkInForce()
            case 88..<95:
                // One that is still being prepared while other things happen, perhaps another behind it.
                if pending.count == 2 { settle() }
                try begin()
            case 95..<97:
                let node = ["a", "b", "c"][pick(0...2)]
                run.marking[node]?.fail()
                failed.insert(node)
                isEnding = true
            case 97:
                run.graph.stop()
                isEnding = true
            default: settle()
            }
        }

        private func anyStep() throws -> Step {
            switch pick(0...3) {
            case 0:
                // Half of it is good.
                let isNetwork = pick(0...1) == 0
                return Step(
                    file: try ScriptedPipeline.file(
                        a: pick(0...49), b: isNetwork ? 1 : 90 + pick(0...9), network: isNetwork ? 9000 : 4, top: top),
                    outcome: .unprepared)
            case 1:
                return Step(file: try ScriptedPipeline.file(a: pick(0...49), fixed: 1, top: top), outcome: .restart)
            default: return Step(file: try goodFile(), outcome: .accepted)
            }
        }

        private func goodFile(network: Int? = nil) throws -> ValidatedPipeline {
            try ScriptedPipeline.file(
                a: pick(0...9), b: pick(0...9), c: pick(0...3), both: pick(0...3), network: network ?? pick(0...8),
                every: pick(1...3), top: top)
        }

        // MARK: What happens, and what the model says

        private func take(rung: Int) {
            run.controller.take(rung: rung)
            self.rung = rung
            commit()
            checkInForce()
        }

        /// What has been put into force is in force as a whole, from one generation on.
        private func commit() {
            let marks = ScriptedPipeline.marks(file, on: rung)
            if expected.last != marks { expected.append(marks) }
        }

        private func checkInForce() {
            #expect(run.graph.generation == UInt64(expected.count - 1), "seed \(seed)")
            #expect(run.controller.rungInForce == rung, "seed \(seed)")
            let inForce = run.controller.pipeline
            #expect(
                ScriptedPipeline.marks(inForce, on: rung) == ScriptedPipeline.marks(file, on: rung), "seed \(seed)")
        }

        private func begin() throws {
            guard pending.isEmpty else {
                // It waits for the first.
                pending.append(Reloading(try anyStep(), run.controller))
                return
            }
            run.building.close()
            newNetwork += 1
            pending = [Reloading(Step(file: try goodFile(network: newNetwork), outcome: .accepted), run.controller)]
            run.building.waitUntilReached()
        }

        private func settle() {
            guard !pending.isEmpty else { return }
            run.building.open()
            for (step, result) in pending.map({ ($0.step, $0.wait()) }) { check(step, result) }
            pending = []
            checkInForce()
        }

        private func check(_ step: Step, _ result: Result<[String], ReloadError>) {
            switch (step.outcome, result) {
            case (.accepted, .success):
                file = step.file
                reloads.accepted += 1
                commit()
            case (.accepted, .failure(let error)):
                #expect(isEnding && error.failures == ["the run is over"], "seed \(seed): \(error)")
            case (.unprepared, .failure(let error)):
                #expect(!error.failures.isEmpty && error.reasons.isEmpty, "seed \(seed): \(error)")
                reloads.refused += 1
            case (.restart, .failure(let error)):
                #expect(error.reasons == ["nodes.a.fixed"], "seed \(seed): \(error)")
                reloads.refused += 1
            case (_, .success(let lines)): Issue.record("seed \(seed): a \(step.outcome) file gave \(lines)")
            }
        }

        private func end() throws {
            let report = run.finish()
            #expect(report.isBalanced, "seed \(seed)")
            #expect(Set(report.failures.map(\.node)).isSubset(of: failed), "seed \(seed): \(report.failures)")
            for (sink, nodes) in [(run.main, ["a", "b", "net", "both"]), (run.side, ["c"])] {
                let arrived = sink.arrived
                #expect(
                    zip(arrived, arrived.dropFirst()).allSatisfy { $0.ticket.sequence < $1.ticket.sequence },
                    "seed \(seed): out of order")
                for (ticket, marks) in arrived {
                    let generation = expected[Int(ticket.generation)]
                    // A branch that fell behind or failed may be missing.
                    #expect(
                        nodes.allSatisfy { marks[$0] == generation[$0] || $0 == "b" && marks[$0] == nil },
                        "seed \(seed), frame \(ticket.sequence): \(marks) for \(generation)")
                }
            }
            // What has ended stays as it is.
            #expect(throws: ReloadError.self) { try run.controller.reload(goodFile(network: 3)) }
            let delivered = UInt64(Set((run.main.arrived + run.side.arrived).map(\.ticket.sequence)).count)
            #expect(report.source("feed")?.delivered == delivered, "seed \(seed)")
        }
    }

    @Test(arguments: 0..<20)
    func `one whole file at one rung is in force, whatever is reloaded, stepped, failed or stopped`(group: UInt64)
        throws
    {
        var reloads = (accepted: 0, refused: 0)
        for number in 0..<50 {
            let interleaving = try Interleaving(seed: group * 50 + UInt64(number))
            try interleaving.go()
            reloads.accepted += interleaving.reloads.accepted
            reloads.refused += interleaving.reloads.refused
        }
        #expect(reloads.accepted > 50 && reloads.refused > 50, "\(reloads)")
    }
}
