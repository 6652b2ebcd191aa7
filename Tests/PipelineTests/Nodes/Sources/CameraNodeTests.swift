// SPDX-License-Identifier: Apache-2.0
@testable import Media
import TestSupport
import Testing

@testable import Camera
@testable import Pipeline
@testable import PipelineLanguage

@Suite struct CameraNodeTests {
    @Test func `what leaves a camera is the newest frame`() throws {
        let valid = try pipeline(
            """
            "camera": {"type": "camera"},
            "faces": {"type": "retinaface", "input": "camera"},
            "end": {"type": "null", "input": "faces"},
            "out": {"type": "camera-out", "input": "camera", "device": "/dev/video9"}
            """)
        for id in ["faces", "out"] {
            let rule = try #require(valid[id]).inputs[0].rule
            #expect((rule.policy, rule.capacity) == (.latest, 1), "\(id)")
        }
        #expect(try #require(valid["end"]).isLive)
    }

    @Test(arguments: [
        (#""controls": {"gain": [1]}"#, #""gain" must be a number, true, false or the word of a menu"#),
        (#""controls": {"gain": 1.5}"#, #""gain" must be a number, true, false or the word of a menu"#),
        (#""format": "YUY2""#, "did you mean"), (#""buffers": 1"#, "between 2 and 32"),
        (#""onLost": "freeze""#, "blank"),
        (#""resolution": "640x480""#, "size"),
    ])
    func `a mistake in a camera's settings is told before anything is opened`(_ setting: String, _ text: String) throws
    {
        let error = try #require(throws: PipelineFileError.self) {
            _ = try pipeline(
                #""camera": {"type": "camera", \#(setting)}, "end": {"type": "null", "input": "camera"}"#)
        }
        let all = error.diagnostics.map(\.description).joined(separator: "\n")
        #expect(all.contains(text), "\(all)")
    }

    @Test func `a camera that is not there is one sentence`() throws {
        let valid = try pipeline(
            #""camera": {"type": "camera", "device": "/nowhere/video0"}, "end": {"type": "null", "input": "camera"}"#)
        let error = try #require(throws: PipelineRunError.self) { try PipelineRun(valid) }
        #expect(error.description == "nodes.camera: /nowhere/video0: no such device")
    }

    @Test(.timeLimit(.minutes(15))) func `a graph runs while it waits for its camera, and says so in every frame`()
        throws
    {
        let scratch = try Scratch()
        let valid = try pipeline(
            """
            "camera": {"type": "camera", "device": "/nowhere/video0", "waitForDevice": true, "size": "160x120", "fps": 50},
            "text": {"type": "jsonl", "input": "camera", "path": "\(scratch.file("a.jsonl"))"},
            "end": {"type": "null", "input": "camera"}
            """)
        let run = try PipelineRun(valid)
        try run.start()
        while (run.snapshot().node("text")?.items ?? 0) < 5 { _ = run.waitUntilFinished(seconds: 0.01) }
        run.stop()
        let report = run.waitUntilFinished()
        #expect(report.failures.isEmpty)
        #expect(report.isBalanced)
        let lines = try scratch.records("a.jsonl")
        #expect(lines.count >= 5)
        #expect(lines.allSatisfy { $0.contains(#""signal":false"#) })
        #expect(run.notes().contains { $0.node == "camera" && $0.lines.contains { $0.contains("no signal") } })
    }

    @Test(.timeLimit(.minutes(15))) func `a graph stops at once although its camera is away`() throws {
        let valid = try pipeline(
            """
            "camera": {"type": "camera", "device": "/nowhere/video0", "waitForDevice": true, "onLost": "gap",
                       "retryMax": "1h"},
            "end": {"type": "null", "input": "camera"}
            """)
        let run = try PipelineRun(valid)
        try run.start()
        run.stop()
        #expect(run.waitUntilFinished().failures.isEmpty)
    }
}
