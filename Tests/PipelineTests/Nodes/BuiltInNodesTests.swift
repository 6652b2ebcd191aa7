// SPDX-License-Identifier: Apache-2.0
import Dataflow
import Foundation
import Server
import TestSupport
import Testing

@testable import Pipeline
@testable import PipelineLanguage

@Suite struct BuiltInNodesTests {
    @Test(
        arguments: [
            ("snapshots", #""path":"shots""#, "nodes.y.path: is written by nodes.x.path too (found \"shots\")"),
            ("npz", #""path":"arrays""#, "nodes.y.path: is written by nodes.x.path too (found \"arrays\")"),
            ("stream", #""url":"a.m3u8""#, "nodes.y.url: is fed by nodes.x.url too (found \"a.m3u8\")"),
            (
                "camera-out", #""device":"/dev/video9""#,
                "nodes.y.device: is fed by nodes.x.device too (found \"/dev/video9\")"
            ),
        ])
    func `two sinks cannot have one output`(type: String, output: String, message: String) {
        let sinks = ["x", "y"].map { #""\#($0)":{"type":"\#(type)","input":"a",\#(output)}"# }.joined(separator: ",")
        let check = PipelineFile(name: "p.json", text: #"{"nodes":{"a":{"type":"testpattern"},\#(sinks)}}"#)
            .check(against: NodeRegistry.complete.contracts)
        let found = check.diagnostics.filter { $0.severity == .error }.map { $0.description }
        #expect(found.count == 1)
        #expect(found.first?.contains(message) == true, "\(found)")
    }

    @Test func `every contract is sound and every example valid`() {
        for contract in NodeRegistry.complete.contracts.contracts {
            #expect(contract.mistakes.isEmpty, "\(contract.type)")
            #expect(contract.exampleProblems.isEmpty, "\(contract.type)")
            #expect(NodeRegistry.complete.factory(for: contract.type) != nil, "\(contract.type)")
        }
    }

    @Test func `the reference page is the one generated`() throws {
        let page = try String(contentsOfFile: packageRoot + "/docs/nodes.md", encoding: .utf8)
        #expect(page == NodeReference(NodeRegistry.complete.contracts).markdown, "run `make docs`")
        let schema = try String(contentsOfFile: packageRoot + "/docs/pipeline.schema.json", encoding: .utf8)
        #expect(schema == PipelineSchema(NodeRegistry.complete.contracts).text, "run `make docs`")
    }

    @Test func `all shipped pipelines are valid`() throws {
        let folder = packageRoot + "/pipelines"
        let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".json") }
        #expect(names.count >= 3)
        for name in names {
            let check = try PipelineFile(path: folder + "/" + name).check(
                against: NodeRegistry.complete.contracts, overrides: [])
            #expect(check.diagnostics.isEmpty, "\(name): \(check.diagnostics)")
        }
    }
}

@Suite struct PipelineRunTests {
    @Test(.timeLimit(.minutes(15))) func `frames in are frames out on every branch`() throws {
        let scratch = try Scratch()
        let run = try PipelineRun(
            pipeline(
                """
                "bars": {"type": "testpattern", "size": "160x120", "frames": 60},
                "small": {"type": "scale", "input": "bars", "size": "80x80", "fit": "letterbox"},
                "video": {"type": "file", "input": "small", "path": "\(scratch.file("a.mp4"))", "preset": "ultrafast"},
                "both": {"type": "merge", "inputs": ["bars", "small"]},
                "text": {"type": "jsonl", "input": "both", "path": "\(scratch.file("a.jsonl"))"},
                "end": {"type": "null", "input": "bars"}
                """))
        #expect(run.expectedFrames == 60)
        try run.start()
        let report = run.waitUntilFinished()
        #expect(report.failures.isEmpty)
        #expect(report.isBalanced)
        #expect(report.source("bars")?.delivered == 60)
        for sink in ["video", "text", "end"] { #expect(report.node(sink)?.items == 60, "\(sink)") }
        let lines = try scratch.records("a.jsonl")
        #expect(lines.count == 60)
        #expect(lines[17] == #"{"source":"bars","frame":17,"pts":0.68}"#)
        #expect(run.notes().contains { $0.node == "video" && $0.lines[0].contains("60 frames") })
    }

    @Test(.timeLimit(.minutes(15))) func `a stop ends an endless source and finalises the file`() throws {
        let scratch = try Scratch()
        let run = try PipelineRun(
            pipeline(
                """
                "bars": {"type": "testpattern", "size": "64x64", "frames": 0},
                "video": {"type": "file", "input": "bars", "path": "\(scratch.file("a.mkv"))", "preset": "ultrafast"}
                """))
        try run.start()
        while (run.snapshot().node("video")?.items ?? 0) < 5 { _ = run.waitUntilFinished(seconds: 0.01) }
        run.stop()
        let report = run.waitUntilFinished()
        #expect(report.state == .finished && report.failures.isEmpty && report.isBalanced)
        #expect(report.source("bars")?.dropped == 0)
        #expect(FileManager.default.fileExists(atPath: scratch.file("a.mkv")))
    }

    @Test(.timeLimit(.minutes(15))) func `rate drops evenly and counts what it drops`() throws {
        let scratch = try Scratch()
        let run = try PipelineRun(
            pipeline(
                """
                "bars": {"type": "testpattern", "size": "32x32", "fps": 30, "frames": 90},
                "slow": {"type": "rate", "input": "bars", "fps": 10},
                "text": {"type": "jsonl", "input": "slow", "path": "\(scratch.file("a.jsonl"))"}
                """))
        try run.start()
        let report = run.waitUntilFinished()
        #expect(report.source("bars")?.delivered == 30)
        let drops: [RunReport.Drop] = report.source("bars").map(\.drops) ?? []
        #expect(
            drops.filter { $0.count > 0 }.map { "\($0.count) at \($0.place): \($0.cause.name)" } == [
                "60 at slow: rateLimited"
            ])
        let frames = try scratch.records("a.jsonl").map { line in
            line.split(separator: ":")[2].prefix { $0 != "," }
        }
        #expect(frames == (0..<30).map { Substring(String($0 * 3)) })
    }

    @Test(.timeLimit(.minutes(15))) func `snapshots and images go round`() throws {
        let scratch = try Scratch()
        try PipelineRun(
            pipeline(
                """
                "bars": {"type": "testpattern", "size": "48x32", "frames": 51},
                "shots": {"type": "snapshots", "input": "bars", "path": "\(scratch.file("shots"))", "format": "png"}
                """)
        ).finish()
        let names = try FileManager.default.contentsOfDirectory(atPath: scratch.file("shots")).sorted()
        #expect(names == ["bars-000000.png", "bars-000025.png", "bars-000050.png"])
        let again = try PipelineRun(
            pipeline(
                """
                "stills": {"type": "images", "path": "\(scratch.file("shots"))"},
                "end": {"type": "null", "input": "stills"}
                """))
        #expect(try again.finish().source("stills")?.delivered == 3)
    }

    @Test(arguments: [
        (
            #""v": {"type": "video", "url": "/nowhere/a.mp4"}, "end": {"type": "null", "input": "v"}"#,
            "test.json:1:11: error: nodes.v.url: no such file (found \"/nowhere/a.mp4\")"
        ),
        (
            #""b": {"type": "testpattern", "frames": 1}, "f": {"type": "file", "input": "b", "path": "/dev/null/a.mp4"}"#,
            "nodes.f: /dev/null/a.mp4"
        ),
        (
            #""b": {"type": "testpattern", "frames": 1}, "n": {"type": "mlsd", "input": "b", "weights": "/nowhere.safetensors"}, "#
                + #""e": {"type": "null", "input": "n"}"#,
            "test.json:1:54: error: nodes.n.weights: no such file (found \"/nowhere.safetensors\")"
        ),
    ])
    func `what cannot be opened is a message that names the node and the file`(_ nodes: String, _ start: String) throws
    {
        let error = #expect(throws: PipelineRunError.self) { try PipelineRun(pipeline(nodes)) }
        let text = error.map { "\($0)" } ?? ""
        #expect(text.hasPrefix(start), "\(text)")
        #expect(text.split(separator: "\n").dropFirst().allSatisfy { $0.hasPrefix("  fix: ") })
    }

    @Test func `a file that exists is not replaced silently`() throws {
        let scratch = try Scratch()
        for name in ["a.mp4", "a.jsonl"] { try Data([1]).write(to: URL(fileURLWithPath: scratch.file(name))) }
        let text = """
            "bars": {"type": "testpattern", "size": "32x32", "frames": 3},
            "video": {"type": "file", "input": "bars", "path": "\(scratch.file("a.mp4"))"},
            "text": {"type": "jsonl", "input": "bars", "path": "\(scratch.file("a.jsonl"))"}
            """
        #expect(throws: PipelineRunError.self) { try PipelineRun(pipeline(text)) }
        #expect(try Data(contentsOf: URL(fileURLWithPath: scratch.file("a.mp4"))).count == 1)
        #expect(try PipelineRun(pipeline(text), options: .init(ifExists: .replace)).finish().failures.isEmpty)
    }

    @Test func `sinks make the folders of their paths`() throws {
        let scratch = try Scratch()
        let run = try PipelineRun(
            pipeline(
                """
                "bars": {"type": "testpattern", "size": "32x32", "frames": 3},
                "video": {"type": "file", "input": "bars", "path": "\(scratch.file("videos/today/a.mp4"))"},
                "text": {"type": "jsonl", "input": "bars", "path": "\(scratch.file("text//a.jsonl"))"},
                "shots": {"type": "snapshots", "input": "bars", "path": "\(scratch.file("shots/of/bars/"))"}
                """))
        #expect(try run.finish().failures.isEmpty)
        #expect(try scratch.records("text/a.jsonl").count == 3)
        #expect(FileManager.default.fileExists(atPath: scratch.file("videos/today/a.mp4")))
        #expect(FileManager.default.fileExists(atPath: scratch.file("shots/of/bars/bars-000000.jpg")))
        try Data().write(to: URL(fileURLWithPath: scratch.file("file")))
        let error = #expect(throws: PipelineRunError.self) {
            try PipelineRun(
                pipeline(
                    """
                    "bars": {"type": "testpattern", "size": "32x32", "frames": 3},
                    "text": {"type": "jsonl", "input": "bars", "path": "\(scratch.file("file/a/b.jsonl"))"}
                    """))
        }
        #expect(error.map { "\($0)" }?.contains("cannot make the folder \(scratch.file("file/a"))") == true)
    }

    @Test func `a failed start leaves the outputs as they were`() throws {
        let scratch = try Scratch()
        try Data("old\n".utf8).write(to: URL(fileURLWithPath: scratch.file("old.jsonl")))
        let text = """
            "bars": {"type": "testpattern", "size": "32x32", "frames": 3},
            "video": {"type": "file", "input": "bars", "path": "\(scratch.file("a.mp4"))"},
            "new": {"type": "jsonl", "input": "bars", "path": "\(scratch.file("new.jsonl"))"},
            "old": {"type": "jsonl", "input": "bars", "path": "\(scratch.file("old.jsonl"))", "overwrite": true},
            "lines": {"type": "mlsd", "input": "bars", "weights": "/nowhere.safetensors"},
            "end": {"type": "null", "input": "lines"}
            """
        #expect(throws: PipelineRunError.self) { try PipelineRun(pipeline(text)) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path) == ["old.jsonl"])
        #expect(try scratch.lines("old.jsonl") == ["old"])
    }

    @Test(.timeLimit(.minutes(15))) func `a branch that fails does not take the others down`() throws {
        let scratch = try Scratch()
        let report = try PipelineRun(
            pipeline(
                """
                "bars": {"type": "testpattern", "size": "32x32", "frames": 40},
                "bad": {"type": "jsonl", "input": "bars", "path": "/dev/full", "overwrite": true},
                "text": {"type": "jsonl", "input": "bars", "path": "\(scratch.file("a.jsonl"))"}
                """)
        ).finish()
        #expect(report.failures.map(\.node) == ["bad"])
        #expect(report.failures.first?.message.contains("/dev/full: the disk is full") == true)
        #expect(try scratch.records("a.jsonl").count == 40)
        #expect(report.isBalanced)
    }
}

extension PipelineRun {
    /// Runs to the end.
    @discardableResult func finish() throws -> RunReport {
        try start()
        return waitUntilFinished()
    }
}
