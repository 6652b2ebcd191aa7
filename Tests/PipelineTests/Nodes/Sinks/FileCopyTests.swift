// SPDX-License-Identifier: Apache-2.0
import Foundation
import Media
import TestSupport
import Testing

@testable import Pipeline
@testable import PipelineLanguage

@Suite struct FileCopyTests {
    private func clip(_ scratch: Scratch) throws -> String {
        let path = scratch.file("clip.mp4")
        try PipelineRun(
            pipeline(
                #"""
                "bars": {"type": "testpattern", "size": "128x96", "frames": 40},
                "file": {"type": "file", "input": "bars", "path": "\#(path)", "keyframeInterval": 10}
                """#)
        ).finish()
        return path
    }

    @Test(.timeLimit(.minutes(15))) func `the clean video goes beside the results`() throws {
        let scratch = try Scratch()
        let source = try clip(scratch)
        let model = scratch.file("model.onnx")
        try Data(SmallModels.means()).write(to: URL(fileURLWithPath: model))
        let run = try PipelineRun(
            pipeline(
                #"""
                "video": {"type": "video", "url": "\#(source)"},
                "own": {"type": "onnx", "input": "video", "model": "\#(model)", "decode": "tensors"},
                "clean": {"type": "file", "input": "own", "codec": "copy", "path": "\#(scratch.file("clean.mkv"))"},
                "text": {"type": "jsonl", "input": "own", "path": "\#(scratch.file("a.jsonl"))"}
                """#), options: .init(cache: .off))
        try run.finish()
        #expect(try scratch.records("a.jsonl").count == 40)
        let note = run.notes().first { $0.node == "clean" }?.lines.first ?? ""
        #expect(note.contains("40 frames of copied h264 in mkv"), "\(note)")
    }

    @Test(.timeLimit(.minutes(15))) func `two files copy one source`() throws {
        let scratch = try Scratch()
        let source = try clip(scratch)
        let run = try PipelineRun(
            pipeline(
                #"""
                "video": {"type": "video", "url": "\#(source)"},
                "a": {"type": "file", "input": "video", "codec": "copy", "path": "\#(scratch.file("a.mkv"))"},
                "b": {"type": "file", "input": "video", "codec": "copy", "path": "\#(scratch.file("b.mp4"))"}
                """#))
        #expect(try run.finish().failures.isEmpty)
        for name in ["a.mkv", "b.mp4"] {
            let reader = try VideoReader(scratch.file(name))
            var count = 0
            while try reader.read() != nil { count += 1 }
            #expect(count == 40, "\(name)")
        }
    }

    @Test(.timeLimit(.minutes(15)), arguments: ["mp4", "mkv"]) func `new files begin at the source's keyframes`(
        ending: String
    ) throws {
        let scratch = try Scratch()
        let source = try clip(scratch)
        let run = try PipelineRun(
            pipeline(
                #"""
                "video": {"type": "video", "url": "\#(source)"},
                "clean": {"type": "file", "input": "video", "codec": "copy", "path": "\#(scratch.file("c." + ending))",
                  "segment": "500ms"}
                """#))
        #expect(try run.finish().failures.isEmpty)
        // A keyframe every 0.4 s: those at 0.8 and 1.2 s are the first after 0.5 and 1 s.
        var times: [Double] = []
        for (name, frames, from) in [("c.", 20, 0.0), ("c-2.", 10, 0.8), ("c-3.", 10, 1.2)] {
            let reader = try VideoReader(scratch.file(name + ending))
            var count = 0
            while let frame = try reader.read() {
                times.append(frame.pts.seconds + from)
                count += 1
            }
            #expect(count == frames)
        }
        #expect(times.count == 40)
        for (number, time) in times.enumerated() { #expect(abs(time - Double(number) * 0.04) < 0.0011) }
    }

    @Test(
        .timeLimit(.minutes(15)),
        arguments: [
            (
                #""bars": {"type": "testpattern"}, "z": {"type": "file", "input": "bars", "codec": "copy", "path": "OUT.mkv"}"#,
                "needs a source with packets to copy"
            ),
            (
                #""v": {"type": "video", "url": "CLIP"}, "half": {"type": "rate", "input": "v", "fps": 5}, "#
                    + #""z": {"type": "file", "input": "half", "codec": "copy", "path": "OUT.mkv"}"#,
                "but \"half\" (rate) changes or chooses frames on the way"
            ),
            (
                #""v": {"type": "video", "url": "CLIP"}, "z": {"type": "file", "input": "v", "codec": "copy", "path": "OUT.webm"}"#,
                "webm cannot hold the source's h264"
            ),
        ])
    func `what cannot be copied is told before anything runs`(nodes: String, message: String) throws {
        let scratch = try Scratch()
        let nodes = nodes.replacing("CLIP", with: try clip(scratch)).replacing("OUT", with: scratch.file("out"))
        let error = #expect(throws: PipelineRunError.self) { try PipelineRun(pipeline(nodes)) }
        #expect(error.map { "\($0)" }?.contains(message) == true, "\(error.map { "\($0)" } ?? "")")
    }

    @Test func `settings of an encoder that does not run are mistakes in the file`() throws {
        let error = #expect(throws: PipelineFileError.self) {
            try pipeline(
                #""v": {"type": "video", "url": "a.mp4"}, "#
                    + #""z": {"type": "file", "input": "v", "codec": "copy", "path": "b.mp4", "quality": 20}"#)
        }
        #expect(error.map { "\($0)" }?.contains("is the encoder's, and \"codec\": \"copy\" runs none") == true)
    }
}
