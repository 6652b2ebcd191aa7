// SPDX-License-Identifier: Apache-2.0
import Annotations
import Basics
import Dataflow
import Foundation
import Glibc
import InferenceTestSupport
import Media
import TestSupport
import Testing

@testable import Pipeline
@testable import PipelineLanguage

@Suite struct `Lines` {
    private let scratch: Scratch
    private let time = WallTime(nanoseconds: 1_773_043_507_120_000_000)

    init() throws { scratch = try Scratch() }

    private func file(
        _ name: String, _ rule: IfExists = .fail, flushes: Bool = true,
        _ change: (inout LineFile.Settings) -> Void = { _ in }
    ) throws -> LineFile {
        var settings = LineFile.Settings(name: try FileNamePattern(scratch.file(name), zone: .utc))
        settings.ifExists = rule
        settings.flushesAlways = flushes
        change(&settings)
        return try LineFile(settings)
    }

    private func write(_ text: String, _ file: LineFile, at seconds: Double = 0) throws {
        let taken = WallTime(nanoseconds: time.nanoseconds + Int64(seconds * 1e9))
        try file.prepare(at: seconds, taken: taken)
        try Array((text + "\n").utf8).withUnsafeBytes { try file.write($0) }
    }

    private func put(_ text: String, _ name: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: scratch.file(name)))
    }

    private func text(_ name: String) throws -> String {
        try String(contentsOfFile: scratch.file(name), encoding: .utf8)
    }

    @Test(
        arguments: [
            (IfExists.append, "old\n{\"n\":1}\n", ["a.jsonl"]), (.replace, "{\"n\":1}\n", ["a.jsonl"]),
            (.number, "old\n", ["a-2.jsonl", "a.jsonl"]),
        ] as [(IfExists, String, [String])]) func `go where the rule says`(
            rule: IfExists, left: String, names: [String]
        ) throws
    {
        try put("old\n", "a.jsonl")
        let file = try file("a.jsonl", rule)
        #expect(try text("a.jsonl") == "old\n")
        try write(#"{"n":1}"#, file)
        try file.close()
        #expect(try text("a.jsonl") == left)
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path).sorted() == names)
    }

    @Test func `an existing file stops the start, and the message says what helps`() throws {
        try put("old\n", "a.jsonl")
        let error = #expect(throws: OutputError.self) { try file("a.jsonl") }
        #expect(
            error?.description
                == "\(scratch.file("a.jsonl")): exists already; replace it with \"ifExists\": \"replace\" or "
                + "--overwrite, go on behind it with \"append\", or keep both with \"number\"")
    }

    @Test(arguments: [
        ("{\"a\":1}\n{\"b\":\"}", "{\"a\":1}\n"), ("{\"a\":1}\n{\"b\":2}", "{\"a\":1}\n{\"b\":2}\n"), ("{\"a\"", ""),
        ("{\"a\":1}\n", "{\"a\":1}\n"), ("{\"a\":1}\n\u{0}\u{0}", "{\"a\":1}\n"),
        ("x\n" + String(repeating: "y", count: 200_000), "x\n"),
    ]) func `a half line is taken off`(left: String, healed: String) throws {
        try put(left, "a.jsonl")
        let file = try file("a.jsonl", .append)
        try write("{}", file)
        try file.close()
        #expect(try text("a.jsonl") == healed + "{}\n")
    }

    @Test func `no line is lost when others move the file, delete it or cut it off`() throws {
        let file = try file("a.jsonl")
        let names = ["a.jsonl", "a.jsonl.1", "a.jsonl.2", "copy"]
        try write("0", file)
        try FileManager.default.moveItem(atPath: scratch.file(names[0]), toPath: scratch.file(names[1]))
        file.reopen()
        try write("1", file)
        try FileManager.default.moveItem(atPath: scratch.file(names[0]), toPath: scratch.file(names[2]))
        try put("", "a.jsonl")
        file.reopen()
        try write("2", file)
        // copytruncate
        try FileManager.default.copyItem(atPath: scratch.file(names[0]), toPath: scratch.file(names[3]))
        #expect(truncate(scratch.file(names[0]), 0) == 0)
        try write("3", file)
        try file.close()
        #expect(try names.map { try text($0) } == ["3\n", "0\n", "1\n", "2\n"])
        #expect(file.lines == 4)
    }

    @Test(arguments: [true, false]) func `a file that others emptied begins with its head again`(flushes: Bool) throws {
        let file = try file("a.jsonl", flushes: flushes)
        for number in 0..<6 {
            try file.prepare(at: 0, taken: time)
            if file.isFresh { Array("head\n".utf8).withUnsafeBytes { file.begin(with: $0) } }
            try Array("\(number)\n".utf8).withUnsafeBytes { try file.write($0) }
            // Where lines wait for others, these are handed over with them, behind the head.
            if number == 2 { #expect(truncate(scratch.file("a.jsonl"), 0) == 0) }
        }
        try file.close()
        #expect(try scratch.lines("a.jsonl") == ["head"] + (flushes ? 3..<6 : 0..<6).map(String.init))
        #expect(file.lines == 6)
    }

    @Test func `a file that others cut within a line goes on with a whole one`() throws {
        let file = try file("a.jsonl")
        for number in 0..<3 { try write("{\"n\":\(number)}", file) }
        #expect(truncate(scratch.file("a.jsonl"), 12) == 0)
        try write("{}", file)
        try file.close()
        #expect(try text("a.jsonl") == "{\"n\":0}\n{}\n")
    }

    @Test func `bytes that others took off do not count for the size of a file`() throws {
        let file = try file("a.jsonl") { $0.segments.bytes = 1000 }
        for number in 0..<15 {
            if number == 8 { #expect(truncate(scratch.file("a.jsonl"), 0) == 0) }
            try write(String(repeating: "x", count: 99), file)
        }
        try file.close()
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path) == ["a.jsonl"])
    }

    @Test(arguments: [
        // A quoted field holds line ends; the file ends within one, behind one, or with a whole row.
        ("h\na,\"x\ny\"\nb,\"z\n", "h\na,\"x\ny\"\n"), ("h\na,\"x\ny\"\nb,\"z\nw", "h\na,\"x\ny\"\n"),
        ("h\na,\"x\ny\"\n", "h\na,\"x\ny\"\n"), ("h\na,\"x \"\"q\"\"\ny\"\nb", "h\na,\"x \"\"q\"\"\ny\"\n"), ("h", ""),
        ("h\na,\"" + String(repeating: "\n", count: 70_000), "h\n"),
        // Quotes that make no sense cost half a row, never what was written before.
        (
            "h\n\"\n" + String(repeating: "a,b\n", count: 300_000) + "c",
            "h\n\"\n" + String(repeating: "a,b\n", count: 300_000)
        ),
    ]) func `a half row is taken off a table`(left: String, healed: String) throws {
        try put(left, "a.csv")
        let file = try file("a.csv", .append) { $0.isTable = true }
        try write("1", file)
        try file.close()
        #expect(try text("a.csv") == healed + "1\n")
    }

    @Test func `a full disk leaves whole rows of a table`() throws {
        // The second row's field is cut behind its line end.
        let room = Room(15)
        let file = try file("a.csv", flushes: false) {
            $0.isTable = true
            $0.write = room.write
        }
        file.head = Array("h\n".utf8)
        for _ in 0..<3 { try write("a,\"x\ny\"", file) }
        #expect(throws: OutputError.self) { try file.close() }
        #expect(try text("a.csv") == "h\na,\"x\ny\"\n")
        #expect(file.lines == 1 && file.takeLosses() == 2)
    }

    /// Finds two faces in every frame.
    private final class Faces: Node {
        func process(_ item: Item, to output: Output) throws -> Disposition {
            let face = Face(box: Box(x: 0, y: 0, width: 1, height: 1), score: 1)
            output.emit(item.frame.adding([face, face], by: "f"))
            return .done
        }
    }

    @Test(arguments: [false, true]) func `frames whose rows a full disk did not take were not delivered`(
        hasRetention: Bool
    ) throws {
        let room = Room(40_000)
        let path = scratch.file("a.csv")
        var registry = NodeRegistry.builtIn
        try registry.register(
            Contract("finds", .processing, summary: "Finds faces", outputs: [OutputPort(adds: [.faces])]),
            factory: { _, _ in .node(Faces()) })
        try registry.register(
            Contract("full", .sink, summary: "Writes a table on a full disk"),
            factory: { _, _ in
                var settings = LineFile.Settings(name: try FileNamePattern(path, zone: .utc))
                settings.isTable = true
                settings.write = room.write
                if hasRetention { settings.retention.bytes = 1_000_000 }
                return .node(CSVNode(try LineFile(settings), .boxes))
            })
        let text = #"""
            {"nodes": {"t": {"type": "testpattern", "size": "16x16", "frames": 2000},
             "f": {"type": "finds", "input": "t"}, "c": {"type": "full", "input": "f"}}}
            """#
        let run = try PipelineRun(
            PipelineFile(name: "p.json", text: text).validated(against: registry.contracts), registry: registry,
            engine: noEngine())
        try run.start()
        let report = run.waitUntilFinished()
        let rows = try scratch.lines("a.csv").count - 1
        let source = try #require(report.source("t"))
        #expect(report.isBalanced && rows > 100)
        // A frame of which one row is there is not there as a whole.
        #expect(source.delivered == UInt64(rows / 2))
        #expect(report.failures.isEmpty == hasRetention)
        let notes = run.notes().flatMap(\.lines)
        #expect(notes.contains("\(path): \(rows) rows") && notes.contains { $0.contains("rows are not on disk") })
        #expect(run.notes().flatMap(\.lines) == notes)
    }

    @Test func `a moved file is noticed without a signal`() throws {
        let file = try file("a.jsonl")
        try write("0", file)
        try FileManager.default.moveItem(atPath: scratch.file("a.jsonl"), toPath: scratch.file("b.jsonl"))
        // It looks once a second; lines until then are in the file that was moved.
        var written = 1
        while !FileManager.default.fileExists(atPath: scratch.file("a.jsonl")) {
            try write("\(written)", file)
            written += 1
            usleep(20_000)
        }
        try file.close()
        let all = try scratch.lines("b.jsonl") + scratch.lines("a.jsonl")
        #expect(all == (0..<written).map(String.init))
    }

    @Test func `have one writer`() throws {
        let first = try file("a.jsonl", .append)
        try write("0", first)
        let error = #expect(throws: OutputError.self) { try file("./a.jsonl", .append) }
        #expect(
            error?.description.hasSuffix(
                "is being written by another node or another process; give each a file of its own") == true)
        let second = try file("a.jsonl", .number)
        #expect(second.path == scratch.file("a-2.jsonl"))
    }

    @Test func `a date in the name begins a new file, a restart goes on`() throws {
        for _ in 0..<2 {
            let file = try file("a-%Y%m%d.jsonl", .append)
            for day in 0..<3 { try write("\(day)", file, at: Double(day) * 86_400) }
            try file.close()
        }
        #expect(
            try (9...11).map { try text("a-202603\($0 < 10 ? "0" : "")\($0).jsonl") } == ["0\n0\n", "1\n1\n", "2\n2\n"])
    }

    @Test func `go on in a new file after so many seconds or bytes`() throws {
        let timed = try file("t.jsonl") { $0.segments.seconds = 10 }
        for second in 0..<25 { try write("\(second)", timed, at: Double(second)) }
        try timed.close()
        #expect(try ["t.jsonl", "t-2.jsonl", "t-3.jsonl"].map { try scratch.lines($0).count } == [10, 10, 5])
        let sized = try file("s.jsonl", flushes: false) { $0.segments.bytes = 1000 }
        for _ in 0..<50 { try write(String(repeating: "x", count: 99), sized) }
        try sized.close()
        #expect(
            try (1...5).map { try scratch.lines($0 == 1 ? "s.jsonl" : "s-\($0).jsonl").count } == [10, 10, 10, 10, 10])
    }

    @Test(arguments: [false, true]) func `a full disk leaves whole lines, and counts them`(hasRetention: Bool) throws {
        let room = Room(1050)
        let file = try file("a.jsonl", flushes: false) {
            $0.write = room.write
            if hasRetention { $0.retention.bytes = 1_000_000 }
        }
        func fill() throws {
            for _ in 0..<1000 { try write(String(repeating: "x", count: 99), file) }
            try file.close()
        }
        if hasRetention {
            try fill()
        } else {
            let error = #expect(throws: OutputError.self) { try fill() }
            #expect(error?.description == "\(scratch.file("a.jsonl")): the disk is full")
        }
        let text = try text("a.jsonl")
        #expect(text.hasSuffix("x\n") && text.count == 1000)
        #expect(file.lines == 10 && file.takeLosses() == (hasRetention ? 990 : 318))
    }

    /// A disk with so much room.
    private final class Room: @unchecked Sendable {
        // Used on one thread.
        private var left: Int

        init(_ bytes: Int) { left = bytes }

        var write: (Int32, UnsafeRawPointer, Int) -> Int {
            { descriptor, bytes, count in
                guard self.left > 0 else {
                    errno = ENOSPC
                    return -1
                }
                let done = Glibc.write(descriptor, bytes, min(count, self.left))
                self.left -= max(0, done)
                return done
            }
        }
    }

    @Test(arguments: [
        ("{}", true), ("{\"a\":[{\"b\":\"}]\\\"\"}]}", true), ("{\"a\":", false), ("{}{", false), ("[]", false),
        ("1", false),
        ("", false), ("{\"a\":\"", false),
    ]) func `a whole line is told from a half`(line: String, isWhole: Bool) {
        #expect(JSONText.isWhole(Array(line.utf8)) == isWhole)
    }
}
