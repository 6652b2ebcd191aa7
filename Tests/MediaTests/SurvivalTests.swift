// SPDX-License-Identifier: Apache-2.0
import Foundation
import Overlay
import Synchronization
import TestSupport
import Testing

@testable import Media

@Suite struct `An output survives` {
    static let containers: [Container] = [.mp4, .mov, .mkv]

    @Test(.enabled(if: Place.writer != nil, "the helper MediaTestWriter is not built"), arguments: containers, 0..<8)
    func `what is on disk plays after kill -9 at any moment`(container: Container, round: Int) throws {
        let scratch = try Scratch()
        let path = scratch.file("killed." + container.rawValue)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(Place.writer))
        process.arguments = [path, "1000000"]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        // By size and not by time, so that a slow machine kills at the same places.
        let wanted = 2_000 + round * round * 9_000
        var size = 0
        while size < wanted && process.isRunning {
            size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
            usleep(500)
        }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        #expect(process.terminationReason == .uncaughtSignal)
        let reading = try Reading(path)
        #expect(reading.count > 0)
        // Every fragment that is there plays: the frames are one sequence without a hole.
        for (left, right) in zip(reading.seconds, reading.seconds.dropFirst()) {
            #expect(abs(right - left - 1 / 30) < 0.002)
        }
    }

    /// Fails every write from a certain byte of the file on.
    final class FullDisk: Sendable {
        let limit: Int64
        let number: Int32
        let writes = Atomic<Int>(0)

        init(limit: Int64, number: Int32 = ENOSPC) {
            self.limit = limit
            self.number = number
        }

        var calls: OutputCalls {
            var calls = OutputCalls()
            calls.write = { descriptor, bytes, count, offset in
                let turn = self.writes.wrappingAdd(1, ordering: .relaxed).newValue
                // Now and then a signal, now and then half of what was asked for: both are normal.
                if turn % 5 == 0 {
                    errno = EINTR
                    return -1
                }
                if offset >= self.limit {
                    errno = self.number
                    return -1
                }
                let half = turn % 3 == 0 ? max(1, count / 2) : count
                return pwrite(descriptor, bytes, min(half, Int(self.limit - offset)), off_t(offset))
            }
            return calls
        }
    }

    @Test(arguments: containers, [6_000, 20_000, 33_333, 50_001] as [Int64])
    func `a full disk is one clear error and the file plays to its last fragment`(container: Container, limit: Int64)
        throws
    {
        let scratch = try Scratch()
        let path = scratch.file("full." + container.rawValue)
        let pattern = try TestPattern(width: 320, height: 180, frameRate: Rational(30, 1))
        var settings = WriterSettings()
        settings.preset = "ultrafast"
        settings.frameRate = pattern.frameRate
        let writer = try VideoWriter(path, settings: settings, audio: nil, calls: FullDisk(limit: limit).calls)
        var caught: [MediaError] = []
        for number in 0..<2_000 {
            let frame = try pattern.frame(number)
            do throws(MediaError) {
                try writer.write(frame.picture, pts: frame.pts, duration: frame.duration)
            } catch {
                caught.append(error)
                if caught.count == 3 { break }
            }
        }
        #expect(caught.count == 3 && Set(caught).count == 1)
        let error = try #require(caught.first)
        #expect(error.code == .diskFull && error.underlying == -ENOSPC)
        #expect(error.description == "\(path): the disk is full; what was written before stays playable")
        #expect(throws: error) { try writer.finish() }
        let reading = try Reading(path)
        #expect(reading.count > 0)
        #expect(reading.statistics.corrupt == 0 && reading.statistics.endedEarly == nil)
        for (left, right) in zip(reading.seconds, reading.seconds.dropFirst()) {
            #expect(abs(right - left - 1 / 30) < 0.002)
        }
    }

    @Test func `interrupted and partial writes change nothing`() throws {
        let scratch = try Scratch()
        let pattern = try TestPattern(width: 320, height: 180)
        func write(_ path: String, _ calls: OutputCalls) throws {
            var settings = WriterSettings()
            // Not H.264: what libx264 makes depends a little on what the heap held before.
            settings.codec = .mjpeg
            let writer = try VideoWriter(path, settings: settings, audio: nil, calls: calls)
            for number in 0..<40 {
                let frame = try pattern.frame(number)
                try writer.write(frame.picture, pts: frame.pts, duration: frame.duration)
            }
            #expect(try writer.finish().warnings == [])
        }
        try write(scratch.file("plain.mp4"), OutputCalls())
        try write(scratch.file("bumpy.mp4"), FullDisk(limit: .max).calls)
        #expect(
            FileManager.default.contentsEqual(atPath: scratch.file("plain.mp4"), andPath: scratch.file("bumpy.mp4")))
    }

    @Test(arguments: ["rename", "fsync"]) func `a file that cannot be finalised stays as it is`(what: String) throws {
        let scratch = try Scratch()
        let path = scratch.file("fragments.mp4")
        var calls = OutputCalls()
        if what == "rename" {
            calls.rename = { _, _ in
                errno = ENOSPC
                return -1
            }
        } else {
            calls.sync = { _ in
                errno = ENOSPC
                return -1
            }
        }
        let writer = try VideoWriter(path, settings: WriterSettings(), audio: nil, calls: calls)
        let pattern = try TestPattern(width: 64, height: 64)
        for number in 0..<60 {
            let frame = try pattern.frame(number)
            try writer.write(frame.picture, pts: frame.pts, duration: frame.duration)
        }
        let warnings = try writer.finish().warnings
        #expect(warnings == ["\(path) stays in fragments, playable: moving its index failed: the disk is full"])
        #expect(try Reading(path).count == 60)
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path) == ["fragments.mp4"])
    }

    @Test func `a finished mp4 has its index at the front and no fragments`() throws {
        let scratch = try Scratch()
        let path = scratch.file("fast.mp4")
        try writePattern(path, frames: 200)
        #expect(try Self.boxes(path) == ["ftyp", "moov", "free", "mdat"])
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path) == ["fast.mp4"])
        var settings = WriterSettings()
        settings.finalises = false
        let fragmented = scratch.file("fragments.mp4")
        let statistics = try writePattern(fragmented, frames: 200, settings: settings)
        let kinds = try Self.boxes(fragmented)
        #expect(kinds.filter { $0 == "moof" }.count == statistics.fragments && statistics.fragments >= 6)
        #expect(try Reading(fragmented).count == 200)
    }

    /// The top level boxes of an mp4 file.
    static func boxes(_ path: String) throws -> [String] {
        let data = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        var place = 0
        var kinds: [String] = []
        while place + 8 <= data.count {
            let size = data[place..<place + 4].reduce(0) { $0 << 8 | Int($1) }
            kinds.append(String(decoding: data[place + 4..<place + 8], as: UTF8.self))
            guard size >= 8 else { break }
            place += size
        }
        return kinds
    }

    @Test func `nothing is overwritten unasked`() throws {
        let scratch = try Scratch()
        let path = scratch.file("mine.mp4")
        try Data("precious".utf8).write(to: URL(fileURLWithPath: path))
        let error = #expect(throws: MediaError.self) { _ = try VideoWriter(path) }
        #expect(error?.code == .alreadyExists)
        #expect(error?.description == "\(path): exists already")
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
        var settings = WriterSettings()
        settings.ifExists = .replace
        try writePattern(path, frames: 3, settings: settings)
        #expect(try Reading(path).count == 3)
    }

    @Test func `no picture leaves no file`() throws {
        let scratch = try Scratch()
        let writer = try VideoWriter(scratch.file("none.mp4"))
        #expect(throws: MediaError.self) { try writer.finish() }
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path) == [])
    }

    nonisolated(unsafe) static let refused: [(String, (inout WriterSettings) -> Void, MediaError.Code, String)] = [
        ("a.webm", { $0.codec = .h264 }, .unsupportedFormat, "webm cannot hold h264; use vp9"),
        ("a.mov", { $0.codec = .vp9 }, .unsupportedFormat, "mov cannot hold vp9; use h264, hevc, mjpeg"),
        (
            "a.avi", { _ in }, .unsupportedFormat,
            "the ending of \"a.avi\" names no container; use .mp4, .mov, .mkv or .webm"
        ),
        (
            "mp4", { _ in }, .unsupportedFormat,
            "the ending of \"mp4\" names no container; use .mp4, .mov, .mkv or .webm"
        ),
        ("a.mp4", { $0.quality = 52 }, .invalidSetting, "quality of h264 must be 0...51 (got 52)"),
        ("a.mp4", { $0.bitRate = 1 }, .invalidSetting, "bit rate must be 1000...2000000000 bits per second (got 1)"),
        ("a.mp4", { $0.keyframeInterval = 0 }, .invalidSetting, "keyframe interval must be 1...100000 frames (got 0)"),
    ]

    @Test(arguments: refused.indices) func `what cannot be written is refused before anything is`(index: Int) throws {
        let (name, change, code, detail) = Self.refused[index]
        let scratch = try Scratch()
        var settings = WriterSettings()
        change(&settings)
        let error = #expect(throws: MediaError.self) { _ = try VideoWriter(scratch.file(name), settings: settings) }
        #expect(error?.code == code)
        #expect(error?.description == "\(scratch.file(name)): \(detail)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path) == [])
    }
}
