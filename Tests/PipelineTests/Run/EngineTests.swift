// SPDX-License-Identifier: Apache-2.0
import Dataflow
import Foundation
import Inference
import InferenceTestSupport
import Synchronization
import TestSupport
import Testing

@testable import Pipeline

/// Pipelines on another engine, whose inferences do what the tests say.
@Suite struct EngineTests {
    private static func text(_ network: String, frames: Int) -> String {
        """
        "bars": {"type": "testpattern", "size": "64x48", "frames": \(frames)},
        "n": {"input": "bars", \(network)}, "end": {"type": "null", "input": "n"}
        """
    }

    private static let lines = #""type": "mlsd", "size": "64x64""#

    @Test(
        arguments: [
            lines, #""type": "retinaface", "size": "64x64""#, #""type": "ssh", "size": "64x64", "pyramid": true"#,
            #""type": "ddrnet", "size": "64x64""#, #""type": "dwtanet", "size": "64x48""#,
        ])
    func `a pipeline runs on another engine`(network: String) throws {
        let engine = FakeEngine()
        let run = try PipelineRun(pipeline(Self.text(network, frames: 10)), on: engine)
        try run.start()
        let report = run.waitUntilFinished()
        #expect(report.failures.isEmpty && report.isBalanced)
        #expect(report.sources[0].delivered == 10)
        #expect(engine.started >= 10 && !engine.compiled.isEmpty)
    }

    @Test func `a model of the user's own runs on another engine`() throws {
        let scratch = try Scratch()
        let path = scratch.file("any.onnx")
        // Its header is read here, what the engine makes of it is the engine's.
        try Data(SmallModels.means(width: 8, height: 8)).write(to: URL(fileURLWithPath: path))
        let engine = FakeEngine(
            ports: (
                [TensorInfo(name: "x", shape: [1, 3, 8, 8], element: .f32)],
                [TensorInfo(name: "y", shape: [1, 4], element: .f32)]
            ))
        let run = try PipelineRun(
            pipeline(Self.text(#""type": "onnx", "model": "\#(path)", "decode": "tensors""#, frames: 3)), on: engine)
        try run.start()
        #expect(run.waitUntilFinished().sources[0].delivered == 3)
        #expect(engine.started == 3)
    }

    @Test func `an engine that is not there is an error of the node, and of nodes with networks only`() throws {
        let error = #expect(throws: PipelineRunError.self) {
            try PipelineRun(pipeline(Self.text(Self.lines, frames: 1)), on: try noEngine())
        }
        #expect(error?.node == "n")
        _ = try PipelineRun(pipeline(Self.text(#""type": "rate", "fps": 5"#, frames: 1)), on: try noEngine())
    }

    // MARK: - Failed inferences

    private func report(
        _ network: String, frames: Int, on engine: FakeEngine
    ) throws -> (report: RunReport, events: [RunEvent], notes: [String]) {
        let told = Mutex<[RunEvent]>([])
        let run = try PipelineRun(pipeline(Self.text(network, frames: frames)), on: engine)
        run.onEvent { event in told.withLock { $0.append(event) } }
        try run.start()
        let report = run.waitUntilFinished()
        // The events of the end may still be on their way.
        let deadline = ContinuousClock.now + .seconds(60)
        while told.withLock({ $0.isEmpty }), ContinuousClock.now < deadline { usleep(10_000) }
        return (report, told.withLock { $0 }, run.notes().flatMap(\.lines))
    }

    @Test(
        arguments: [
            lines, #""type": "mlsd", "size": "64x64", "every": 3"#, #""type": "dwtanet", "size": "64x48""#,
        ])
    func `one failed inference costs its frame`(network: String) throws {
        let engine = FakeEngine(
            optimalRequests: 2,
            compute: { (number, _) throws(InferenceError) in if number == 4 { throw .planted() } })
        let (report, events, notes) = try report(network, frames: 40, on: engine)
        #expect(report.failures.isEmpty && report.isBalanced)
        #expect(report.sources[0].delivered == 39)
        #expect(report.sources[0].drops.map { "\($0.place) \($0.cause) \($0.count)" } == ["n failed 1"])
        #expect(events.contains { $0.node == "n" && $0.kind == .flawed && $0.message.contains("planted") })
        #expect(notes.contains { $0.hasPrefix("inferences failed: 1,") })
    }

    @Test(arguments: [lines, #""type": "dwtanet", "size": "64x48""#])
    func `an inference that cannot be started costs its frame`(network: String) throws {
        let engine = FakeEngine(optimalRequests: 2, refuses: { $0 == 3 })
        let (report, _, _) = try report(network, frames: 20, on: engine)
        #expect(report.failures.isEmpty && report.isBalanced)
        #expect(report.sources[0].delivered == 19)
    }

    @Test func `a row of failures ends the node, and one success begins it again`() throws {
        // Twenty-nine in a row are survived, thirty are not.
        let engine = FakeEngine(
            compute: { (number, _) throws(InferenceError) in
                if number != 29 && number < 59 || number >= 100 { throw .planted() }
            })
        let (report, events, _) = try report(Self.lines, frames: 400, on: engine)
        #expect(report.isBalanced)
        #expect(report.failures.map(\.node) == ["n"])
        #expect(report.failures.first?.message.contains("30 inferences in a row failed") == true)
        #expect(engine.started >= 130 && engine.started <= 134)
        #expect(report.sources[0].drops.contains { $0.place == "n" && $0.cause == .failed && $0.count >= 87 })
        #expect(events.contains { $0.kind == .flawed })
    }
}
