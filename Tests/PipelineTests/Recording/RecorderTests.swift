// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Overlay
import TestSupport
import Testing

@testable import Media
@testable import Pipeline

@Suite struct `Recordings` {
    private let scratch: Scratch
    private let pattern: TestPattern
    /// 2026-03-09 08:05:07.120 UTC.
    private let begin = WallTime(nanoseconds: 1_773_043_507_120_000_000)

    init() throws {
        scratch = try Scratch()
        pattern = try TestPattern(width: 160, height: 96, frameRate: Rational(25, 1))
    }

    private func settings(_ name: String, _ change: (inout Recorder.Settings) -> Void = { _ in }) throws
        -> Recorder.Settings
    {
        var settings = Recorder.Settings(name: try FileNamePattern(scratch.file(name), zone: .utc))
        settings.writer.preset = "ultrafast"
        settings.writer.frameRate = pattern.frameRate
        settings.segments.zone = .utc
        change(&settings)
        return settings
    }

    /// Records pictures of the test pattern; `first` is the number of the first.
    private func record(_ recorder: Recorder, _ range: Range<Int>) throws {
        for number in range {
            let frame = try pattern.frame(number)
            let taken = WallTime(nanoseconds: begin.nanoseconds + Int64(number) * 40_000_000)
            _ = try recorder.write(frame.picture, pts: frame.pts, duration: frame.duration, taken: taken)
        }
    }

    private func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: scratch.path).filter { !$0.hasPrefix("index") }.sorted()
    }

    private func index() throws -> [[String: Any]] {
        try scratch.lines("index.jsonl").compactMap {
            try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
        }
    }

    /// Times of the frames in the files, each file's from where the index says that it begins.
    private func times() throws -> [Double] {
        try index().flatMap { entry in
            let reader = try VideoReader(scratch.file(try #require(entry["file"] as? String)))
            let from = try #require(entry["from"] as? Double)
            var times: [Double] = []
            while let frame = try reader.read() { times.append(frame.pts.seconds + from) }
            return times
        }
    }

    @Test(arguments: ["mp4", "mkv"]) func `segments joined again are the recording`(ending: String) throws {
        let recorder = try Recorder(
            settings("rec-%H%M%S." + ending) {
                $0.segments.seconds = 2
                $0.index = scratch.file("index.jsonl")
            }, audio: nil)
        try record(recorder, 0..<125)
        try recorder.finish()
        #expect(try names() == ["rec-080507", "rec-080509", "rec-080511"].map { $0 + "." + ending })
        #expect(try index().compactMap { $0["frames"] as? Int } == [50, 50, 25])
        #expect(try index().allSatisfy { $0["complete"] as? Bool == true })
        #expect(try index().compactMap { $0["seconds"] as? Double } == [2, 2, 1])
        let times = try times()
        #expect(times.count == 125)
        for (number, time) in times.enumerated() { #expect(abs(time - Double(number) * 0.04) < 0.0011) }
        let seen = recorder.statistics
        #expect(seen.files == 3 && seen.frames == 125 && seen.lost == 0)
    }

    @Test func `files begin on the clock`() throws {
        let recorder = try Recorder(
            settings("rec-%H%M%S.mp4") { ($0.segments.seconds, $0.segments.isOnTheClock) = (5, true) }, audio: nil)
        try record(recorder, 0..<250)
        try recorder.finish()
        // 08:05:07.12, then the first frame at or after 08:05:10 and :15.
        #expect(try names() == ["rec-080507.mp4", "rec-080510.mp4", "rec-080515.mp4"])
        let counts = try names().map { name in
            let reader = try VideoReader(scratch.file(name))
            var count = 0
            while try reader.read() != nil { count += 1 }
            return count
        }
        #expect(counts == [72, 125, 53])
    }

    @Test func `a restart goes on beside what is there, and the index with it`() throws {
        let rules: [IfExists?] = [nil, .append, .number]
        for (turn, rule) in rules.enumerated() {
            let recorder = try Recorder(
                settings("rec.mp4") {
                    $0.segments.seconds = 1
                    $0.writer.ifExists = rule ?? .fail
                    $0.index = scratch.file("index.jsonl")
                }, audio: nil)
            try record(recorder, turn * 1000..<turn * 1000 + 50)
            try recorder.finish()
        }
        #expect(try names() == ["rec-2.mp4", "rec-3.mp4", "rec-4.mp4", "rec-5.mp4", "rec-6.mp4", "rec.mp4"])
        #expect(
            try index().map { $0["file"] as? String }
                == ["rec.mp4", "rec-2.mp4", "rec-3.mp4", "rec-4.mp4", "rec-5.mp4", "rec-6.mp4"])
        let again = #expect(throws: MediaError.self) { try Recorder(settings("rec.mp4"), audio: nil) }
        #expect(again?.code == .alreadyExists)
    }

    @Test func `the index is put right after a kill`() throws {
        do {
            let recorder = try Recorder(
                settings("rec-%H%M%S.mp4") {
                    $0.segments.seconds = 1
                    $0.index = scratch.file("index.jsonl")
                }, audio: nil)
            try record(recorder, 0..<60)
            // The process ends here: the last file is not finished.
        }
        #expect(try index().count == 3 && index().last?["complete"] as? Bool == false)
        try FileManager.default.removeItem(atPath: scratch.file("rec-080507.mp4"))
        let recorder = try Recorder(
            settings("rec-%H%M%S.mp4") { $0.index = scratch.file("index.jsonl") }, audio: nil)
        withExtendedLifetime(recorder) {}
        #expect(try index().map { $0["file"] as? String } == (names() as [String?]))
        #expect(try index().allSatisfy { ($0["bytes"] as? Int ?? 0) > 0 })
    }

    @Test func `a disk that fills loses frames, says how many, and goes on when there is room`() throws {
        let disk = Disk(room: 20_000)
        let recorder = try Recorder(
            settings("rec-%H%M%S.mkv") {
                $0.segments.seconds = 1
                $0.retention.bytes = 10_000_000
                $0.index = scratch.file("index.jsonl")
                $0.calls = disk.calls
            }, audio: nil)
        var lost = 0
        for number in 0..<400 {
            let frame = try pattern.frame(number)
            let taken = WallTime(nanoseconds: begin.nanoseconds + Int64(number) * 40_000_000)
            if number == 300 { disk.empty() }
            if case .lost = try recorder.write(frame.picture, pts: frame.pts, duration: frame.duration, taken: taken) {
                lost += 1
            }
            // It tries again once a second of the world's time.
            if number == 300 { usleep(1_100_000) }
        }
        try recorder.finish()
        let seen = recorder.statistics
        #expect(lost > 0 && seen.frames + seen.lost + lost == 400)
        #expect(recorder.takeLosses() == seen.lost)
        var stored = 0
        for name in try names() {
            let reader = try VideoReader(scratch.file(name))
            while try reader.read() != nil { stored += 1 }
        }
        #expect(stored == seen.frames && stored > 10)
        #expect(try index().reduce(0) { $0 + ($1["frames"] as? Int ?? 0) } == stored)
        #expect(try index().map { $0["file"] as? String } == (names() as [String?]))
    }

    /// A disk with so much room, until it is emptied.
    private final class Disk: @unchecked Sendable {
        // `used` is only read and changed under the lock.
        private let lock = NSLock()
        private var used = 0
        private var room: Int

        init(room: Int) { self.room = room }

        func empty() { lock.withLock { room = .max } }

        var calls: OutputCalls {
            var calls = OutputCalls()
            calls.write = { descriptor, bytes, count, offset in
                let fits = self.lock.withLock {
                    defer { self.used += count }
                    return self.used + count <= self.room
                }
                guard fits else {
                    errno = ENOSPC
                    return -1
                }
                return pwrite(descriptor, bytes, count, off_t(offset))
            }
            return calls
        }
    }

    @Test func `retention deletes the oldest files and their lines in the index`() throws {
        let one = try Recorder(settings("one.mp4"), audio: nil)
        try record(one, 0..<25)
        try one.finish()
        let bytes = try #require(Retention.size(of: scratch.file("one.mp4")))
        try FileManager.default.removeItem(atPath: scratch.file("one.mp4"))
        let recorder = try Recorder(
            settings("rec-%H%M%S.mp4") {
                $0.segments.seconds = 1
                $0.retention.bytes = 5 * bytes
                $0.index = scratch.file("index.jsonl")
            }, audio: nil)
        try record(recorder, 0..<500)
        try recorder.finish()
        let left = try names()
        #expect(left.count < 20 && left.count > 1 && left.last == "rec-080526.mp4")
        #expect(try index().map { $0["file"] as? String } == (left as [String?]))
        #expect(recorder.deleted.deleted == 20 - left.count)
        #expect(recorder.statistics.frames == 500)
    }

    @Test func `files by bytes`() throws {
        let recorder = try Recorder(settings("rec.mp4") { $0.segments.bytes = 20_000 }, audio: nil)
        try record(recorder, 0..<300)
        try recorder.finish()
        #expect(recorder.statistics.files > 2 && recorder.statistics.frames == 300)
        for name in try names().dropLast() { #expect((Retention.size(of: scratch.file(name)) ?? 0) < 60_000) }
    }

    @Test func `a name is not needed twice within a run`() throws {
        let recorder = try Recorder(
            settings("rec.mp4") { ($0.segments.seconds, $0.writer.ifExists) = (1, .replace) }, audio: nil)
        try record(recorder, 0..<60)
        try recorder.finish()
        #expect(try names() == ["rec-2.mp4", "rec-3.mp4", "rec.mp4"])
    }
}
