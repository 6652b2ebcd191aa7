// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

@testable import Media

@Suite(.enabled(if: Tool.hasFFmpeg, "ffmpeg is not installed: it makes the clips"))
struct `A ring of packets` {
    /// Ten seconds at 25 fps with a keyframe every `group` frames.
    private func source(
        _ scratch: Scratch, _ name: String = "a.mp4", group: Int, seconds: Double = 10, _ more: [String] = ["-bf", "2"]
    ) throws -> String {
        try `Sound is copied in sync`.clip(
            scratch, name, seconds: seconds,
            ["-c:v", "libx264", "-g", "\(group)", "-sc_threshold", "0", "-c:a", "aac"] + more)
    }

    /// Reads a source to the end into a ring, which is told each time what is not needed any more.
    private func fill(
        _ path: String, bytes: Int = 1 << 30, keeping seconds: Double = 1000, options: VideoReader.Options = .init(),
        limit: Int = .max, _ look: (PacketRing, Double) -> Void = { _, _ in }
    ) throws -> PacketRing {
        let reader = try VideoReader(path, options: options)
        let ring = try reader.makePacketRing(capacityBytes: bytes)
        var count = 0
        while count < limit, let frame = try reader.read() {
            count += 1
            ring.forget(before: frame.pts.seconds - seconds)
            look(ring, frame.pts.seconds)
        }
        return ring
    }

    /// Stores a part; the cursor at its end.
    @discardableResult
    private func store(
        _ ring: PacketRing, from: Double, to: Double, at path: String, behind old: PacketRing.Cursor? = nil
    ) throws -> PacketRing.Cursor {
        var cursor = try #require(ring.cursor(notAfter: from, behind: old))
        let tap = try #require(ring.makeTap(for: cursor))
        let writer = try VideoWriter(
            path, settings: WriterSettings(), audio: nil, copying: tap, calls: OutputCalls(), start: cursor.begin)
        #expect(ring.copy(to: tap, &cursor, until: to) != .cut)
        try writer.copyWaiting()
        #expect(try writer.finish().packets == cursor.packets)
        return cursor
    }

    /// Each frame of `path` is the frame of `source` that many seconds later, sample by sample; the times of the source.
    private func times(_ path: String, in source: Reading, from begin: Double) throws -> [Double] {
        let seen = try Reading(path, keep: true)
        for (number, frame) in seen.frames.enumerated() {
            let time = begin + seen.seconds[number]
            let place = try #require(source.seconds.firstIndex { abs($0 - time) < 0.002 }, "frame \(number) at \(time)")
            for plane in 0..<3 {
                #expect(
                    frame.picture.meanSquaredError(to: source.frames[place].picture, plane: plane) == 0,
                    "frame \(number) at \(time)")
            }
        }
        return seen.seconds.map { $0 + begin }
    }

    // Keyframes every 0.4, 1.2, 4 s and never; parts that begin before, on and between them.
    @Test(
        arguments: [10, 30, 100, 1000],
        [(3.0, 5.0), (0.02, 0.5), (-4.0, 2.0), (4.0, 4.8), (7.9, 30.0)])
    func `a part begins with the keyframe before it and ends where it should`(group: Int, part: (Double, Double)) throws
    {
        let scratch = try Scratch()
        let path = try source(scratch, group: group)
        let all = try Reading(path, keep: true)
        let ring = try fill(path)
        let out = scratch.file("out.mp4")
        let cursor = try store(ring, from: part.0, to: part.1, at: out)
        let begin = cursor.begin.seconds
        let period = Double(group) * 0.04
        #expect(abs(begin - max(0, (part.0 / period + 1e-6).rounded(.down) * period)) < 0.001)
        #expect(!cursor.isLate && cursor.gaps == 0)
        let shown = try times(out, in: all, from: begin)
        // No picture is missing, and none but those that others need is shown after the end.
        for (left, right) in zip(shown, shown.dropFirst()) { #expect(abs(right - left - 0.04) < 0.002) }
        let end = try #require(shown.last)
        #expect(end >= min(part.1 - 0.04, 9.96) - 0.001 && end <= part.1 + 0.12 + 0.001, "\(end)")
    }

    @Test func `open groups of pictures are decoded without what was before`() throws {
        let scratch = try Scratch()
        let path = try source(scratch, group: 30, ["-bf", "3", "-x264-params", "open-gop=1"])
        let ring = try fill(path)
        let cursor = try store(ring, from: 5, to: 7, at: scratch.file("out.mkv"))
        let shown = try times(scratch.file("out.mkv"), in: Reading(path, keep: true), from: cursor.begin.seconds)
        #expect(shown.first.map { abs($0 - cursor.begin.seconds) < 0.002 } == true && shown.count > 50)
    }

    @Test func `what is no longer needed goes by whole groups`() throws {
        let scratch = try Scratch()
        let path = try source(scratch, group: 25)
        var most = 0
        let ring = try fill(path, keeping: 2.5) { ring, now in
            most = max(most, ring.statistics.bytes)
            // The group in which the bound lies is kept whole.
            guard let first = ring.cursor(notAfter: -1)?.begin.seconds else { return }
            #expect(first <= max(0, now - 2.5) && first > now - 3.51)
        }
        let seen = ring.statistics
        #expect(most <= seen.peakBytes && seen.peakBytes < 500_000 && seen.evicted == 0 && seen.leftOut == 0)
        #expect(abs(seen.longestGroup - 1) < 0.001)
        // Before the ring begins nothing can be had, and that is said.
        let late = try #require(ring.cursor(notAfter: 3))
        #expect(late.isLate && late.begin.seconds > 6)
        ring.close()
        #expect(ring.statistics.bytes == 0 && ring.cursor(notAfter: 3) == nil)
    }

    @Test func `a bound in bytes holds, and is told`() throws {
        let scratch = try Scratch()
        let path = try source(scratch, group: 25)
        let whole = try fill(path).statistics.bytes
        let ring = try fill(path, bytes: whole / 3) { ring, _ in #expect(ring.statistics.bytes <= whole / 3) }
        #expect(ring.statistics.evicted >= 5)
        let cursor = try store(ring, from: 9.5, to: 30, at: scratch.file("out.mp4"))
        #expect(cursor.begin.seconds == 9)
        // A group that does not fit goes whole; nothing is kept that could not be decoded.
        let one = try source(scratch, "one.mp4", group: 1000)
        let small = try fill(one, bytes: 10_000)
        #expect(small.cursor(notAfter: 5) == nil && small.statistics.evicted >= 1 && small.statistics.bytes <= 10_000)
    }

    @Test func `a copy that falls behind the bound goes on with a keyframe`() throws {
        let scratch = try Scratch()
        let path = try source(scratch, group: 25)
        let all = try Reading(path, keep: true)
        let whole = try fill(path).statistics.bytes
        let reader = try VideoReader(path)
        let ring = try reader.makePacketRing(capacityBytes: whole / 3)
        for _ in 0..<30 { _ = try reader.read() }
        var cursor = try #require(ring.cursor(notAfter: 0))
        let tap = try #require(ring.makeTap(for: cursor))
        let out = scratch.file("out.mkv")
        let writer = try VideoWriter(
            out, settings: WriterSettings(), audio: nil, copying: tap, calls: OutputCalls(), start: cursor.begin)
        #expect(ring.copy(to: tap, &cursor, until: 0.5) == .over)
        while try reader.read() != nil {}
        #expect(ring.copy(to: tap, &cursor, until: 100) == .waiting)
        try writer.copyWaiting()
        _ = try writer.finish()
        #expect(cursor.gaps == 1)
        let shown = try times(out, in: all, from: 0)
        #expect(zip(shown, shown.dropFirst()).filter { $1 - $0 > 0.05 }.count == 1)
    }

    @Test func `copies follow each other without a packet twice, and end at a keyframe when they are long`() throws {
        let scratch = try Scratch()
        let path = try source(scratch, group: 25)
        let all = try Reading(path, keep: true)
        let ring = try fill(path)
        var shown: [Double] = []
        var last: PacketRing.Cursor?
        for number in 0..<3 {
            var cursor = try #require(ring.cursor(notAfter: 1.5, behind: last))
            let tap = try #require(ring.makeTap(for: cursor))
            let out = scratch.file("\(number).mp4")
            let writer = try VideoWriter(
                out, settings: WriterSettings(), audio: nil, copying: tap, calls: OutputCalls(), start: cursor.begin)
            #expect(ring.copy(to: tap, &cursor, until: 6.5, longest: 2.5) == (number < 1 ? .cut : .over))
            try writer.copyWaiting()
            _ = try writer.finish()
            shown += try times(out, in: all, from: cursor.begin.seconds)
            last = cursor
            if number == 1 { break }
        }
        #expect(shown.first.map { abs($0 - 1) < 0.001 } == true)
        for (left, right) in zip(shown, shown.dropFirst()) { #expect(abs(right - left - 0.04) < 0.002) }
        let behind = try #require(ring.cursor(notAfter: 0, behind: last))
        #expect(behind.begin.seconds == 7 && !behind.isLate)
    }

    @Test func `the rounds of a loop, and time lines that break, go on`() throws {
        let scratch = try Scratch()
        let path = try source(scratch, group: 25, seconds: 2)
        var options = VideoReader.Options()
        options.isLooping = true
        let ring = try fill(path, options: options, limit: 140)
        let cursor = try store(ring, from: 1.5, to: 5.2, at: scratch.file("out.mkv"))
        let seen = try Reading(scratch.file("out.mkv")).seconds
        #expect(cursor.begin.seconds == 1 && seen.count >= 105)
        for (left, right) in zip(seen, seen.dropFirst()) { #expect(abs(right - left - 0.04) < 0.002) }

        // Two recordings in one: the second's times begin anew.
        let one = try source(scratch, "one.ts", group: 25, seconds: 2)
        let both = scratch.file("both.ts")
        let bytes = try Data(contentsOf: URL(fileURLWithPath: one))
        try (bytes + bytes).write(to: URL(fileURLWithPath: both))
        let joined = try fill(both)
        let across = try store(joined, from: 1.2, to: 3.4, at: scratch.file("across.mp4"))
        let times = try Reading(scratch.file("across.mp4")).seconds
        #expect(across.begin.seconds <= 1.2 && across.gaps == 0)
        #expect(times.count >= 54 && zip(times, times.dropFirst()).allSatisfy { abs($1 - $0 - 0.04) < 0.003 })
    }

    @Test func `pictures that are encoded into a ring come out as they were encoded`() throws {
        let scratch = try Scratch()
        let path = try source(scratch, group: 25, seconds: 3)
        let ring = PacketRing(capacityBytes: 1 << 30)
        var settings = WriterSettings()
        (settings.hasLowLatency, settings.keyframeInterval, settings.frameRate) = (true, 20, Rational(25, 1))
        let encoder = try PacketEncoder(settings, codec: .h264, into: ring)
        let all = try Reading(path, keep: true)
        for frame in all.frames { try encoder.write(frame.picture, pts: frame.pts, duration: frame.duration) }
        let cursor = try store(ring, from: 1, to: 2, at: scratch.file("out.mp4"))
        #expect(abs(cursor.begin.seconds - 0.8) < 0.001)
        let seen = try Reading(scratch.file("out.mp4"), keep: true)
        #expect(seen.count == 31)
        for (number, frame) in seen.frames.enumerated() {
            #expect(frame.picture.meanSquaredError(to: all.frames[number + 20].picture, plane: 0) < 60)
        }
    }
}
