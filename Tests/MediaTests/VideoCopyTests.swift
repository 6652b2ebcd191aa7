// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

@testable import Media

@Suite(.enabled(if: Tool.hasFFmpeg, "ffmpeg is not installed: it makes the clips"))
struct `Video packets are stored as they are` {
    private static let h264 = ["-c:v", "libx264", "-g", "10", "-bf", "2", "-c:a", "aac"]

    /// Stores the packets of the frames that `keeps` chooses, by number.
    private func copy(
        _ source: String, to path: String, options: VideoReader.Options = .init(), limit: Int = .max,
        keeping keeps: (UInt64) -> Bool = { _ in true }
    ) throws -> WriterStatistics {
        let reader = try VideoReader(source, options: options)
        let sound = try reader.makeAudioTap()
        let writer = try VideoWriter(path, audio: sound, copying: try reader.makeVideoTap())
        var number: UInt64 = 0
        while number < limit, let frame = try reader.read() {
            if keeps(number) {
                try writer.copy(frame.picture, sequence: number, pts: frame.pts, duration: frame.duration)
            }
            number += 1
        }
        return try writer.finish()
    }

    /// A digest of every packet, in decoding order.
    private func digests(_ path: String) throws -> [String] {
        let result = try Tool.run(
            Tool.ffmpeg, ["-v", "error", "-i", path, "-map", "0:v", "-c", "copy", "-f", "framemd5", "-"])
        return result.output.split(separator: "\n").filter { !$0.hasPrefix("#") }
            .compactMap { $0.split(separator: ",").last.map { $0.trimmingCharacters(in: .whitespaces) } }
    }

    private func isClean(_ path: String) throws -> Bool {
        try Tool.run(Tool.ffmpeg, ["-v", "error", "-xerror", "-i", path, "-f", "null", "-"]).status == 0
    }

    @Test(arguments: [
        ("a.mp4", h264, "out.mp4"), ("a.mp4", h264, "out.mkv"), ("a.mkv", h264, "out.mov"), ("a.ts", h264, "out.mp4"),
        ("a.mkv", ["-c:v", "mjpeg", "-c:a", "aac"], "out.mkv"),
        ("a.webm", ["-c:v", "libvpx-vp9", "-cpu-used", "8", "-deadline", "realtime", "-c:a", "libopus"], "out.webm"),
    ])
    func `every packet arrives untouched, at its time`(name: String, arguments: [String], target: String) throws {
        let scratch = try Scratch()
        let source = try `Sound is copied in sync`.clip(scratch, name, seconds: 2, arguments)
        let output = scratch.file(target)
        let statistics = try copy(source, to: output)
        #expect(statistics.warnings == [] && statistics.packets == 50 && statistics.gaps == 0)
        let (wanted, got) = (try digests(source), try digests(output))
        // A transport stream writes the same units with other marks between them.
        if name.hasSuffix(".ts") { #expect(got.count == 50) } else { #expect(got == wanted) }
        #expect(try isClean(output))
        let origin = try VideoReader(source).info.startTime
        for stream in ["v:0", "a:0"] {
            let wanted = try `Sound is copied in sync`.times(source, stream)
            let got = try `Sound is copied in sync`.times(output, stream)
            #expect(got.count == wanted.count && !got.isEmpty)
            let tolerance = stream == "a:0" && target == "out.webm" ? 0.0085 : 0.0015
            for (a, b) in zip(wanted, got) { #expect(abs(a - origin - b) < tolerance, "\(stream)") }
        }
        let (before, after) = (try Reading(source, keep: true), try Reading(output, keep: true))
        #expect(
            zip(before.frames, after.frames).allSatisfy { $0.picture.meanSquaredError(to: $1.picture, plane: 0) == 0 })
    }

    // Frames that do not come; packets that stay beyond those of the frames, as others need them.
    @Test(arguments: [
        (10..<20, 0), (13..<20, 2), (0..<10, 0), (45..<50, 2), (40..<50, 0),
    ])
    func `where frames are missing, packets are left out up to a keyframe`(missing: Range<UInt64>, needed: Int) throws {
        let scratch = try Scratch()
        let source = try `Sound is copied in sync`.clip(scratch, "a.mp4", seconds: 2, Self.h264)
        let output = scratch.file("out.mp4")
        let statistics = try copy(source, to: output) { !missing.contains($0) }
        #expect((50 - missing.count...50 - missing.count + needed).contains(statistics.packets))
        #expect(statistics.gaps == (missing.lowerBound > 0 && missing.upperBound < 50 ? 1 : 0))
        #expect(try isClean(output))
        let all = try digests(source)
        #expect(try digests(output).allSatisfy { all.contains($0) })
        // Every frame that came is there, as it was.
        let (before, after) = (try Reading(source, keep: true), try Reading(output, keep: true))
        // The sound before the first picture is kept, and times with it.
        let origin = before.seconds[0]
        for number in 0..<50 where !missing.contains(UInt64(number)) {
            let place = after.seconds.firstIndex { abs($0 - (before.seconds[number] - origin)) < 0.002 }
            let picture = try #require(place.map { after.frames[$0].picture }, "frame \(number)")
            #expect(picture.meanSquaredError(to: before.frames[number].picture, plane: 0) == 0, "frame \(number)")
        }
    }

    @Test func `what follows a gap and is no keyframe is an error, and what was written plays`() throws {
        let scratch = try Scratch()
        let source = try `Sound is copied in sync`.clip(scratch, "a.mp4", seconds: 4, Self.h264)
        let output = scratch.file("out.mp4")
        let error = #expect(throws: MediaError.self) { try copy(source, to: output) { $0 != 75 } }
        #expect(error?.description.contains("frames before the one at 3.04 s did not come") == true)
        #expect(error?.description.contains("name a codec in place of \"copy\"") == true)
        #expect(try isClean(output))
        #expect(try Reading(output).count > 40)
    }

    @Test func `the rounds of a loop follow each other`() throws {
        let scratch = try Scratch()
        let source = try `Sound is copied in sync`.clip(scratch, "a.mp4", seconds: 1, Self.h264)
        var options = VideoReader.Options()
        options.isLooping = true
        let output = scratch.file("out.mkv")
        #expect(try copy(source, to: output, options: options, limit: 75).packets >= 75)
        #expect(try isClean(output))
        let times = try Reading(output).seconds
        for (left, right) in zip(times, times.dropFirst()) { #expect(abs(right - left - 0.04) < 0.002) }
    }

    @Test func `a stop in the middle keeps what the last frames need`() throws {
        let scratch = try Scratch()
        let source = try `Sound is copied in sync`.clip(scratch, "a.mp4", seconds: 2, Self.h264)
        for limit in 1...12 {
            let output = scratch.file("\(limit).mkv")
            let packets = try copy(source, to: output, limit: limit).packets
            #expect((limit...limit + 2).contains(packets))
            #expect(try isClean(output))
            #expect(try Reading(output).count == packets)
        }
    }

    @Test func `a container that cannot hold the packets is refused with those that can`() throws {
        let scratch = try Scratch()
        let source = try `Sound is copied in sync`.clip(scratch, "a.mkv", seconds: 1, ["-c:v", "ffv1", "-an"])
        let error = #expect(throws: MediaError.self) { try copy(source, to: scratch.file("out.webm")) }
        #expect(error?.description.contains("webm cannot hold the source's ffv1; use ") == true)
        #expect(error?.description.contains(".mkv") == true)
    }

    @Test(arguments: ["out.mp4", "out.mov", "out.mkv"]) func `pictures stay turned as they were`(target: String) throws
    {
        let scratch = try Scratch()
        let plain = try `Sound is copied in sync`.clip(scratch, "a.mp4", seconds: 1, Self.h264)
        let turned = scratch.file("turned.mp4")
        // Any FFmpeg turns by one of the two, newer ones by the option alone.
        let option = ["-v", "error", "-y", "-display_rotation", "90", "-i", plain, "-c", "copy", turned]
        if try Tool.run(Tool.ffmpeg, option).status != 0 {
            try Tool.run(
                Tool.ffmpeg, ["-v", "error", "-y", "-i", plain, "-c", "copy", "-metadata:s:v", "rotate=90", turned])
        }
        let info = try VideoReader(turned).info
        try #require(info.width == 96 && info.height == 128)
        _ = try copy(turned, to: scratch.file(target))
        let copied = try VideoReader(scratch.file(target)).info
        #expect(target == "out.mkv" || (copied.width == 96 && copied.height == 128))
    }
}
