// SPDX-License-Identifier: Apache-2.0
import Foundation
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
        #expect(try scratch.lines("a.jsonl").count == 40)
        let note = run.notes().first { $0.node == "clean" }?.lines.first ?? ""
        #expect(note.contains("40 frames of copied h264 in mkv"), "\(note)")
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
