// SPDX-License-Identifier: Apache-2.0
import Foundation
import Inference
import Media
import TestSupport
import Testing

@testable import Pipeline
@testable import PipelineLanguage

@Suite(.enabled(if: Tool.hasFFmpeg, "ffmpeg is not installed: it makes the videos"))
struct ClipNodeTests {
    /// Twelve seconds at 25 fps with a keyframe every `group` frames, B-frames and sound.
    private func video(_ scratch: Scratch, group: Int = 25, seconds: Int = 12, filter: String = "null") throws -> String
    {
        let path = scratch.file("source-\(group).mp4")
        let made = try Tool.run(
            Tool.ffmpeg,
            [
                "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc=s=128x96:r=25:d=\(seconds)", "-f", "lavfi", "-i",
                "sine=f=440:d=\(seconds)", "-vf", filter, "-pix_fmt", "yuv420p", "-c:v", "libx264", "-g", "\(group)",
                "-bf", "2",
                "-sc_threshold", "0", "-c:a", "aac", path,
            ])
        #expect(made.status == 0)
        return path
    }

    private func validated(_ nodes: String) throws -> ValidatedPipeline {
        try PipelineFile(name: "test.json", text: #"{"nodes":{\#(nodes)}}"#)
            .validated(against: ScriptedEvents.registry.contracts, overrides: [])
    }

    private func built(_ nodes: String, options: BuildContext.Options = .init()) throws -> PipelineRun {
        try PipelineRun(
            validated(nodes), registry: ScriptedEvents.registry, engine: try OpenVINOEngine.shared(), options: options)
    }

    /// Runs events of a script past a clip node; what that says.
    @discardableResult
    private func run(
        _ source: String, _ script: [String], delay: Double = 0, _ clip: String
    ) throws -> [String] {
        let list = script.map { "\"\($0)\"" }.joined(separator: ",")
        let run = try built(
            #"""
            "v": \#(source), "e": {"type": "scripted-events", "input": "v", "script": [\#(list)], "delay": \#(delay)},
            "clips": {"type": "clip", "input": "e", \#(clip)}
            """#)
        let report = try run.finish()
        #expect(report.failures.isEmpty)
        return run.notes().first { $0.node == "clips" }?.lines ?? []
    }

    private func clips(_ scratch: Scratch, _ ending: String = ".mp4") throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: scratch.path)
            .filter { $0.hasPrefix("clip") && $0.hasSuffix(ending) }.sorted().map { scratch.file($0) }
    }

    /// A digest of each frame, in the order of showing.
    private func digests(_ path: String) throws -> [String] {
        let result = try Tool.run(
            Tool.ffmpeg,
            ["-v", "error", "-xerror", "-i", path, "-map", "0:v", "-fps_mode", "passthrough", "-f", "framemd5", "-"])
        #expect(result.status == 0, "\(path) does not play")
        return result.output.split(separator: "\n").filter { !$0.hasPrefix("#") }
            .compactMap { $0.split(separator: ",").last.map { $0.trimmingCharacters(in: .whitespaces) } }
    }

    private struct Line: Decodable {
        let file: String
        let from, seconds: Double
        let frames: Int
        let complete: Bool
        let events: [String]
    }

    private func index(_ scratch: Scratch, _ name: String = "index.jsonl") throws -> [Line] {
        try scratch.lines(name).map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
    }

    // Keyframes every 0.4 s to never; events in the middle, sooner than `before` after the start, and near the end.
    @Test(
        .timeLimit(.minutes(15)), arguments: [10, 25, 75, 1000],
        [("mp4", 6.0, 7.0), ("mkv", 1.0, 1.5), ("mov", 10.5, 11.9)])
    func `a clip holds the source's frames from before the event to after it`(
        group: Int, part: (ending: String, start: Double, end: Double)
    ) throws {
        let scratch = try Scratch()
        let source = try video(scratch, group: group)
        let notes = try run(
            #"{"type": "video", "url": "\#(source)"}"#, ["door \(part.start) \(part.end)"], delay: 0.5,
            #"""
            "path": "\#(scratch.file("clip-{rule}.\(part.ending)"))", "before": "2s", "after": "1s",
            "index": "\#(scratch.file("index.jsonl"))"
            """#)
        let line = try #require(try index(scratch).first)
        #expect(line.complete && line.events.count == 1 && line.file == "clip-door.\(part.ending)", "\(line)")
        // No later than asked for; whole groups of pictures, so a group earlier at most.
        let period = Double(group) / 25
        #expect(line.from <= max(0, part.start - 2) + 1e-6 && line.from > part.start - 2 - period - 1e-6)
        let end = min(12, part.end + 1)
        #expect(line.from + line.seconds > end - 1e-6 && line.from + line.seconds < end + 0.17, "\(line)")

        let (all, got) = (try digests(source), try digests(scratch.file(line.file)))
        let first = Int((line.from * 25).rounded())
        #expect(got.count == line.frames && got == Array(all[first..<first + got.count]))
        // The sound is of the same part.
        let sound = try Tool.probe(scratch.file(line.file), stream: "a:0", "packet=pts_time").compactMap(Double.init)
        let (begins, ends) = (try #require(sound.first), try #require(sound.last))
        #expect(begins >= -0.03 && begins < 0.05 && abs(ends - line.seconds) < 0.2, "\(begins) \(ends)")
        #expect(notes.first?.contains("1 clip of 1 event") == true, "\(notes)")
        #expect(
            notes.contains { $0.hasPrefix("kept in memory at most: ") && $0.contains(" kB; keyframes up to ") },
            "\(notes)")
    }

    @Test(.timeLimit(.minutes(15))) func `events whose parts overlap make one clip, others their own`() throws {
        let scratch = try Scratch()
        let source = try video(scratch)
        let script =
            (0..<20).map { "door \(2 + Double($0) / 20) \(3 + Double($0) / 20)" } + [
                "door 9 9.2", "yard 9.1 9.5", "x 5 6",
            ]
        try run(
            #"{"type": "video", "url": "\#(source)"}"#, script,
            #"""
            "path": "\#(scratch.file("clip-{id}.mp4"))", "before": "1s", "after": "1s", "rules": ["door", "yard"],
            "index": "\#(scratch.file("index.jsonl"))"
            """#)
        let lines = try index(scratch)
        #expect(lines.map(\.events.count) == [20, 2] && lines.map(\.from) == [1, 8], "\(lines)")
        #expect(lines[0].from + lines[0].seconds < 5.2)
        #expect(try clips(scratch).count == 2)
    }

    @Test(.timeLimit(.minutes(15))) func `an event that is open at the end has its clip closed`() throws {
        let scratch = try Scratch()
        let source = try video(scratch)
        try run(
            #"{"type": "video", "url": "\#(source)"}"#, ["door 7"],
            #""path": "\#(scratch.file("clip.mp4"))", "before": "1s", "index": "\#(scratch.file("index.jsonl"))""#)
        let line = try #require(try index(scratch).first)
        #expect(line.complete && line.from == 6 && abs(line.seconds - 6) < 0.05)
        #expect(try digests(scratch.file("clip.mp4")) == Array(try digests(source)[150...]))
    }

    @Test(.timeLimit(.minutes(15))) func `a long clip goes on in another file, and nothing is lost between`() throws {
        let scratch = try Scratch()
        let source = try video(scratch)
        try run(
            #"{"type": "video", "url": "\#(source)"}"#, ["door 2 11"],
            #"""
            "path": "\#(scratch.file("clip.mp4"))", "before": "1s", "after": "0s", "maxLength": "3.5s",
            "index": "\#(scratch.file("index.jsonl"))"
            """#)
        let lines = try index(scratch)
        #expect(lines.map(\.from) == [1, 5, 9], "\(lines)")
        let frames = try lines.flatMap { try digests(scratch.file($0.file)) }
        #expect(frames == Array(try digests(source)[25..<25 + frames.count]) && frames.count >= 250)
        // The next run leaves them, and counts on.
        try run(
            #"{"type": "video", "url": "\#(source)"}"#, ["door 2 2.5"],
            #""path": "\#(scratch.file("clip.mp4"))", "before": "1s", "index": "\#(scratch.file("index.jsonl"))""#)
        #expect(try clips(scratch).map { FileNamePattern.number(of: $0) }.sorted() == [1, 2, 3, 4])
        #expect(try index(scratch).count == 4)
    }

    @Test(.timeLimit(.minutes(15)), arguments: [#""codec": "h264", "#, ""]) func `sources without packets are encoded`(
        codec: String
    ) throws {
        let scratch = try Scratch()
        let notes = try run(
            #"{"type": "testpattern", "size": "128x96", "fps": 25, "frames": 200}"#, ["door 4 5"],
            #"""
            "path": "\#(scratch.file("clip.mp4"))", \#(codec)"before": "1.5s", "after": "1s", "quality": 10,
            "index": "\#(scratch.file("index.jsonl"))"
            """#)
        let line = try #require(try index(scratch).first)
        // A keyframe a second.
        #expect(line.from == 2 && abs(line.seconds - 4) < 0.05 && line.frames == 101, "\(line) \(notes)")
        #expect(try digests(scratch.file("clip.mp4")).count == 101)
    }

    @Test(.timeLimit(.minutes(15))) func `what is drawn on the way is in the clip only where it is encoded`() throws {
        let scratch = try Scratch()
        let source = try video(scratch)
        for (name, codec) in [("clip-clean.mp4", ""), ("clip-drawn.mp4", #""codec": "h264", "quality": 5, "#)] {
            let run = try built(
                #"""
                "v": {"type": "video", "url": "\#(source)"}, "small": {"type": "scale", "input": "v", "size": "64x48"},
                "e": {"type": "scripted-events", "input": "small", "script": ["door 3 4"]},
                "clips": {"type": "clip", "input": "e", "path": "\#(scratch.file(name))", \#(codec)"before": "1s"}
                """#)
            #expect(try run.finish().failures.isEmpty)
        }
        #expect(try VideoReader(scratch.file("clip-clean.mp4")).info.width == 128)
        #expect(try VideoReader(scratch.file("clip-drawn.mp4")).info.width == 64)
    }

    @Test(.timeLimit(.minutes(15))) func `a ring with too few bytes is told, and the clip begins later`() throws {
        let scratch = try Scratch()
        let source = try video(scratch, filter: "noise=alls=40:allf=t")
        let notes = try run(
            #"{"type": "video", "url": "\#(source)"}"#, ["door 8 9"],
            #""path": "\#(scratch.file("clip.mp4"))", "before": "6s", "ringBytes": 500000, "index": "\#(scratch.file("i"))""#
        )
        #expect(notes.contains("1 clip begun later than asked for: \"ringBytes\" is too small"), "\(notes)")
        let line = try #require(try index(scratch, "i").first)
        #expect(line.from > 2 && line.from < 8)
        #expect(try digests(scratch.file("clip.mp4")).count == line.frames)
    }

    @Test(.timeLimit(.minutes(15))) func `a container that cannot hold the packets is told before anything runs`()
        throws
    {
        let scratch = try Scratch()
        let source = try video(scratch)
        let error = #expect(throws: PipelineRunError.self) {
            try built(
                #"""
                "v": {"type": "video", "url": "\#(source)"}, "e": {"type": "scripted-events", "input": "v", "script": []},
                "clips": {"type": "clip", "input": "e", "path": "\#(scratch.file("clip.webm"))"}
                """#)
        }
        let text = error.map { "\($0)" } ?? ""
        #expect(text.contains("webm cannot hold the source's h264; use .mp4, .mov, .mkv"), "\(text)")
    }

    @Test(.timeLimit(.minutes(15))) func `a clip that cannot be written is told, and the next one is`() throws {
        let scratch = try Scratch()
        let source = try video(scratch)
        // A file where the clip's folder has to be.
        try Data([1]).write(to: URL(fileURLWithPath: scratch.file("a")))
        let run = try built(
            #"""
            "v": {"type": "video", "url": "\#(source)"},
            "e": {"type": "scripted-events", "input": "v", "script": ["a 2 2.2", "b 8 8.2"]},
            "clips": {"type": "clip", "input": "e", "path": "\#(scratch.path)/{rule}/clip.mp4", "before": "1s", "after": "1s"}
            """#)
        let report = try run.finish()
        #expect(report.failures.count == 1 && "\(report.failures)".contains("\(scratch.path)/a"), "\(report.failures)")
        #expect(try digests(scratch.file("b/clip.mp4")) == Array(try digests(source)[175...230]))
        let notes = run.notes().first { $0.node == "clips" }?.lines ?? []
        #expect(notes.contains("1 clip not written, or not to the end"), "\(notes)")
        // No folder but those of clips.
        let names = try FileManager.default.contentsOfDirectory(atPath: scratch.path)
        #expect(names.sorted() == ["a", "b", "source-25.mp4"])
    }

    @Test(.timeLimit(.minutes(15))) func `old clips go, other files stay`() throws {
        let scratch = try Scratch()
        let source = try video(scratch)
        try Data(count: 1000).write(to: URL(fileURLWithPath: scratch.file("clip-holiday.mp4")))
        try run(
            #"{"type": "video", "url": "\#(source)"}"#, ["a 1 1.1", "b 4 4.1", "c 7 7.1"],
            #"""
            "path": "\#(scratch.file("clip-{rule}-%Y.mp4"))", "before": "500ms", "after": "500ms", "keepBytes": 60000,
            "index": "\#(scratch.file("index.jsonl"))"
            """#)
        let left = try clips(scratch).map { URL(fileURLWithPath: $0).lastPathComponent }
        #expect(left.contains("clip-holiday.mp4") && left.contains { $0.hasPrefix("clip-c-") }, "\(left)")
        #expect(left.count < 4 && !left.contains { $0.hasPrefix("clip-a-") }, "\(left)")
        #expect(try index(scratch).count == left.count - 1)
    }

    @Test(
        .timeLimit(.minutes(15)),
        arguments: [
            (#""path": "a.avi""#, "nodes.c.path:"),
            (#""path": "{what}.mp4""#, "\"{what}\" is nothing a name can hold; use {id}, {rule}, {source}"),
            (#""path": "{rule}.mp4", "keepFor": "1d""#, "gives names that other files may have, too"),
            (#""path": "-""#, "clips are files"),
            (#""path": "a.webm", "codec": "h264""#, "webm cannot hold h264"),
            (
                #""path": "a.mp4", "codec": "copy", "quality": 20"#,
                "is the encoder's, and \"codec\": \"copy\" runs none"
            ),
            (
                #""path": "a.mp4", "before": "10s", "ring": "8s""#,
                "nodes.c.ring: 8 s reach not as far back as \"before\" (10 s)"
            ),
        ])
    func `mistakes are told where they are`(settings: String, message: String) throws {
        let error = #expect(throws: PipelineFileError.self) {
            try validated(
                #""v": {"type": "testpattern"}, "e": {"type": "scripted-events", "input": "v", "script": []}, "c": {"type": "clip", "input": "e", \#(settings)}"#
            )
        }
        #expect(error.map { "\($0)" }?.contains(message) == true, "\(error.map { "\($0)" } ?? "")")
    }

    @Test(
        .timeLimit(.minutes(15)),
        arguments: [
            (
                #""ring": "5s", "before": "4800ms""#,
                "\"ring\": 5 s reach not as far back as \"before\" (4.8 s) and the 0.5 s that events are told of after their start; leave it out, or say 6 s or more"
            ),
            (#""rules": ["visitor", "cat"]"#, "\"rules\": there is no rule \"cat\"; use \"visitor\""),
            (#""codec": "copy""#, "\"codec\": \"copy\" needs a source with packets to copy"),
        ])
    func `what the pipeline cannot give is told before it runs`(settings: String, message: String) throws {
        let scratch = try Scratch()
        let error = #expect(throws: PipelineRunError.self) {
            try PipelineRun(
                pipeline(
                    #"""
                    "v": {"type": "testpattern"}, "zones": {"type": "zones", "input": "v", "zones": {"a": {"line": [[0, 0], [1, 1]]}}},
                    "e": {"type": "events", "input": "zones", "hold": "250ms", "rules": {"visitor": {"line": "a"}}},
                    "c": {"type": "clip", "input": "e", "path": "\#(scratch.file("clip.mp4"))", \#(settings)}
                    """#))
        }
        #expect(error.map { "\($0)" }?.contains(message) == true, "\(error.map { "\($0)" } ?? "")")
    }
}
