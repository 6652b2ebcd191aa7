// SPDX-License-Identifier: Apache-2.0
import Foundation
import Overlay
import TestSupport
import Testing

@testable import Media

/// What is under the name plays at any moment: the old video, or the new one.
@Suite struct `A file that is replaced` {
    private static let oldFrames = 7

    /// A folder with a short video in it, and settings that may replace it.
    private struct Setting {
        let scratch: Scratch
        let path: String
        var settings = WriterSettings()
        let pattern: TestPattern

        init(_ container: Container = .mp4) throws {
            scratch = try Scratch()
            path = scratch.file("clip." + container.rawValue)
            pattern = try TestPattern(width: 160, height: 96, frameRate: Rational(30, 1))
            try writePattern(path, frames: oldFrames)
            settings.ifExists = .replace
            settings.preset = "ultrafast"
            settings.frameRate = pattern.frameRate
        }

        func write(_ count: Int, with writer: VideoWriter) throws {
            for number in 0..<count {
                let frame = try pattern.frame(number)
                try writer.write(frame.picture, pts: frame.pts, duration: frame.duration)
            }
        }

        var names: [String] { get throws { try FileManager.default.contentsOfDirectory(atPath: scratch.path) } }

        func expectOldVideo() throws {
            #expect(try Reading(path).count == oldFrames)
            #expect(try names.count == 1)
        }
    }

    @Test(arguments: `An output survives`.containers) func `gives its name to the new one when that plays`(
        container: Container
    ) throws {
        let setting = try Setting(container)
        let writer = try VideoWriter(setting.path, settings: setting.settings)
        var counts = [try Reading(setting.path).count]
        for number in 0..<90 {
            let frame = try setting.pattern.frame(number)
            try writer.write(frame.picture, pts: frame.pts, duration: frame.duration)
            counts.append(try Reading(setting.path).count)
        }
        _ = try writer.finish()
        let begin = try #require(counts.firstIndex { $0 != Self.oldFrames })
        // The first fragment is cut at once, so that the old video does not hide the new one for long.
        #expect(begin < 60 && counts[begin...].allSatisfy { $0 > 0 })
        #expect(try Reading(setting.path).count == 90)
        #expect(try setting.names.count == 1)
    }

    @Test func `stays when the start fails, when nothing comes, and when no fragment gets whole`() throws {
        let setting = try Setting()
        // The pipeline was not started: the writer just goes.
        do { _ = try VideoWriter(setting.path, settings: setting.settings) }
        try setting.expectOldVideo()
        let empty = try VideoWriter(setting.path, settings: setting.settings)
        #expect(throws: MediaError.self) { try empty.finish() }
        try setting.expectOldVideo()
        do {
            let early = try VideoWriter(setting.path, settings: setting.settings)
            try setting.write(1, with: early)
            #expect(try setting.names.count == 2)
        }
        try setting.expectOldVideo()
        let disk = `An output survives`.FullDisk(limit: 500)
        let full = try VideoWriter(setting.path, settings: setting.settings, audio: nil, calls: disk.calls)
        let error = #expect(throws: MediaError.self) { try setting.write(90, with: full) }
        #expect(error?.description.hasSuffix("clip.mp4: the disk is full") == true)
        try setting.expectOldVideo()
    }

    @Test(arguments: ["rename", "fsync"]) func `stays when the new one cannot take its place`(what: String) throws {
        let setting = try Setting()
        var calls = OutputCalls()
        if what == "rename" {
            calls.rename = { _, _ in
                errno = EIO
                return -1
            }
        } else {
            calls.sync = { _ in
                errno = EIO
                return -1
            }
        }
        let writer = try VideoWriter(setting.path, settings: setting.settings, audio: nil, calls: calls)
        let error = try #require(throws: MediaError.self) { try setting.write(90, with: writer) }
        #expect(error.operation == what)
        #expect(throws: error) { try writer.finish() }
        try setting.expectOldVideo()
    }

    @Test(
        .enabled(if: Place.writer != nil, "the helper MediaTestWriter is not built"),
        arguments: `An output survives`.containers, [false, true])
    func `plays after kill -9, just before and just after it was replaced`(container: Container, isReplaced: Bool)
        throws
    {
        let setting = try Setting(container)
        func file() throws -> Int? {
            try FileManager.default.attributesOfItem(atPath: setting.path)[.systemFileNumber] as? Int
        }
        let old = try file()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(Place.writer))
        process.arguments = [setting.path, "1000000"]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        while process.isRunning, try file() == old, try isReplaced || setting.names.count == 1 { usleep(200) }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        #expect(process.terminationReason == .uncaughtSignal)
        #expect(try Reading(setting.path).count > 0)
    }
}
