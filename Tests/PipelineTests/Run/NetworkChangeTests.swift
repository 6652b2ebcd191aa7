// SPDX-License-Identifier: Apache-2.0
import Dataflow
import Foundation
import Inference
import InferenceTestSupport
import Synchronization
import TestSupport
import Testing

@testable import Pipeline
@testable import PipelineLanguage

/// A network that gives way to another while frames are under way in it: by a rung of the ladder, and by a reload.
@Suite(.timeLimit(.minutes(15))) struct NetworkChangeTests {
    /// Which inference began and ended when, and on which width.
    private struct Log {
        var entries = 0
        var began: [Int: Int] = [:]
        var ended: [Int: Int] = [:]
        var widths: [Int: Int] = [:]
    }

    enum Order: CaseIterable { case oldestFirst, any }

    private static let frames = 160

    /// In f32: to choose a precision takes inferences of its own, and here all are counted.
    private func file(_ size: String, records: String) throws -> ValidatedPipeline {
        try PipelineFile(
            name: "p.json",
            text: #"""
                {"ladder":[{"n.size":"128x128"}],"nodes":{
                "bars":{"type":"testpattern","size":"64x48","frames":\#(Self.frames)},
                "n":{"type":"mlsd","input":"bars","size":"\#(size)","precision":"f32"},
                "text":{"type":"jsonl","input":"n","path":"\#(records)"}}}
                """#
        ).validated(against: NodeRegistry.builtIn.contracts)
    }

    @Test(arguments: Order.allCases)
    func `frames under way in the old network are finished in order`(order: Order) throws {
        let scratch = try Scratch()
        let records = scratch.file("a.jsonl")
        let log = Mutex(Log())
        let compiling = Gate()
        let engine = FakeEngine(
            completion: .manual, optimalRequests: 3,
            onCompile: { (_, _) throws(InferenceError) in compiling.pass() },
            refuses: { number in
                log.withLock { log in
                    log.entries += 1
                    log.began[number] = log.entries
                }
                return false
            },
            compute: { (number, request) throws(InferenceError) in
                log.withLock { log in
                    log.entries += 1
                    log.ended[number] = log.entries
                    log.widths[number] = request.inputs[0].info.shape.last
                }
            })
        let run = try PipelineRun(file("64x64", records: records), options: .init(cache: .off), on: engine)
        try run.start()
        var random = SystemRandomNumberGenerator()
        // Counted where inferences end: while the test looks, others begin.
        func ended() -> Int { log.withLock { $0.ended.count } }
        /// Ends so many inferences, one at a time.
        func complete(_ count: Int) {
            let goal = ended() + count
            while ended() < goal {
                // Behind an older one that runs, those that have ended make no room for others.
                let running = order == .any ? 1 : min(3, Self.frames - ended())
                while engine.running < running { usleep(200) }
                switch order {
                case .oldestFirst: engine.complete()
                // Ending one that does not run does nothing.
                case .any: engine.request(Int.random(in: 0..<engine.requestCount, using: &random)).complete()
                }
            }
        }
        complete(20)
        run.take(rung: 1)
        complete(30)
        run.take(rung: 0)
        complete(30)
        // A network that nobody has built: its compilation lasts until the test lets it end, and frames go on meanwhile.
        compiling.close()
        let reloaded = Mutex<[String]?>(nil)
        let thread = Thread {
            let lines = (try? run.reload(file("192x192", records: records))) ?? []
            reloaded.withLock { $0 = lines }
        }
        thread.start()
        compiling.waitUntilReached()
        complete(30)
        #expect(reloaded.withLock { $0 } == nil)
        compiling.open()
        while reloaded.withLock({ $0 }) == nil { usleep(200) }
        #expect(reloaded.withLock { $0 } == ["n.size: 64x64 -> 192x192"])
        complete(Self.frames - ended())
        let report = run.waitUntilFinished()
        #expect(report.isBalanced && report.failures.isEmpty)
        // Every frame came out once, in order.
        let numbers = try scratch.records("a.jsonl").map { line in
            (try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])?["frame"] as? Int
        }
        #expect(numbers == Array(0..<Self.frames))
        // Inferences are started in the order of frames: each network has a stretch of them.
        let seen = log.withLock { $0 }
        let widths = (0..<Self.frames).map { seen.widths[$0] ?? 0 }
        let changes = (1..<Self.frames).filter { widths[$0] != widths[$0 - 1] }
        #expect([widths[0]] + changes.map { widths[$0] } == [64, 128, 64, 192])
        guard order == .oldestFirst else { return }
        // The new network begins while the old one still has frames.
        for first in changes { #expect(try #require(seen.began[first]) < #require(seen.ended[first - 1])) }
    }
}
