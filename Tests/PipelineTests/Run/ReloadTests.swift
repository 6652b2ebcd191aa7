// SPDX-License-Identifier: Apache-2.0
import Dataflow
import Foundation
import TestSupport
import Testing

@testable import Pipeline
@testable import PipelineLanguage

@Suite(.timeLimit(.minutes(15))) struct ReloadTests {
    /// No target, hence no governor to interfere; lossless and as fast as it goes.
    private static let text = #"""
        {"ladder":[{"thin.fps":5}],"nodes":{
        "bars":{"type":"testpattern","size":"64x64","fps":50,"frames":0},
        "thin":{"type":"rate","input":"bars","fps":50},
        "draw":{"type":"overlay","inputs":["thin"]},
        "end":{"type":"null","input":"draw"}}}
        """#

    private func pipeline(_ changes: [(String, String)] = [], of text: String = text) throws -> ValidatedPipeline {
        let text = changes.reduce(text) { $0.replacing($1.0, with: $1.1) }
        return try PipelineFile(name: "p.json", text: text).validated(against: NodeRegistry.builtIn.contracts)
    }

    @Test func `changeable parameters change while frames flow`() throws {
        let run = try PipelineRun(pipeline())
        try run.start()
        let changed = try pipeline([
            (#""fps":50},"#, #""fps":2},"#), (#""inputs":["thin"]"#, #""inputs":["thin"],"labels":false"#),
        ])
        #expect(try run.reload(changed) == ["thin.fps: 50 -> 2", "draw.labels: true -> false"])
        #expect(run.pipeline["thin"]?.settings.value(named: "fps")?.text == "2")
        // Two of fifty frames get through from now on.
        #expect(run.share(of: "bars", reaching: "end", over: 100) < 0.2)
        #expect(try run.reload(changed).isEmpty)
        run.stop()
        #expect(run.waitUntilFinished().isBalanced)
    }

    @Test(arguments: [
        (#""size":"64x64""#, #""size":"32x32""#, "nodes.bars.size"),
        (#"{"ladder""#, #"{"target":{"fps":2},"ladder""#, "target"),
        (#"[{"thin.fps":5}]"#, #"[{"thin.fps":6}]"#, "ladder"),
        (#""ladder":[{"thin.fps":5}]"#, #""ladder":"auto""#, "ladder"),
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

    @Test func `as much as can be is taken over, and the rest is named`() throws {
        let run = try PipelineRun(pipeline())
        let changed = try pipeline([
            (#""size":"64x64""#, #""size":"32x32""#), (#""fps":50},"#, #""fps":2},"#),
            (#""type":"null","input":"draw""#, #""type":"null","input":"draw","onError":"stop""#),
        ])
        let outcome = run.reloadWhatCanBe(changed)
        #expect(outcome.changes == ["thin.fps: 50 -> 2"])
        #expect(outcome.restarts == ["nodes.bars.size", "nodes.end.onError"])
        #expect(outcome.failures == [])
        #expect(
            outcome.lines == [
                "reloaded: thin.fps: 50 -> 2",
                "not reloaded, as it needs a restart: nodes.bars.size, nodes.end.onError",
            ])
        #expect(run.pipeline["thin"]?.settings.value(named: "fps")?.text == "2")
        #expect(run.pipeline["bars"]?.settings.value(named: "size")?.text == "64x64")
        // Asked again, there is nothing left that could change.
        #expect(run.reloadWhatCanBe(changed).changes == [])
        #expect(run.reloadWhatCanBe(try pipeline()).changes == ["thin.fps: 2 -> 50"])
        #expect(run.reloadWhatCanBe(try pipeline()).lines == ["reloaded: nothing has changed"])
    }

    @Test func `a node that cannot have its settings does not keep the others from theirs`() throws {
        let scratch = try Scratch()
        let text = try network(SmallModels.means(), "", scratch)
        let run = try PipelineRun(pipeline(of: text), options: .init(cache: .off))
        try run.start()
        let outcome = run.reloadWhatCanBe(try pipeline([Self.wider, Self.thinner], of: text))
        #expect(outcome.changes == ["thin.fps: 50 -> 10"])
        #expect(outcome.failures.count == 1 && outcome.failures.first?.hasPrefix("nodes.own: ") == true)
        #expect(run.pipeline["own"]?.settings.value(named: "size")?.text == "32x32")
        run.stop()
        #expect(run.waitUntilFinished().isBalanced)
    }

    // MARK: Networks

    /// A network beside `thin`; `own.every` and `own.size` can change.
    private func network(_ model: [UInt8], _ top: String, _ scratch: Scratch, _ more: String = "") throws -> String {
        let path = scratch.file("model.onnx")
        try Data(model).write(to: URL(fileURLWithPath: path))
        return #"""
            {\#(top)"nodes":{
            "bars":{"type":"testpattern","size":"64x64","fps":50,"frames":0\#(more)},
            "thin":{"type":"rate","input":"bars","fps":50},
            "own":{"type":"onnx","input":"thin","model":"\#(path)","size":"32x32","decode":"tensors"},
            "end":{"type":"null","input":"own"}}}
            """#
    }

    private static let wider = (#""size":"32x32""#, #""size":"48x32""#)
    private static let thinner = (#""fps":50},"#, #""fps":10},"#)

    @Test func `a size that one network cannot take leaves the other nodes as they are`() throws {
        let scratch = try Scratch()
        let text = try network(SmallModels.means(), "", scratch)
        let run = try PipelineRun(pipeline(of: text), options: .init(cache: .off))
        try run.start()
        let error = #expect(throws: ReloadError.self) {
            try run.reload(pipeline([Self.wider, Self.thinner], of: text))
        }
        #expect(
            error?.description.hasPrefix("nothing was reloaded: nodes.own: ") == true, "\(String(describing: error))")
        // `thin` comes first in the graph, and still lets all frames through.
        #expect(run.share(of: "bars", reaching: "end", over: 200) > 0.5)
        #expect(run.pipeline["thin"]?.settings.value(named: "fps")?.text == "50")
        // Asked again for the same, it does the same.
        #expect(throws: ReloadError.self) { try run.reload(pipeline([Self.wider, Self.thinner], of: text)) }
        #expect(try run.reload(pipeline([Self.thinner], of: text)) == ["thin.fps: 50 -> 10"])
        run.stop()
        #expect(run.waitUntilFinished().isBalanced)
    }

    @Test func `a size that no rung names is built beside the old network while frames flow`() throws {
        let scratch = try Scratch()
        let text = try network(SmallModels.open(SmallModels.means()), "", scratch)
        let run = try PipelineRun(pipeline(of: text), options: .init(cache: .off))
        try run.start()
        _ = run.share(of: "bars", reaching: "end", over: 20)
        #expect(try run.reload(pipeline([Self.wider], of: text)) == ["own.size: 32x32 -> 48x32"])
        _ = run.share(of: "bars", reaching: "end", over: 20)
        #expect(try run.reload(pipeline(of: text)) == ["own.size: 48x32 -> 32x32"])
        _ = run.share(of: "bars", reaching: "end", over: 20)
        run.stop()
        let report = run.waitUntilFinished()
        #expect(report.isBalanced && report.failures.isEmpty)
        let notes = run.notes().first { $0.node == "own" }?.lines ?? []
        #expect(notes.count >= 2 && notes.allSatisfy { !$0.hasSuffix(" 0 frames") }, "\(notes)")
    }

    @Test func `with the automatic ladder "every" and "size" can be reloaded`() throws {
        let scratch = try Scratch()
        let model = SmallModels.open(try SmallModels.means())
        let text = try network(model, #""target":{"fps":1},"#, scratch, #","realtime":true"#)
        let run = try PipelineRun(pipeline(of: text), options: .init(cache: .off))
        #expect(run.pipeline.ladder.isAutomatic && run.pipeline.ladder.rungCount > 1)
        try run.start()
        let changed = try pipeline([(#""size":"32x32""#, #""size":"48x32","every":2"#)], of: text)
        #expect(try run.reload(changed) == ["own.size: 32x32 -> 48x32", "own.every: 1 -> 2"])
        // The rungs below follow from the new file.
        #expect(run.pipeline.ladder.name(of: 1) == "own.every = 4")
        run.stop()
        #expect(run.waitUntilFinished().isBalanced)
    }
}
