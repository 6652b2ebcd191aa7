// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Overlay
import TestSupport
import Testing

@testable import Media

/// One writer, and never somebody else's file.
@Suite struct `A file being written` {
    private let scratch: Scratch
    private let pattern: TestPattern

    init() throws {
        scratch = try Scratch()
        pattern = try TestPattern(width: 160, height: 96, frameRate: Rational(30, 1))
    }

    private func writer(_ name: String, _ rule: IfExists = .fail) throws -> VideoWriter {
        var settings = WriterSettings()
        settings.preset = "ultrafast"
        settings.frameRate = pattern.frameRate
        settings.hasLowLatency = true
        settings.ifExists = rule
        return try VideoWriter(scratch.file(name), settings: settings)
    }

    private func write(_ range: Range<Int>, _ writer: VideoWriter) throws {
        for number in range {
            let frame = try pattern.frame(number)
            try writer.write(frame.picture, pts: frame.pts, duration: frame.duration)
        }
    }

    private func mode(_ name: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: scratch.file(name))[.posixPermissions] as? Int
    }

    @Test(arguments: [IfExists.fail, .replace]) func `has one writer, whatever it is called`(rule: IfExists) throws {
        let first = try writer("two.mp4")
        try write(0..<45, first)
        try FileManager.default.createSymbolicLink(atPath: scratch.file("link.mp4"), withDestinationPath: "two.mp4")
        try FileManager.default.linkItem(atPath: scratch.file("two.mp4"), toPath: scratch.file("hard.mp4"))
        for name in ["two.mp4", "./two.mp4", "link.mp4", "hard.mp4"] {
            let error = #expect(throws: MediaError.self) { try writer(name, rule) }
            #expect(error?.code == .alreadyExists && error?.description.contains("is being written by") == true)
        }
        try write(45..<60, first)
        #expect(try first.finish().packets == 60)
        #expect(try Reading(scratch.file("two.mp4")).count == 60)
    }

    @Test func `has one writer while it is replaced`() throws {
        try writePattern(scratch.file("a.mp4"), frames: 5)
        let first = try writer("a.mp4", .replace)
        #expect(throws: MediaError.self) { try writer("./a.mp4", .replace) }
        try write(0..<60, first)
        #expect(throws: MediaError.self) { try writer("a.mp4", .replace) }
        _ = try first.finish()
        #expect(try Reading(scratch.file("a.mp4")).count == 60)
    }

    @Test(arguments: [IfExists.number, .append]) func `takes the next free number`(rule: IfExists) throws {
        for frames in 1...3 {
            let writer = try writer("door.mp4", rule)
            try write(0..<frames, writer)
            _ = try writer.finish()
        }
        #expect(try ["door.mp4", "door-2.mp4", "door-3.mp4"].map { try Reading(scratch.file($0)).count } == [1, 2, 3])
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path).count == 3)
    }

    @Test func `takes an empty file for none`() throws {
        try Data().write(to: URL(fileURLWithPath: scratch.file("a.mp4")))
        let writer = try writer("a.mp4")
        try write(0..<3, writer)
        _ = try writer.finish()
        #expect(try Reading(scratch.file("a.mp4")).count == 3)
    }

    @Test func `keeps the rights of what it replaces`() throws {
        try writePattern(scratch.file("a.mp4"), frames: 5)
        try Data([1]).write(to: URL(fileURLWithPath: scratch.file("a.png")))
        for name in ["a.mp4", "a.png"] {
            try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: scratch.file(name))
        }
        let writer = try writer("a.mp4", .replace)
        try write(0..<45, writer)
        #expect(try mode("a.mp4") == 0o640)
        _ = try writer.finish()
        #expect(try mode("a.mp4") == 0o640)
        try ImageWriter().write(pattern.frame(0).picture, to: scratch.file("a.png"), overwrites: true)
        #expect(try mode("a.png") == 0o640)
    }

    @Test func `leaves a file alone that took its name`() throws {
        let writer = try writer("a.mp4")
        try write(0..<45, writer)
        try FileManager.default.moveItem(atPath: scratch.file("a.mp4"), toPath: scratch.file("rotated.mp4"))
        try Data("precious".utf8).write(to: URL(fileURLWithPath: scratch.file("a.mp4")))
        try write(45..<60, writer)
        let seen = try writer.finish()
        #expect(try String(contentsOfFile: scratch.file("a.mp4"), encoding: .utf8) == "precious")
        #expect(try Reading(scratch.file("rotated.mp4")).count == 60)
        #expect(seen.warnings.count == 1 && seen.warnings[0].contains("a.mp4 was moved while it was written, to /"))
        #expect(seen.warnings.first?.hasSuffix("/rotated.mp4") == true)
    }

    @Test func `does not replace a file that is not the one it was to replace`() throws {
        try writePattern(scratch.file("a.mp4"), frames: 5)
        let writer = try writer("a.mp4", .replace)
        try FileManager.default.removeItem(atPath: scratch.file("a.mp4"))
        try Data("precious".utf8).write(to: URL(fileURLWithPath: scratch.file("a.mp4")))
        try write(0..<60, writer)
        _ = try writer.finish()
        #expect(try String(contentsOfFile: scratch.file("a.mp4"), encoding: .utf8) == "precious")
        #expect(try Reading(scratch.file("a-2.mp4")).count == 60)
    }

    @Test(arguments: ["mp4", "mkv"]) func `says that it was deleted`(ending: String) throws {
        let writer = try writer("gone." + ending)
        try write(0..<10, writer)
        try FileManager.default.removeItem(atPath: scratch.file("gone." + ending))
        let error = #expect(throws: MediaError.self) {
            try write(10..<120, writer)
            _ = try writer.finish()
        }
        #expect(error?.description == "\(scratch.file("gone." + ending)): was deleted while it was written")
    }

    @Test func `sweeps what dead processes left`() throws {
        // A process that has ended.
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/true")
        try process.run()
        process.waitUntilExit()
        let dead = process.processIdentifier
        let kept = [".a.mp4.\(getpid())-0.tmp", ".notes.tmp", "a.tmp", ".a.mp4.1-0.tmp"]
        for name in kept + [".a.mp4.\(dead)-0.tmp", ".rec-20260101.mkv.\(dead)-3.tmp"] {
            try Data([1]).write(to: URL(fileURLWithPath: scratch.file(name)))
        }
        _ = try writer("a.mp4")
        #expect(try Set(FileManager.default.contentsOfDirectory(atPath: scratch.path)) == Set(kept))
    }

    @Test func `counts what is on disk where the disk is full`() throws {
        let disk = `An output survives`.FullDisk(limit: 60_000)
        var settings = WriterSettings()
        settings.preset = "ultrafast"
        settings.frameRate = pattern.frameRate
        let writer = try VideoWriter(scratch.file("full.mkv"), settings: settings, audio: nil, calls: disk.calls)
        let error = #expect(throws: MediaError.self) { try write(0..<2000, writer) }
        #expect(error?.code == .diskFull)
        #expect(try Reading(scratch.file("full.mkv")).count == writer.statistics.packets)
        #expect(writer.statistics.packets > 0 && writer.statistics.packets < writer.statistics.frames)
    }

    @Test(.enabled(if: Tool.hasFFmpeg, "ffmpeg is not installed"), arguments: ["mp4", "mov", "mkv"])
    func `says when it was made`(ending: String) throws {
        let writer = try writer("a." + ending)
        writer.createdAt = WallTime(nanoseconds: 1_773_043_507_120_000_000)
        try write(0..<3, writer)
        _ = try writer.finish()
        let result = try Tool.run(
            Tool.ffprobe,
            [
                "-v", "quiet", "-show_entries", "format_tags=creation_time", "-of", "csv=p=0",
                scratch.file("a." + ending),
            ])
        #expect(result.output.hasPrefix("2026-03-09T08:05:07"))
    }
}
