// SPDX-License-Identifier: Apache-2.0
import Dataflow
import Testing

@testable import Pipeline
@testable import PipelineLanguage

@Suite struct LadderRunTests {
    private func pipeline(_ top: String, _ nodes: String) throws -> ValidatedPipeline {
        try PipelineFile(name: "test.json", text: "{\(top),\"nodes\":{\(nodes)}}")
            .validated(against: NodeRegistry.builtIn.contracts)
    }

    @Test(.timeLimit(.minutes(15))) func `a rung takes effect while frames flow, and back again`() throws {
        // No target, hence no governor to interfere; lossless, so that it is the rate node alone that thins out.
        let run = try PipelineRun(
            pipeline(
                #""ladder":[{"thin.fps":5}]"#,
                """
                "bars": {"type": "testpattern", "size": "64x64", "fps": 100, "frames": 0},
                "thin": {"type": "rate", "input": "bars", "fps": 100},
                "end": {"type": "null", "input": "thin"}
                """))
        try run.start()
        #expect(run.share(of: "bars", reaching: "end", over: 200) > 0.5)
        run.take(rung: 1)
        #expect(run.share(of: "bars", reaching: "end", over: 100) < 0.2)
        run.take(rung: 0)
        #expect(run.share(of: "bars", reaching: "end", over: 200) > 0.5)
        run.stop()
        let report = run.waitUntilFinished()
        #expect(report.isBalanced)
        #expect(report.failures.isEmpty)
    }

    @Test func `a run starts on the rung that its options name`() throws {
        var options = BuildContext.Options()
        options.startingRung = { _ in StartingRung(rung: 1, shortfall: "1 of 2 fps", costs: [3, 2]) }
        let run = try PipelineRun(
            pipeline(
                #""target":{"fps":1},"ladder":[{"thin.fps":5}]"#,
                """
                "bars": {"type": "testpattern", "size": "64x64", "frames": 100, "fps": 100},
                "thin": {"type": "rate", "input": "bars", "fps": 100},
                "end": {"type": "null", "input": "thin"}
                """), options: options)
        try run.start()
        let report = run.waitUntilFinished()
        #expect(run.targetRecord?.changes.map(\.cause) == ["planned: as written 1 of 2 fps"])
        #expect(report.node("end")?.items == 5)
    }

    @Test(.timeLimit(.minutes(15))) func `frames that would be late are refused at the door and in the books`() throws {
        // A sink that cannot keep up behind a lossless link: without the gate, frames would wait in it.
        let run = try PipelineRun(
            pipeline(
                #""target":{"latencyMs":40}"#,
                """
                "bars": {"type": "testpattern", "size": "640x480", "fps": 500, "frames": 150, "realtime": true},
                "small": {"type": "scale", "input": {"from": "bars", "policy": "block", "capacity": 64},
                          "size": "3840x2160"},
                "end": {"type": "null", "input": {"from": "small", "policy": "block", "capacity": 64}}
                """))
        try run.start()
        let report = run.waitUntilFinished()
        let source = try #require(report.source("bars"))
        #expect(report.isBalanced)
        #expect(source.admitted == 150)
        #expect(source.delivered > 0)
        let refused = source.drops.filter { $0.cause == .refused }
        #expect(refused.allSatisfy { $0.place == "bars" })
        #expect(source.delivered + source.dropped == 150)
        #expect((refused.first?.count ?? 0) > 0)
    }
}

@Suite struct VerdictTests {
    private func record(fast: Int, slow: Int) -> TargetRecord {
        var record = TargetRecord(rungs: ["as written"])
        for _ in 0..<fast { record.seconds.count(fps: 25, isFast: true, isPrompt: nil) }
        for _ in 0..<slow { record.seconds.count(fps: 12.5, isFast: false, isPrompt: nil) }
        return record
    }

    private func report() throws -> RunReport {
        let run = try PipelineRun(
            PipelineFile(
                name: "t", text: #"{"nodes":{"a":{"type":"testpattern","frames":20},"z":{"type":"null","input":"a"}}}"#
            ).validated(against: NodeRegistry.builtIn.contracts))
        try run.start()
        return run.waitUntilFinished()
    }

    @Test(arguments: [(95, 5, true), (94, 6, false), (5, 0, true), (0, 5, false)])
    func `a frame rate is kept when 95 % of the seconds kept it`(fast: Int, slow: Int, kept: Bool) throws {
        let verdict = try #require(
            Verdict(report(), target: PipelineTarget(fps: 25), record: record(fast: fast, slow: slow)))
        #expect(verdict.isKept == kept)
        #expect(verdict.clauses[0].text.contains("of \(fast + slow) seconds"))
    }
}
