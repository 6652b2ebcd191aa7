// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// `vpipe export` as people run it.
@Suite struct `Exports by the program` {
    private let scratch: Scratch
    private static let formats = ["coco", "mot", "cvat", "yolo", "labelstudio", "webvtt", "csv"]

    init() throws {
        scratch = try Scratch()
        try Self.record.write(toFile: scratch.file("found.jsonl"), atomically: true, encoding: .utf8)
    }

    /// Two tracks, one of which is lost for a while, over faces; objects and lines; frames left out.
    private static let record: String = {
        var text =
            #"{"vpipe":1,"source":"video","url":"door.mp4","size":[1280,720],"fps":25,"nodes":{"faces":{},"track":{}}}"#
            + "\n"
        for frame in 0..<40 where frame % 7 != 3 {
            func box(_ x: Double, _ y: Double) -> String {
                "[\(x + Double(frame) * 3.37),\(y + Double(frame) / 4),\(60.25 + Double(frame % 5) * 0.11),81.5]"
            }
            let points = (0..<5).map { "[\(120 + $0 * 9 + frame),\(210.25 + Double($0 * 7))]" }.joined(separator: ",")
            let isLost = (12..<16).contains(frame)
            let face = #"{"box":\#(box(100.1, 200.4)),"score":0.9321,"landmarks":[\#(points)]}"#
            let stray = #"{"box":\#(box(900.77, 40)),"score":0.61}"#
            let tracks = [
                #"{"id":1,"box":\#(box(100.6, 200.1)),"score":0.9321,"class":"face","state":"\#(isLost ? "lost" : "seen")"}"#,
                #"{"id":7,"box":\#(box(500, 300.33)),"score":0.8,"class":"person","state":"seen"}"#,
            ]
            let cars = (0..<frame % 3).map {
                #"{"box":\#(box(10, 400 + Double($0) * 90)),"score":0.5,"label":2,"class":"car"}"#
            }
            text += #"{"source":"video","frame":\#(frame),"pts":\#(Double(frame) / 25),"#
            text += #""faces":[\#(isLost ? stray : face + "," + stray)],"#
            text += #""lines":[{"from":[1.5,\#(frame)],"to":[700.25,99.75],"score":0.4}],"#
            text += #""objects":[\#(cars.joined(separator: ","))],"tracks":[\#(tracks.joined(separator: ","))]}"# + "\n"
        }
        return text
    }()

    private func export(_ arguments: String...) throws -> Program.Outcome {
        try Program.run(["export", "found.jsonl"] + arguments, in: scratch.path)
    }

    @Test(.timeLimit(.minutes(5))) func `every format is written, and what it leaves out is told`() throws {
        for format in Self.formats {
            let outcome = try export("--to", format, "-o", "out." + format)
            #expect(outcome.status == 0, "\(format): \(outcome.errors)")
            #expect(outcome.output.hasPrefix("out.\(format): ") && outcome.output.hasSuffix(" results of 34 frames\n"))
            let holdsLines = ["cvat", "webvtt", "csv"].contains(format)
            let told = outcome.errors.components(
                separatedBy: "note: left out, as \(format) has no place for them: 34 lines\n")
            #expect(told.count == (holdsLines ? 1 : 2), "\(outcome.errors)")
        }
        let video = try export("--to", "labelstudio", "--media", "https://example.org/a.mp4", "-o", "tasks.json")
        #expect(video.status == 0)
        #expect(try scratch.lines("tasks.json").first?.contains(#""video":"https://example.org/a.mp4""#) == true)
    }

    @Test(.timeLimit(.minutes(5))) func `mistakes are one message each`() throws {
        #expect(try export("--to", "csv", "-o", "table.csv").status == 0)
        try "{}\n".write(toFile: scratch.file("odd.jsonl"), atomically: true, encoding: .utf8)
        let table: [(arguments: [String], status: Int32, message: String)] = [
            (
                ["found.jsonl", "--to", "coc", "-o", "a"], 2,
                "vpipe: --to coc: expected one of coco, mot, cvat, yolo, labelstudio, webvtt, csv; did you mean coco?\n"
            ),
            (
                ["found.jsonl", "--to", "csv", "-o", "table.csv"], 2,
                "vpipe: table.csv exists; --overwrite replaces it\n"
            ),
            (["none.jsonl", "--to", "csv", "-o", "a"], 2, "vpipe: none.jsonl: No such file or directory\n"),
            (
                ["odd.jsonl", "--to", "csv", "-o", "a"], 2,
                "vpipe: odd.jsonl:1: is not of a record: expected an object with \"frame\", as jsonl writes them, or \"vpipe\", "
                    + "which begins a run\n"
            ),
            (["found.jsonl", "--to", "csv", "-o", "-"], 2, "vpipe: -o -: expected the name of a file to make\n"),
        ]
        for row in table {
            let outcome = try Program.run(["export"] + row.arguments, in: scratch.path)
            #expect(outcome.status == row.status)
            #expect(outcome.errors == row.message)
            #expect(outcome.output.isEmpty)
        }
        // That nobody can write there is the world's doing.
        let full = try export("--to", "csv", "-o", "/proc/found.csv")
        #expect(full.status == 1 && full.errors.hasPrefix("vpipe: /proc: "), "\(full.errors)")
        #expect(try export("--to", "csv", "-o", "table.csv", "--overwrite").status == 0)
    }

    /// A Python with the programs that the formats are for: `$VPIPE_PYTHON`, or the one on the path.
    private static let python: String? = {
        let modules = "import datumaro, motmetrics, pandas, pycocotools.coco, webvtt"
        let candidates = [ProcessInfo.processInfo.environment["VPIPE_PYTHON"], Tool.find("python3")].compactMap { $0 }
        return candidates.first { (try? Tool.run($0, ["-c", modules]))?.status == 0 }
    }()

    @Test(
        .enabled(
            if: python != nil,
            "needs a Python with datumaro, motmetrics, pandas, pycocotools, webvtt-py; name it in VPIPE_PYTHON"),
        .timeLimit(.minutes(10)))
    func `other programs read back the same boxes, frames, labels and ids`() throws {
        let check = try Tool.run(
            Self.python, [Program.root + "/scripts/check-exports", Program.path, scratch.file("found.jsonl")])
        #expect(check.status == 0, "\(check.output)")
        #expect(check.output.split(separator: "\n").filter { $0.contains(" the same, within 0.0") }.count == 13)
    }
}
