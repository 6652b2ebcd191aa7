// SPDX-License-Identifier: Apache-2.0
import Dataflow
import Testing

@testable import Pipeline

@Suite struct ReloadTests {
    private static let text = #"""
        {"target":{"fps":1},"ladder":[{"thin.fps":5}],"nodes":{
        "bars":{"type":"testpattern","size":"64x64","fps":50,"frames":0,"realtime":true},
        "thin":{"type":"rate","input":"bars","fps":50},
        "draw":{"type":"overlay","inputs":["thin"]},
        "end":{"type":"null","input":"draw"}}}
        """#

    private func pipeline(_ changes: [(String, String)] = []) throws -> ValidatedPipeline {
        let text = changes.reduce(Self.text) { $0.replacing($1.0, with: $1.1) }
        return try PipelineFile(name: "p.json", text: text).validated(against: BuiltInNodes.registry.contracts)
    }

    @Test(.timeLimit(.minutes(15))) func `changeable parameters change while frames flow`() throws {
        let run = try PipelineRun(pipeline())
        try run.start()
        let lines = try run.reload(
            pipeline([(#""fps":50},"#, #""fps":2},"#), (#""inputs":["thin"]"#, #""inputs":["thin"],"labels":false"#)]))
        #expect(lines == ["thin.fps: 50 -> 2", "draw.labels: true -> false"])
        #expect(run.pipeline["thin"]?.settings.value(named: "fps")?.text == "2")
        // Two of fifty frames a second get through from now on.
        let before = run.snapshot()
        _ = run.waitUntilFinished(seconds: 1)
        let after = run.snapshot()
        let passed = (after.node("end")?.items ?? 0) - (before.node("end")?.items ?? 0)
        #expect(passed <= 5)
        #expect(
            try run.reload(
                pipeline([
                    (#""fps":50},"#, #""fps":2},"#), (#""inputs":["thin"]"#, #""inputs":["thin"],"labels":false"#),
                ])
            ).isEmpty)
        run.stop()
        #expect(run.waitUntilFinished().isBalanced)
    }

    @Test(arguments: [
        (#""size":"64x64""#, #""size":"32x32""#, "nodes.bars.size"),
        (#""fps":1}"#, #""fps":2}"#, "target"),
        (#"[{"thin.fps":5}]"#, #"[{"thin.fps":6}]"#, "ladder"),
        (#""inputs":["thin"]"#, #""inputs":["bars"]"#, "nodes.draw.inputs"),
        (#""type":"null","input":"draw""#, #""type":"null","input":"draw","onError":"stop""#, "nodes.end.onError"),
        (#""end":{"type":"null","input":"draw"}"#, #""last":{"type":"null","input":"draw"}"#, "nodes.end (removed)"),
    ])
    func `what needs a restart is named and nothing changes`(old: String, new: String, reason: String) throws {
        let run = try PipelineRun(pipeline())
        #expect {
            _ = try run.reload(pipeline([(old, new), (#""fps":50},"#, #""fps":2},"#)]))
        } throws: { error in
            (error as? ReloadError)?.reasons.contains(reason) == true
        }
        #expect(run.pipeline["thin"]?.settings.value(named: "fps")?.text == "50")
    }
}
