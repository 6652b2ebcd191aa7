// SPDX-License-Identifier: Apache-2.0
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Workbench

#if canImport(FoundationXML)
    import FoundationXML
#endif

/// Says no so many times.
private final class Countdown: Sendable {
    private let left: Atomic<Int>

    init(_ times: Int) { left = Atomic(times) }

    var isOver: Bool { left.subtract(1, ordering: .relaxed).oldValue <= 0 }
}

/// Records in other people's formats.
@Suite struct `Exports of records` {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private static let header =
        #"{"vpipe":1,"source":"video","url":"a.mp4","size":[200,100],"fps":10,"nodes":{"near":{},"far":{},"track":{}}}"#

    /// A line of a frame with the fields that are given.
    private static func line(_ frame: Int, _ fields: String = "", pts: Double? = nil) -> String {
        #"{"source":"video","frame":\#(frame),"pts":\#(pts ?? Double(frame) / 10)\#(fields.isEmpty ? "" : "," + fields)}"#
    }

    private static let face = #""faces":[{"box":[10,20,30,40],"score":0.9}]"#

    /// Exports `lines`; each ends with a newline, but what `tail` adds.
    private func export(
        _ lines: [String], to format: ExportFormat, tail: String = "", out: String = "out",
        _ change: (inout RecordExport.Options) -> Void = { _ in }
    ) throws -> RecordExport.Outcome {
        let text = lines.map { $0 + "\n" }.joined() + tail
        try Data(text.utf8).write(to: URL(fileURLWithPath: scratch.file("found.jsonl")))
        var options = RecordExport.Options()
        change(&options)
        return try RecordExport(scratch.file("found.jsonl"), to: format, options: options).write(to: scratch.file(out))
    }

    /// What the error of an export says, without the folder.
    private func refusal(
        _ lines: [String], to format: ExportFormat = .csv, tail: String = "", out: String = "out",
        _ change: (inout RecordExport.Options) -> Void = { _ in }
    ) -> String {
        do {
            _ = try export(lines, to: format, tail: tail, out: out, change)
            return "no error"
        } catch {
            return "\(error)".replacingOccurrences(of: scratch.path + "/", with: "")
        }
    }

    private func text(_ name: String) throws -> String {
        try String(contentsOfFile: scratch.file(name), encoding: .utf8)
    }

    private func json(_ name: String) throws -> Any {
        try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: scratch.file(name))))
    }

    private var entries: Set<String> {
        Set((try? FileManager.default.contentsOfDirectory(atPath: scratch.path)) ?? [])
    }

    @Test(arguments: ExportFormat.allCases) func `each format has its golden text`(_ format: ExportFormat) throws {
        let golden = try #require(ExportGolden.files[format])
        let lines = ExportGolden.record.split(separator: "\n").map(String.init)
        let outcome = try export(lines, to: format)
        #expect(outcome.frames == 3)
        for (name, expected) in golden { #expect(try text("out" + name) == expected, "\(format)\(name)") }
        // Nothing lies beside it.
        #expect(entries == ["found.jsonl", "out"])
        // The same again only where it is asked for.
        #expect(refusal(lines, to: format) == "out exists; --overwrite replaces it")
        _ = try export(lines, to: format) { $0.overwrites = true }
        for (name, expected) in golden { #expect(try text("out" + name) == expected) }
        #expect(entries == ["found.jsonl", "out"])
    }

    @Test func `what a format cannot hold is told with its count`() throws {
        let lines = ExportGolden.record.split(separator: "\n").map(String.init)
        let table: [(ExportFormat, results: Int, notes: [String])] = [
            (
                .coco, 4,
                [
                    "left out, as coco has no place for them: 1 line",
                    "left out, as coco has no place for them: 1 result of \"zones\"",
                    "written once, as the track that follows it: 1 box",
                    "carried from an earlier frame, which coco does not tell from found: 1 box",
                ]
            ),
            (
                .yolo, 3,
                [
                    "left out, as yolo has no place for them: 1 line",
                    "left out, as yolo has no place for them: the landmarks of 2 faces",
                    "left out, as yolo has no place for them: the scores of 4 boxes",
                    "left out, as yolo has no place for them: the ids of 2 boxes of tracks",
                    "left out, as yolo has no place for them: 1 box of tracks that are out of sight",
                    "left out, as yolo has no place for them: 1 result of \"zones\"",
                    "written once, as the track that follows it: 1 box",
                    "carried from an earlier frame, which yolo does not tell from found: 1 box",
                ]
            ),
            (.webvtt, 5, []),
        ]
        for (format, results, notes) in table {
            let outcome = try export(lines, to: format, out: "\(format)")
            #expect(outcome.results == results)
            #expect(outcome.notes == notes)
        }
    }

    @Test func `JSON and XML read back as what was found`() throws {
        let lines = ExportGolden.record.split(separator: "\n").map(String.init)
        _ = try export(lines, to: .coco, out: "coco.json")
        let coco = try #require(try json("coco.json") as? [String: Any])
        let annotations = try #require(coco["annotations"] as? [[String: Any]])
        #expect(annotations.map { $0["bbox"] as? [Double] }[1] == [100.55, 50, 20, 10.5])
        #expect(annotations.map { $0["image_id"] as? Int } == [1, 2, 2, 4])
        #expect((coco["categories"] as? [[String: Any]])?.first?["name"] as? String == #"R&D "van" -->"#)

        _ = try export(lines, to: .cvat, out: "cvat.xml")
        let document = try XMLDocument(data: Data(contentsOf: URL(fileURLWithPath: scratch.file("cvat.xml"))))
        let tracks = try document.nodes(forXPath: "/annotations/track").compactMap { $0 as? XMLElement }
        #expect(
            tracks.map { $0.attribute(forName: "label")?.stringValue } == ["face", "line", #"R&D "van" -->"#, "face"])
        let shown = try document.nodes(forXPath: "/annotations/track/box[@outside='0']").compactMap {
            $0 as? XMLElement
        }
        #expect(shown.map { $0.attribute(forName: "frame")?.stringValue } == ["0", "1", "1", "3"])

        _ = try export(lines, to: .labelstudio, out: "tasks.json")
        let task = try #require((try json("tasks.json") as? [[String: Any]])?.first)
        #expect((task["data"] as? [String: String]) == ["video": "rec/door & yard.mp4"])
    }

    @Test(arguments: [
        ("", "found.jsonl:3: is not JSON; expected one object on a line, as jsonl writes them"),
        (
            "[1]",
            "found.jsonl:3: is not of a record: expected an object with \"frame\", as jsonl writes them, or \"vpipe\", which begins a run"
        ),
        (#"{"vpipe":2}"#, "found.jsonl:3: vpipe: expected 1, the version of the format that this program reads"),
        (#"{"vpipe":1,"fps":1e300}"#, "found.jsonl:3: fps: expected frames a second, 0.001...100000"),
        (
            #"{"vpipe":1,"size":[0,100]}"#,
            "found.jsonl:3: size: expected two whole numbers, the picture's width and height"
        ),
        (#"{"frame":-1,"pts":0}"#, "found.jsonl:3: frame: expected a whole number from 0"),
        (#"{"frame":1e30,"pts":0}"#, "found.jsonl:3: frame: expected a whole number from 0"),
        (#"{"frame":1}"#, "found.jsonl:3: pts: expected seconds"),
        (
            line(1, #""faces":[{"box":[1,2,3]}]"#),
            "found.jsonl:3: faces[0].box: expected 4 numbers of pixels: x, y, width and height"
        ),
        (
            line(1, #""faces":[{"box":[1,2,3,1e300]}]"#),
            "found.jsonl:3: faces[0].box: expected 4 numbers of pixels: x, y, width and height"
        ),
        (line(1, #""faces":[{"box":[1,2,-3,4]}]"#), "found.jsonl:3: faces[0].box: has a negative width or height"),
        (line(1, #""faces":[{"box":[1,2,3,4],"score":"high"}]"#), "found.jsonl:3: faces[0].score: expected a number"),
        (
            line(1, #""faces":[{"box":[1,2,3,4],"landmarks":[[1]]}]"#),
            "found.jsonl:3: faces[0].landmarks: expected 2 numbers of pixels: x and y"
        ),
        (
            line(1, #""tracks":[{"box":[1,2,3,4]}]"#),
            "found.jsonl:3: tracks[0].id: expected a whole number, the track's"
        ),
        (
            line(1, #""lines":[{"from":[1,2],"to":3}]"#),
            "found.jsonl:3: lines[0].to: expected 2 numbers of pixels: x and y"
        ),
        (
            line(1, #""faces":{"near":[],"far":[]}"#),
            "found.jsonl:3: faces were found by several nodes (far, near): say with --node which one's are meant"
        ),
    ]) func `what is not a record is refused with its place`(_ bad: String, _ message: String) {
        let lines = [Self.header, Self.line(0, Self.face), bad.isEmpty ? #"{"frame":"# : bad, Self.line(2)]
        #expect(refusal(lines, to: .mot) == message)
        #expect(entries == ["found.jsonl"])
    }

    @Test(arguments: [#"{"source":"video","fra"#, "{", "\0\0\0\0", #"{"frame":3,"pts":0.3"# + "\n"])
    func `a last line that is broken off is told and left out`(_ tail: String) throws {
        let outcome = try export([Self.header, Self.line(0, Self.face), Self.line(1)], to: .mot, tail: tail)
        #expect(outcome.frames == 2)
        #expect(outcome.notes.first?.hasSuffix("found.jsonl:4: the last line is broken off and was left out") == true)
    }

    @Test func `a last line without its end is a line`() throws {
        let outcome = try export([Self.header], to: .mot, tail: Self.line(0, Self.face))
        #expect(outcome.frames == 1 && !outcome.notes.contains { $0.contains("broken") })
    }

    private static func track(_ id: Int) -> String {
        #""tracks":[{"id":\#(id),"box":[1,2,3,4],"score":0.5,"class":"face"}]"#
    }

    @Test func `the frames, times and ids of appended runs go on`() throws {
        let run = [Self.header, Self.line(0, Self.track(1)), Self.line(1, Self.track(2))]
        let outcome = try export(run + run, to: .mot)
        #expect(outcome.notes.contains { $0.hasPrefix("2 runs: frames, times and ids of the later ones go on") })
        #expect(
            try scratch.lines("out/gt/gt.txt")
                == ["1,1,1,2,3,4,1,1,1", "2,2,1,2,3,4,1,1,1", "3,3,1,2,3,4,1,1,1", "4,4,1,2,3,4,1,1,1"])
        _ = try export(run + run, to: .mot, out: "second") { $0.run = 2 }
        #expect(try scratch.lines("second/gt/gt.txt") == ["1,1,1,2,3,4,1,1,1", "2,2,1,2,3,4,1,1,1"])
        #expect(refusal(run + run, to: .mot, out: "third") { $0.run = 3 } == "--run 3: found.jsonl has 2 runs")

        _ = try export(run + run, to: .webvtt, out: "vtt")
        #expect(
            try scratch.lines("vtt").filter { $0.contains("-->") } == [
                "00:00:00.000 --> 00:00:00.100", "00:00:00.100 --> 00:00:00.200", "00:00:00.200 --> 00:00:00.300",
                "00:00:00.300 --> 00:00:00.400",
            ])
        _ = try export(run + run, to: .csv, out: "csv")
        #expect(
            try scratch.lines("csv").dropFirst().map { $0.split(separator: ",", omittingEmptySubsequences: false)[0] }
                == ["1", "1", "2", "2"])
        // The next file of one run, put behind the first.
        let next = [Self.header, Self.line(2, Self.track(2))]
        let one = try export(run + next, to: .mot, out: "one")
        #expect(!one.notes.contains { $0.contains("runs") })
        #expect(try scratch.lines("one/gt/gt.txt").last == "3,2,1,2,3,4,1,1,1")
    }

    @Test func `the node that is meant is chosen where several found things`() throws {
        let both = #""faces":{"near":[{"box":[1,1,2,2]}],"far":[{"box":[5,5,2,2]},{"box":[7,7,2,2]}]}"#
        let lines = [Self.header, Self.line(0, both)]
        let outcome = try export(lines, to: .mot) { $0.nodes = ["near"] }
        #expect(try scratch.lines("out/gt/gt.txt") == ["1,1,1,1,2,2,1,1,1"])
        #expect(outcome.notes.contains("left out, as --node does not name their nodes: 2 results"))
        #expect(try export(lines, to: .mot, out: "all") { $0.nodes = ["near", "far"] }.results == 3)
        // A table keeps them apart.
        #expect(try export(lines, to: .csv, out: "csv").results == 3)
        #expect(
            refusal(lines, to: .mot, out: "none") { $0.nodes = ["middle"] }
                == "--node middle: the record has no such node; it has far, near, track")
        #expect(
            refusal(lines, to: .webvtt, out: "none") { $0.nodes = ["near"] }.hasPrefix(
                "--node: webvtt carries whole lines"))
    }

    @Test func `a part of a recording is numbered by time where that is asked for`() throws {
        let lines = [Self.header, Self.line(0, Self.face, pts: 5), Self.line(1, Self.face, pts: 5.5)]
        let outcome = try export(lines, to: .mot)
        #expect(outcome.notes.contains { $0.contains("2 frames; --by-time numbers frames by time") })
        #expect(try scratch.lines("out/gt/gt.txt").map { $0.prefix(2) } == ["1,", "2,"])
        _ = try export(lines, to: .mot, out: "timed") { $0.isByTime = true }
        #expect(try scratch.lines("timed/gt/gt.txt").map { $0.prefix(3) } == ["51,", "56,"])
        #expect(
            refusal([Self.line(0)], to: .mot, out: "none") { $0.isByTime = true }
                == "found.jsonl:1: --by-time needs a frame rate, and no line before this one gives \"fps\"")
    }

    @Test func `photographs keep their names and sizes`() throws {
        for (name, size) in [("a.ppm", (20, 10)), ("b.ppm", (40, 80))] {
            let pixels = Data(repeating: 128, count: size.0 * size.1 * 3)
            try (Data("P6\n\(size.0) \(size.1)\n255\n".utf8) + pixels).write(
                to: URL(fileURLWithPath: scratch.file(name)))
        }
        let box = #""faces":[{"box":[5,2,10,4],"score":0.5}]"#
        let lines = [
            Self.header, Self.line(0, #""file":"a.ppm","# + box), Self.line(1, #""file":"b.ppm","# + box),
        ]
        _ = try export(lines, to: .coco, out: "coco")
        let images = try #require((try json("coco") as? [String: Any])?["images"] as? [[String: Any]])
        #expect(images.map { $0["file_name"] as? String } == ["a.ppm", "b.ppm"])
        #expect(images.map { $0["width"] as? Int } == [20, 40])
        _ = try export(lines, to: .yolo, out: "yolo")
        #expect(try text("yolo/labels/train/a.txt") == "0 0.5 0.4 0.5 0.4\n")
        #expect(try text("yolo/labels/train/b.txt") == "0 0.25 0.05 0.25 0.05\n")
        _ = try export(lines, to: .labelstudio, out: "tasks")
        let tasks = try #require(try json("tasks") as? [[String: Any]])
        #expect(tasks.compactMap { ($0["data"] as? [String: String])?["image"] } == ["a.ppm", "b.ppm"])
        #expect(
            refusal([Self.header, Self.line(0, #""file":"gone.ppm","# + box)], to: .yolo, out: "none")
                .hasPrefix("found.jsonl:2: gone.ppm: yolo needs every picture's size, and this one cannot be read"))
        #expect(
            refusal(
                [Self.header, Self.line(0, #""file":"x/../a.png""#), Self.line(1, #""file":"../a.jpg""#)], to: .yolo,
                out: "none"
            ).hasPrefix("found.jsonl:3: the labels of two pictures would both be a.txt"))
    }

    @Test func `names from outside lead nowhere`() throws {
        let odd = #""file":"../../up/\u0000","faces":[]"#
        #expect(refusal([Self.header, Self.line(0, odd)], to: .yolo).contains("cannot name a picture"))
        let label = #""objects":[{"box":[1,2,3,4],"class":"a\nb"}]"#
        _ = try export([Self.header, Self.line(0, label)], to: .mot)
        #expect(try text("out/gt/labels.txt") == "a\\u{a}b\n")
    }

    @Test(arguments: ExportFormat.allCases) func `nothing is left of an export that is stopped`(_ format: ExportFormat)
        throws
    {
        let lines = ExportGolden.record.split(separator: "\n").map(String.init)
        for frames in 0..<6 {
            let left = Countdown(frames)
            #expect(throws: ExportStopped.self) { try export(lines, to: format) { $0.isStopped = { left.isOver } } }
            #expect(entries == ["found.jsonl"])
        }
    }

    @Test func `figures at the limits of what is accepted are numbers in every format`() throws {
        let box = #"{"box":[-999999,999999,999999,999999.99],"score":9.9e5,"age":1e300}"#
        let lines = [
            #"{"vpipe":1,"size":[1,1],"fps":0.001}"#, #"{"frame":999999999999,"pts":-9e8,"faces":[\#(box)]}"#,
            #"{"frame":0,"pts":9e8,"faces":[\#(box)]}"#,
        ]
        for format in ExportFormat.allCases {
            #expect(try export(lines, to: format, out: "\(format)").results == 2)
        }
        for name in ["coco", "labelstudio"] { #expect(throws: Never.self) { try json(name) } }
        for name in ["mot/gt/gt.txt", "yolo/labels/train/frame_999999999999.txt"] {
            let numbers = try text(name).split(whereSeparator: { " ,\n".contains($0) })
            #expect(numbers.allSatisfy { Double($0) != nil }, "\(numbers)")
        }
    }

    @Test func `damaged records end in a message or in a whole export`() throws {
        var generator = SeededGenerator(seed: 5)
        let record = Array(ExportGolden.record.utf8)
        var (whole, refused) = (0, 0)
        for round in 0..<600 {
            var bytes = record
            for _ in 0...Int.random(in: 0..<4, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch round % 3 {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.remove(at: place)
                default:
                    bytes.insert(
                        contentsOf: Array("1e308,-[]{}\"\n".utf8).shuffled(using: &generator).prefix(2), at: place)
                }
            }
            try Data(bytes).write(to: URL(fileURLWithPath: scratch.file("found.jsonl")))
            let format = ExportFormat.allCases[round % ExportFormat.allCases.count]
            var options = RecordExport.Options()
            options.overwrites = true
            do {
                _ = try RecordExport(scratch.file("found.jsonl"), to: format, options: options)
                    .write(to: scratch.file("\(format)"))
                whole += 1
                if format == .coco || format == .labelstudio { _ = try json("\(format)") }
            } catch let error as ExportError {
                #expect(!error.description.isEmpty)
                refused += 1
            }
        }
        #expect(whole > 50 && refused > 50, "\(whole) \(refused)")
        #expect(entries.isSubset(of: Set(ExportFormat.allCases.map(\.rawValue) + ["found.jsonl"])))
    }

    @Test func `a line without end is refused before it fills the memory`() throws {
        _ = FileManager.default.createFile(atPath: scratch.file("found.jsonl"), contents: nil)
        // A hole: no disk is used.
        #expect(truncate(scratch.file("found.jsonl"), 1 << 34) == 0)
        let reader = try RecordExport(scratch.file("found.jsonl"), to: .csv, options: .init())
        let error = #expect(throws: ExportError.self) { try reader.write(to: scratch.file("out")) }
        #expect(
            error?.description.hasSuffix("found.jsonl:1: is longer than 64 MB, which no line of a record is") == true)
    }

    @Test func `what must not be written is refused`() throws {
        let lines = [Self.header, Self.line(0, Self.face)]
        #expect(refusal(lines, to: .csv, out: "no/out").hasSuffix("no/out: there is no folder no"))
        #expect(
            refusal(lines, to: .csv, out: "found.jsonl") { $0.overwrites = true }
                == "found.jsonl is the record itself: name another file")
        try FileManager.default.createDirectory(atPath: scratch.file("mine/labels"), withIntermediateDirectories: true)
        try Data().write(to: URL(fileURLWithPath: scratch.file("mine/holiday.jpg")))
        #expect(
            refusal(lines, to: .yolo, out: "mine") { $0.overwrites = true }
                == "mine holds \"holiday.jpg\", which is not of a yolo export: name another folder")
        #expect(
            refusal(lines, to: .csv, out: "mine") { $0.overwrites = true }
                == "mine is a folder, and csv makes a file: name another one")
        #expect(refusal([Self.header], out: "none") == "found.jsonl: holds no frame")
        #expect(refusal([Self.line(0, Self.face)], to: .yolo, out: "none").contains("has no first line that says it"))
        #expect(throws: ExportError.self) { try RecordExport(scratch.path, to: .csv, options: .init()) }
        #expect(entries == ["found.jsonl", "mine"])
    }
}
