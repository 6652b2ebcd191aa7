// SPDX-License-Identifier: Apache-2.0
import Basics
import Dataflow
import Foundation
import InferenceTestSupport
import Overlay
import TestSupport
import Testing

@testable import Media
@testable import Pipeline
@testable import PipelineLanguage

@Suite struct `A record says what it is about` {
    private func objects(_ lines: [String]) throws -> [[String: Any]] {
        try lines.compactMap { try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] }
    }

    @Test func `in its first line, and every frame of a live source says when`() throws {
        let scratch = try Scratch()
        let before = WallTime.now
        let run = try PipelineRun(
            pipeline(
                """
                "bars": {"type": "testpattern", "size": "64x48", "frames": 6, "fps": 50, "realtime": true},
                "half": {"type": "scale", "input": "bars", "size": "32x24"},
                "text": {"type": "jsonl", "input": "half", "path": "\(scratch.file("a.jsonl"))"}
                """))
        #expect(try run.finish().failures.isEmpty)
        let lines = try objects(scratch.lines("a.jsonl"))
        let header = try #require(lines.first)
        #expect(header["vpipe"] as? Int == 1 && header["source"] as? String == "bars")
        // The source's size, in which coordinates are, not the picture's.
        #expect(header["size"] as? [Int] == [64, 48] && header["fps"] as? Double == 50)
        let nodes = try #require(header["nodes"] as? [String: [String: Any]])
        #expect(nodes.keys.sorted() == ["half"] && nodes["half"]?["size"] as? String == "32x24")
        let times = lines.dropFirst().compactMap { ($0["time"] as? String).flatMap { WallTime(rfc3339: $0) } }
        #expect(times.count == 6 && times.allSatisfy { $0.seconds > before.seconds - 1 && $0 < .now })
        // From the instant of capture: 20 ms apart whatever the machine was doing.
        for (a, b) in zip(times, times.dropFirst()) { #expect(abs(b.seconds - a.seconds - 0.02) < 0.0021) }
    }

    @Test func `with the files of its networks and their hashes`() throws {
        let scratch = try Scratch()
        let model = try SmallModels.means()
        try Data(model).write(to: URL(fileURLWithPath: scratch.file("m.onnx")))
        let run = try PipelineRun(
            pipeline(
                """
                "bars": {"type": "testpattern", "size": "64x64", "frames": 2},
                "near": {"type": "onnx", "input": "bars", "model": "\(scratch.file("m.onnx"))", "decode": "tensors"},
                "far": {"type": "onnx", "input": "near", "model": "\(scratch.file("m.onnx"))", "decode": "tensors"},
                "text": {"type": "jsonl", "input": "far", "path": "\(scratch.file("a.jsonl"))"}
                """), options: .init(cache: .off))
        #expect(try run.finish().failures.isEmpty)
        let lines = try objects(scratch.lines("a.jsonl"))
        let nodes = try #require(lines.first?["nodes"] as? [String: [String: Any]])
        let files = try #require(nodes["near"]?["files"] as? [[String: String]])
        #expect(files.first?["path"] == scratch.file("m.onnx") && files.first?["sha256"]?.count == 64)
        // Two nodes of one kind do not mix.
        for line in lines.dropFirst() {
            let tensors = try #require(line["tensors"] as? [String: [[String: Any]]])
            #expect(tensors.keys.sorted() == ["far", "near"] && tensors["far"]?.count == tensors["near"]?.count)
        }
        #expect(lines.count == 3)
        #expect(run.resultCounts.map(\.node) == ["near", "far"] && run.resultCounts.allSatisfy { $0.count >= 2 })
    }

    @Test func `photographs keep their names, and an unreadable one shifts nothing`() throws {
        let scratch = try Scratch()
        let picture = try PicturePool().make(width: 16, height: 16, format: .gray8, color: .assumed(height: 16))
        for name in ["a.png", "c.png", "d.png"] { try ImageWriter().write(picture, to: scratch.file(name)) }
        try Data("no picture".utf8).write(to: URL(fileURLWithPath: scratch.file("b.png")))
        let run = try PipelineRun(
            pipeline(
                """
                "photos": {"type": "images", "path": "\(scratch.path)"},
                "text": {"type": "jsonl", "input": "photos", "path": "\(scratch.file("out/a.jsonl"))"},
                "shots": {"type": "snapshots", "input": "photos", "path": "\(scratch.file("shots"))", "every": 0}
                """))
        #expect(try run.finish().failures.isEmpty)
        let files = try objects(scratch.records("out/a.jsonl")).compactMap { $0["file"] as? String }
        #expect(files == ["a.png", "c.png", "d.png"].map(scratch.file))
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: scratch.file("shots")).sorted()
                == ["a.jpg", "c.jpg", "d.jpg"])
    }

    @Test(
        arguments: [
            ("0.2", "1", 1, 5..<25), ("0.2", nil, 4, 5..<30), (nil, "0.5", 3, 0..<13), (nil, nil, 7, 0..<30),
        ] as [(String?, String?, Int, Range<Int>)])
    func `a part of a file is exact`(start: String?, end: String?, every: Int, frames: Range<Int>) throws {
        let scratch = try Scratch()
        let bars = #""bars": {"type": "testpattern", "size": "64x64", "frames": 30, "fps": 25}"#
        try PipelineRun(
            pipeline(bars + #", "f": {"type": "file", "input": "bars", "path": "\#(scratch.file("a.mp4"))"}"#)
        ).finish()
        let part = [start.map { #""start": "\#($0)s""# }, end.map { #""end": "\#($0)s""# }, #""every": \#(every)"#]
            .compactMap { $0 }.joined(separator: ", ")
        let run = try PipelineRun(
            pipeline(
                """
                "v": {"type": "video", "url": "\(scratch.file("a.mp4"))", \(part)},
                "text": {"type": "jsonl", "input": "v", "path": "\(scratch.file("a.jsonl"))"},
                "f": {"type": "file", "input": "v", "path": "\(scratch.file("b.mp4"))"}
                """))
        let wanted = frames.filter { ($0 - frames.lowerBound) % every == 0 }.map { Double($0) * 0.04 }
        #expect(run.expectedFrames == wanted.count)
        #expect(try run.finish().failures.isEmpty)
        let times = try objects(scratch.records("a.jsonl")).compactMap { $0["pts"] as? Double }
        #expect(times.count == wanted.count && zip(times, wanted).allSatisfy { abs($0 - $1) < 1e-5 }, "\(times)")
        // The part's own file begins at its start.
        let reader = try VideoReader(scratch.file("b.mp4"))
        var count = 0
        while let frame = try reader.read() {
            if count == 0 { #expect(frame.pts.seconds < 0.001) }
            count += 1
        }
        #expect(count == wanted.count)
    }

    @Test func `a full disk is in the books`() throws {
        let scratch = try Scratch()
        var settings = Recorder.Settings(name: try FileNamePattern(scratch.file("a.mkv")))
        settings.writer.preset = "ultrafast"
        settings.calls.write = { descriptor, bytes, count, offset in
            guard offset < 30_000 else {
                errno = ENOSPC
                return -1
            }
            return pwrite(descriptor, bytes, count, off_t(offset))
        }
        let recording = settings
        var registry = NodeRegistry.builtIn
        try registry.register(
            Contract("full", .sink, summary: "A file on a full disk"),
            factory: { _, _ in .node(FileNode(try Recorder(recording, audio: nil))) })
        let text = #"""
            {"nodes": {"bars": {"type": "testpattern", "size": "160x96", "frames": 2000}, "f": {"type": "full", "input": "bars"}}}
            """#
        let pipeline = try PipelineFile(name: "p.json", text: text).validated(against: registry.contracts)
        let run = try PipelineRun(pipeline, registry: registry, engine: noEngine())
        try run.start()
        let report = run.waitUntilFinished()
        let reader = try VideoReader(scratch.file("a.mkv"))
        var stored: UInt64 = 0
        while try reader.read() != nil { stored += 1 }
        let source = try #require(report.source("bars"))
        #expect(stored > 0 && source.delivered == stored)
        #expect(report.isBalanced && source.admitted == source.delivered + source.dropped)
        #expect(
            run.notes().first { $0.node == "f" }?.lines.first?.hasPrefix("\(scratch.file("a.mkv")): \(stored) frames")
                == true)
    }

    @Test(arguments: [
        (#""path": "a.webm", "codec": "h264""#, "codec", "webm cannot hold h264"),
        (#""path": "a.txt""#, "path", "the ending of \"a.txt\" names no container; use .mp4, .mov, .mkv or .webm"),
        (#""path": "-", "segment": "10s""#, "path", "is standard output, which is one stream, not many files"),
        (#""path": "a.mp4", "onTheClock": true"#, "onTheClock", "needs to know how long a file is"),
        (#""path": "a-%Q.mp4""#, "path", "\"%Q\" is no part of a date; use \(FileNamePattern.expected)"),
        (
            #""path": "a.mp4", "overwrite": true, "ifExists": "number""#, "ifExists",
            "says \"number\", but \"overwrite\" says replace"
        ),
        (#""path": "a.mp4", "codec": "h264", "quality": 60"#, "quality", "of h264 must be 0...51"),
    ]) func `what is known without opening anything is checked`(settings: String, parameter: String, message: String)
        throws
    {
        let text = #"""
            {"nodes": {"bars": {"type": "testpattern"}, "f": {"type": "file", "input": "bars", \#(settings)}}}
            """#
        let found = PipelineFile(name: "p.json", text: text).check(against: NodeRegistry.builtIn.contracts).diagnostics
        #expect(
            found.map { $0.path } == ["nodes.f.\(parameter)"] && found.map { $0.message } == [message], "\(found)")
    }

    @Test func `live sources are opened at the same time`() throws {
        final class Meeting: @unchecked Sendable {
            // `count` is read and changed under the condition's lock.
            private let condition = NSCondition()
            private var count = 0
            /// True when three are here.
            func arrive() -> Bool {
                condition.lock()
                defer { condition.unlock() }
                count += 1
                condition.broadcast()
                let limit = Date().addingTimeInterval(60)
                while count < 3, condition.wait(until: limit) {}
                return count >= 3
            }
        }
        let meeting = Meeting()
        var registry = NodeRegistry.builtIn
        try registry.register(
            Contract("slow", .source, summary: "Answers when the others have been asked", liveness: .always),
            factory: { node, _ in
                guard meeting.arrive() else { throw OutputError("nobody else was asked") }
                return .source(
                    TestPatternNode(
                        try TestPattern(width: 32, height: 32, frameRate: Rational(25, 1)), source: node.id, frames: 1,
                        paced: false, gate: nil))
            })
        let text = #"""
            {"nodes": {"a": {"type": "slow"}, "b": {"type": "slow"}, "c": {"type": "slow"}, "d": {"type": "null", "input": "a"},
             "e": {"type": "null", "input": "b"}, "f": {"type": "null", "input": "c"}}}
            """#
        let pipeline = try PipelineFile(name: "p.json", text: text).validated(against: registry.contracts)
        let run = try PipelineRun(pipeline, registry: registry, engine: noEngine())
        try run.start()
        #expect(run.waitUntilFinished().sources.map(\.delivered) == [1, 1, 1])
    }
}

@Suite struct `A target that cannot be held` {
    @Test(
        arguments: [
            (5.0, 2, "", true), (2, 2, "", false), (1.5, 2, "", false),
            // Another sink gets every frame.
            (5, 2, #", "all": {"type": "null", "input": "bars"}"#, false),
        ] as [(Double, Int, String, Bool)])
    func `for a rate on the way is a mistake in the file`(fps: Double, rate: Int, more: String, isRefused: Bool) {
        let text = #"""
            {"target": {"fps": \#(fps)}, "nodes": {"bars": {"type": "testpattern"},
            "thin": {"type": "rate", "input": "bars", "fps": \#(rate)}, "end": {"type": "null", "input": "thin"}\#(more)}}
            """#
        let found = PipelineFile(name: "p.json", text: text).check(against: NodeRegistry.builtIn.contracts).diagnostics
            .map(\.message)
        #expect(found == (isRefused ? ["cannot be held: nodes.thin lets 2 frames a second through at most"] : []))
    }
}
