// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Glibc
import Media
import TestSupport
import Testing

@testable import Pipeline

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
