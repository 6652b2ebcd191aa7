// SPDX-License-Identifier: Apache-2.0
import Foundation
import Pipeline
import PipelineLanguage
import TestSupport
import Testing

@testable import Workbench

/// What a batch leaves in its folder, and when an item counts as done.
@Suite struct `Folder of a batch` {
    private let scratch: Scratch
    private let folder: BatchFolder
    private let print = BatchPipeline.Fingerprint(pipeline: "p", files: "f", program: "1")
    private let input = BatchInput(name: "rec/1.mp4", location: "/rec/1.mp4", bytes: 5, modified: 6)

    init() throws {
        scratch = try Scratch()
        folder = BatchFolder(scratch.file("out"))
        try folder.create()
    }

    private func done(_ input: BatchInput, _ print: BatchPipeline.Fingerprint) -> BatchFolder.Done {
        BatchFolder.Done(
            item: input.name, key: BatchFolder.key(input, print), input: input.identity, depends: print, frames: 3,
            dropped: 0, results: [:], files: [])
    }

    private func make(_ text: String, _ print: BatchPipeline.Fingerprint) throws -> Bool {
        let work = try folder.beginWork(input.name)
        try FileManager.default.createDirectory(atPath: work + "/frames", withIntermediateDirectories: true)
        try text.write(toFile: work + "/found.jsonl", atomically: false, encoding: .utf8)
        try text.write(toFile: work + "/frames/1.jpg", atomically: false, encoding: .utf8)
        return try folder.finish(done(input, print), from: work)
    }

    @Test func `an item appears whole, with what it was made of`() throws {
        #expect(folder.state(input, print) == .missing)
        #expect(try make("a", print))
        #expect(folder.state(input, print) == .done)
        #expect(folder.done("rec/1.mp4")?.files == ["found.jsonl", "frames/1.jpg"])
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.file("out/.batch/work")) == [])
    }

    @Test func `what it was made of decides whether it is done`() throws {
        #expect(try make("a", print))
        var other = print
        other.pipeline = "q"
        #expect(folder.state(input, other) == .stale("pipeline"))
        other.files = "g"
        other.program = "2"
        #expect(folder.state(input, other) == .stale("pipeline, weights, version of vpipe"))
        let changed = BatchInput(name: input.name, location: input.location, bytes: 6, modified: 6)
        #expect(folder.state(changed, print) == .stale("input"))
        #expect(try make("b", other))
        #expect(folder.state(input, other) == .done)
        #expect(try scratch.lines("out/rec/1.mp4/found.jsonl") == ["b"])
    }

    @Test func `the second that makes an item gives way`() throws {
        #expect(try make("a", print))
        #expect(try !make("b", print))
        #expect(try scratch.lines("out/rec/1.mp4/found.jsonl") == ["a"])
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.file("out/.batch/work")) == [])
    }

    @Test func `a folder that no batch has made is not touched`() throws {
        try FileManager.default.createDirectory(
            atPath: scratch.file("out/rec/1.mp4"), withIntermediateDirectories: true)
        #expect(folder.state(input, print) == .foreign)
    }

    @Test func `half an item that a kill left goes with the next try`() throws {
        let work = try folder.beginWork(input.name)
        try FileManager.default.moveItem(
            atPath: work, toPath: scratch.file("out/.batch/work/\(BatchFolder.id(input.name)).other-host.17"))
        let next = try folder.beginWork(input.name)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: scratch.file("out/.batch/work"))
                == [URL(fileURLWithPath: next).lastPathComponent])
    }

    @Test func `tries count for one making only`() {
        #expect(folder.addFailure("x", key: "k", message: "m").tries.count == 1)
        #expect(folder.addFailure("x", key: "k", message: "n").tries.map(\.message) == ["m", "n"])
        #expect(folder.addFailure("x", key: "other", message: "m").tries.count == 1)
        folder.clearFailure("x")
        #expect(folder.failures("x") == nil)
    }

    @Test func `rows are cut outside quotes`() {
        let rows = BatchMerge.rows(Data("a,b\r\n1,\"x\ny\"\r\n2,\"\"\"\"\r\nhalf".utf8))
        #expect(rows.map { String(decoding: $0, as: UTF8.self) } == ["a,b\r\n", "1,\"x\ny\"\r\n", "2,\"\"\"\"\r\n"])
    }
}

/// How a pipeline becomes one of items.
@Suite struct `Pipelines in a batch` {
    private func pipeline(
        _ text: String, source: String? = nil, part: BatchPipeline.Part = .init(), overrides: [String] = []
    ) throws -> BatchPipeline {
        try BatchPipeline(
            PipelineFile(name: "p.json", text: text), overrides: overrides, source: source, part: part,
            contracts: NodeRegistry.builtIn.contracts, version: "1")
    }

    private func nodes(_ nodes: String) -> String { "{\"nodes\":{\(nodes)}}" }
    private let video = #""video":{"type":"video","url":"x.mp4"}"#
    private let jsonl = #""found":{"type":"jsonl","input":"video","path":"out/found.jsonl"}"#

    @Test(arguments: [
        (
            #""a":{"type":"jsonl","input":"video","path":"out/a.jsonl"},"b":{"type":"file","input":"video","path":"out/b.mp4"}"#,
            ["a.jsonl", "b.mp4"]
        ),
        (
            #""a":{"type":"jsonl","input":"video","path":"/x/y/a.jsonl"},"b":{"type":"file","input":"video","path":"/x/z/b.mp4"}"#,
            ["y/a.jsonl", "z/b.mp4"]
        ),
        (
            #""a":{"type":"jsonl","input":"video","path":"a.jsonl"},"b":{"type":"file","input":"video","path":"out/b.mp4"}"#,
            ["a.jsonl", "out/b.mp4"]
        ),
        (#""a":{"type":"snapshots","input":"video","path":"out/shots","every":"1s"}"#, ["shots"]),
    ])
    func `outputs lie in the item's folder, without what they have in common`(_ sinks: String, _ paths: [String]) throws
    {
        #expect(try pipeline(nodes(video + "," + sinks)).outputs.map(\.path) == paths)
    }

    @Test(arguments: [
        (
            #""bars":{"type":"testpattern","size":"64x64"},"a":{"type":"jsonl","input":"bars","path":"a.jsonl"}"#, nil,
            "p.json: no source reads files"
        ),
        (
            #""v":{"type":"video","url":"x.mp4"},"w":{"type":"video","url":"y.mp4"},"a":{"type":"jsonl","input":"v","path":"a.jsonl"},"b":{"type":"jsonl","input":"w","path":"b.jsonl"}"#,
            nil, "several sources read files (v, w)"
        ),
        (
            #""v":{"type":"video","url":"x.mp4"},"a":{"type":"jsonl","input":"v","path":"a.jsonl"}"#, "w",
            "--source w: no such source that reads files in p.json; there is v"
        ),
        (#""v":{"type":"video","url":"x.mp4"},"a":{"type":"null","input":"v"}"#, nil, "no node writes a file"),
        (
            #""v":{"type":"video","url":"x.mp4"},"a":{"type":"jsonl","input":"v","path":"-"}"#, nil,
            "nodes.a.path: is the standard output"
        ),
        (
            #""v":{"type":"video","url":"x.mp4"},"a":{"type":"jsonl","input":"v","path":"../a.jsonl"}"#, nil,
            "leads out of the item's folder"
        ),
        (
            #""v":{"type":"video","url":"x.mp4","loop":true},"a":{"type":"jsonl","input":"v","path":"a.jsonl"}"#, nil,
            "nodes.v.loop: is true, so an item would never end"
        ),
        (
            #""v":{"type":"video","url":"x.mp4"},"a":{"type":"stream","input":"v","url":"rtsp://127.0.0.1:1/x"}"#, nil,
            "nodes.a.url: stream sends to others"
        ),
    ])
    func `what a batch cannot do is refused`(_ text: String, _ source: String?, _ message: String) {
        let error = #expect(throws: BatchError.self) { try pipeline(nodes(text), source: source) }
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
    }

    @Test func `an item takes the source's place, whatever its name`() throws {
        let batch = try pipeline(nodes(video + "," + jsonl), overrides: ["video.realtime=true"])
        let input = BatchInput(name: "a", location: "/r/{\"x\": ${HOME}}.mp4", bytes: 1, modified: 1)
        let valid = try batch.validated(input, in: "/w", contracts: NodeRegistry.builtIn.contracts)
        #expect(valid["video"]?.settings.value(named: "url")?.text == input.location)
        #expect(valid["found"]?.settings.value(named: "path")?.text == "/w/found.jsonl")
        #expect(valid["video"]?.settings.value(named: "realtime")?.text == "false")
    }

    @Test(arguments: ["${NO_SUCH_VARIABLE}", "/tmp", "rec/*.mp4", "foo://x"])
    func `what the source reads by itself does not matter`(_ url: String) throws {
        let batch = try pipeline(nodes(#""video":{"type":"video","url":"\#(url)"},"# + jsonl))
        #expect(try batch.fingerprint == pipeline(nodes(video + "," + jsonl)).fingerprint)
    }

    @Test func `parts of recordings are settings of the source`() throws {
        var part = BatchPipeline.Part()
        (part.start, part.end, part.every) = (60, 70.5, 5)
        let batch = try pipeline(nodes(video + "," + jsonl), part: part)
        let input = BatchInput(name: "a", location: "/a.mp4", bytes: 1, modified: 1)
        let source = try #require(
            batch.validated(input, in: "/w", contracts: NodeRegistry.builtIn.contracts)["video"]?.settings)
        #expect(["start", "end", "every"].map { source.value(named: $0)?.text } == ["1m", "70500ms", "5"])
        let error = #expect(throws: BatchError.self) {
            try pipeline(
                nodes(#""v":{"type":"images","path":"x"},"a":{"type":"jsonl","input":"v","path":"a.jsonl"}"#),
                part: part)
        }
        #expect(error?.description == "--from: a images source has no \"start\"; leave it out")
    }

    @Test func `results depend on settings and files, not on places`() throws {
        let scratch = try Scratch()
        let weights = scratch.file("labels.txt")
        try "one\n".write(toFile: weights, atomically: true, encoding: .utf8)
        func print(_ path: String = "out/found.jsonl", _ url: String = "x.mp4", _ more: String = "") throws
            -> BatchPipeline.Fingerprint
        {
            try pipeline(
                nodes(
                    #""video":{"type":"video","url":"\#(url)"\#(more)},"found":{"type":"jsonl","input":"video","path":"\#(path)"}"#
                )
            ).fingerprint
        }
        #expect(try print() == print("elsewhere/found.jsonl", "y.mp4"))
        #expect(try print() != print("out/other.jsonl"))
        #expect(try print() != print("out/found.jsonl", "x.mp4", #","every":2"#))
        let faces =
            #"{"nodes":{"video":{"type":"video","url":"x.mp4"},"f":{"type":"retinaface","input":"video"},"#
            + #""a":{"type":"jsonl","input":"f","path":"a.jsonl"}}}"#
        let before = try pipeline(faces).fingerprint
        let named = try pipeline(faces, overrides: ["f.weights=\(weights)"]).fingerprint
        #expect(before.files != named.files && before.pipeline == named.pipeline)
        try "two\n".write(toFile: weights, atomically: true, encoding: .utf8)
        #expect(try pipeline(faces, overrides: ["f.weights=\(weights)"]).fingerprint.files != named.files)
    }
}
