// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

@testable import Pipeline
@testable import PipelineLanguage

/// What users get wrong about files, addresses and sizes, and the whole text of what they are told.
struct Mistake: Sendable, CustomTestStringConvertible {
    /// When it is known.
    enum Moment { case validation, start }

    let testDescription: String
    let moment: Moment
    /// The text of `nodes`; `@` stands for a folder with `rec/door.mp4`.
    let nodes: String
    /// The message, or its beginning where it ends in `...`.
    let message: String

    init(_ moment: Moment, _ essence: String, _ nodes: String, _ message: String) {
        self.moment = moment
        testDescription = essence
        self.nodes = nodes
        self.message = message
    }

    private static func video(_ url: String) -> String {
        #""v": {"type": "video", "url": "\#(url)"}, "n": {"type": "null", "input": "v"}"#
    }
    private static func behind(_ node: String) -> String {
        #""t": {"type": "testpattern", "frames": 1}, "o": {\#(node), "input": "t"}, "n": {"type": "null", "input": "o"}"#
    }
    private static func sink(_ node: String) -> String {
        #""t": {"type": "testpattern", "frames": 1}, "o": {\#(node), "input": "t"}"#
    }

    static let all: [Mistake] = [
        Mistake(
            .validation, "a protocol that nobody speaks", video("foo://me:secret@host/x"),
            """
            p.json:1:42: error: nodes.v.url: the FFmpeg here knows no protocol "foo" (found "foo://me:***@host/x")
              fix: it knows rtsp, http, ...
            """),
        Mistake(
            .validation, "a protocol with two letters swapped", video("rstp://host/x"),
            """
            p.json:1:42: error: nodes.v.url: the FFmpeg here knows no protocol "rstp" (found "rstp://host/x")
              fix: did you mean "rtsp://"? it knows rtsp, http, ...
            """),
        Mistake(
            .validation, "a folder for a recording", video("@/rec"),
            """
            p.json:1:42: error: nodes.v.url: is a folder, not a file (found "@/rec")
              fix: name one recording; `vpipe batch PIPELINE --inputs '@/rec/**/*.mp4' --out OUT` takes one after the \
            other, and photographs are read by "images"
            """),
        Mistake(
            .validation, "a pattern for a recording", video("@/rec/*.mp4"),
            """
            p.json:1:42: error: nodes.v.url: takes one file, and there is none of this name (found "@/rec/*.mp4")
              fix: name one recording; `vpipe batch PIPELINE --inputs '@/rec/*.mp4' --out OUT` takes one after the other, \
            and photographs are read by "images"
            """),
        Mistake(
            .start, "a recording whose name has one letter wrong", video("@/rec/dor.mp4"),
            """
            p.json:1:12: error: nodes.v.url: no such file (found "@/rec/dor.mp4")
              fix: did you mean "@/rec/door.mp4"?
            """),
        Mistake(
            .start, "a recording in a folder that is not there", video("@/none/a.mp4"),
            """
            p.json:1:12: error: nodes.v.url: no such file (found "@/none/a.mp4")
              fix: there is no folder "@/none" either
            """),
        Mistake(
            .start, "a recording named from another folder", video("no/such/a.mp4"),
            """
            p.json:1:12: error: nodes.v.url: no such file (found "no/such/a.mp4")
              fix: there is no folder "no/such" either; the path begins at the folder in which vpipe runs, ...
            """),
        Mistake(
            .start, "photographs that are not there",
            #""i": {"type": "images", "path": "@/*.png"}, "n": {"type": "null", "input": "i"}"#,
            """
            p.json:1:12: error: nodes.i.path: no images there (found "@/*.png")
              fix: name a file that is there
            """),
        Mistake(
            .start, "a model that is not there", behind(#""type": "onnx", "model": "@/nix.onnx""#),
            """
            p.json:1:55: error: nodes.o.model: no such file (found "@/nix.onnx")
              fix: name a file that is there
            """),
        Mistake(
            .validation, "a folder for a model", behind(#""type": "onnx", "model": "@/rec""#),
            """
            p.json:1:86: error: nodes.o.model: is a folder, not a file (found "@/rec")
              fix: name one .onnx file
            """),
        Mistake(
            .start, "weights that are not there", behind(#""type": "ssh", "weights": "@/nix.safetensors""#),
            """
            p.json:1:55: error: nodes.o.weights: no such file (found "@/nix.safetensors")
              fix: name a file that is there
            """),
        Mistake(
            .start, "names of classes that are not there", behind(#""type": "ddrnet", "classes": "@/nix.json""#),
            """
            p.json:1:55: error: nodes.o.classes: no such file (found "@/nix.json")
              fix: name a file that is there
            """),
        Mistake(
            .validation, "a size that no network has", behind(#""type": "ddrnet", "size": "1001x77""#),
            """
            p.json:1:87: error: nodes.o.size: is not possible for ddrnet: width and height must be multiples of 8 from 8 \
            to 8192 (found "1001x77")
              fix: use "1000x72" or "1008x80"
            """),
        Mistake(
            .validation, "the same of another network", behind(#""type": "mlsd", "size": "100x100""#),
            """
            p.json:1:85: error: nodes.o.size: is not possible for mlsd: width and height must be multiples of 16 from 32 \
            to 4096 (found "100x100")
              fix: use "96x96" or "112x112"
            """),
        Mistake(
            .validation, "a file that is an address", sink(#""type": "file", "path": "rtmp://me:secret@host/a.mp4""#),
            """
            p.json:1:85: error: nodes.o.path: is an address, where files have a path (found "rtmp://me:***@host/a.mp4")
              fix: "stream" sends video to servers, "mqtt" and "webhook" events
            """),
        Mistake(
            .validation, "records that are an address", sink(#""type": "jsonl", "path": "http://host/a.jsonl""#),
            """
            p.json:1:86: error: nodes.o.path: is an address, where files have a path (found "http://host/a.jsonl")
              fix: "stream" sends video to servers, "mqtt" and "webhook" events
            """),
    ]
}

@Suite struct MistakeTests {
    @Test(arguments: Mistake.all) func `is told with its place and what helps`(mistake: Mistake) throws {
        let scratch = try Scratch()
        try FileManager.default.createDirectory(
            atPath: scratch.file("rec"), withIntermediateDirectories: false)
        try Data().write(to: URL(fileURLWithPath: scratch.file("rec/door.mp4")))
        func placed(_ text: String) -> String { text.replacing("@/", with: scratch.path + "/") }
        let file = PipelineFile(name: "p.json", text: #"{"nodes": {\#(placed(mistake.nodes))}}"#)
        let check = file.check(against: NodeRegistry.builtIn.contracts)
        let told: String
        switch mistake.moment {
        case .validation:
            #expect(check.pipeline == nil)
            told = check.diagnostics.filter { $0.severity == .error }.map(\.description).joined(separator: "\n")
        case .start:
            let pipeline = try #require(check.pipeline, "\(check.diagnostics)")
            let error = #expect(throws: PipelineRunError.self) { try PipelineRun(pipeline) }
            // What the command line takes for the user's mistake: status 2.
            #expect(error?.cause is PipelineFileError)
            told = error?.description ?? ""
        }
        // What was found is shortened where it is long.
        let wanted = placed(
            mistake.message.replacing(/\(found "(.*)"\)/) { match in
                let found = placed(String(match.output.1))
                return "(found \"\(mistake.moment == .validation ? shortened(found) : found)\")"
            })
        if wanted.hasSuffix("...") {
            #expect(told.hasPrefix(wanted.dropLast(3)), "\(told)")
        } else {
            #expect(told == wanted)
        }
    }

    @Test(
        arguments: [
            (64, 8_000_000_000, nil), (7680, 8_000_000_000, nil), (7680, 2_000_000_000, .warning),
            (16384, 8_000_000_000, .warning), (16384, 1_000_000_000, .error),
        ] as [(Int, Int, Diagnostic.Severity?)]) func `pictures that do not fit into memory are told before the start`(
            side: Int, memory: Int, severity: Diagnostic.Severity?
        ) throws
    {
        let problems = PictureMemory.problems(PixelSize(width: side, height: side), "size", installed: memory)
        #expect(problems.map(\.severity) == (severity.map { [$0] } ?? []))
        if side == 16384 {
            #expect(
                problems.map(\.message) == [
                    memory == 1_000_000_000
                        ? "makes pictures of 403 MB each: 3 do not fit into the 1000 MB of memory here"
                        : "makes pictures of 403 MB each: the 48 that a pipeline with an encoder may hold do not fit into the "
                            + "8000 MB of memory here"
                ])
        }
    }
}
