// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

@testable import Media

@Suite(.enabled(if: Tool.hasFFmpeg, "ffmpeg is not installed: it makes the clips with sound"))
struct `Sound is copied in sync` {
    /// A clip with B-frames and a beep track; `arguments` choose the sound's codec.
    static func clip(_ scratch: Scratch, _ name: String, seconds: Double = 4, _ arguments: [String]) throws -> String {
        let path = scratch.file(name)
        let result = try Tool.run(
            Tool.ffmpeg,
            [
                "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc=s=128x96:r=25:d=\(seconds)", "-f", "lavfi", "-i",
                "sine=f=440:d=\(seconds)", "-pix_fmt", "yuv420p",
            ] + arguments + [path])
        #expect(result.status == 0)
        return path
    }

    /// Reads `source` and writes it again, as a file sink does; pictures unchanged.
    static func copy(
        _ source: String, to path: String, limit: Int = .max, settings base: WriterSettings = WriterSettings()
    ) throws -> WriterStatistics {
        let reader = try VideoReader(source)
        let tap = try reader.makeAudioTap()
        var settings = base
        if settings.preset == nil { settings.preset = "veryfast" }
        settings.frameRate = reader.info.frameRate
        let writer = try VideoWriter(path, settings: settings, audio: tap)
        var count = 0
        while count < limit, let frame = try reader.read() {
            try writer.write(frame.picture, pts: frame.pts, duration: frame.duration)
            count += 1
        }
        return try writer.finish()
    }

    /// Presentation times of a stream in seconds.
    static func times(_ path: String, _ stream: String) throws -> [Double] {
        try Tool.probe(path, stream: stream, "packet=pts_time").compactMap { Double($0) }.sorted()
    }

    static let cases: [(String, [String], String)] = [
        ("aac.mp4", ["-c:a", "aac"], "out.mp4"), ("aac.mp4", ["-c:a", "aac"], "out.mkv"),
        ("aac.mp4", ["-c:a", "aac"], "out.mov"),
        ("aac.ts", ["-c:a", "aac"], "out.mp4"), ("ac3.mkv", ["-c:a", "ac3"], "out.mp4"),
        ("opus.mkv", ["-c:a", "libopus"], "out.mp4"),
        (
            "opus.webm", ["-c:v", "libvpx-vp9", "-cpu-used", "8", "-deadline", "realtime", "-c:a", "libopus"],
            "out.webm"
        ),
        ("mp3.mkv", ["-c:a", "libmp3lame"], "out.mp4"), ("pcm.mov", ["-c:a", "pcm_s16le"], "out.mov"),
        ("two.mkv", ["-map", "0", "-map", "1", "-map", "1", "-c:a", "aac"], "out.mp4"),
    ]

    @Test(arguments: cases.indices) func `every packet arrives at its time`(index: Int) throws {
        let (name, arguments, target) = Self.cases[index]
        let scratch = try Scratch()
        let source = try Self.clip(scratch, name, arguments)
        let output = scratch.file(target)
        let statistics = try Self.copy(source, to: output)
        #expect(statistics.warnings == [] && statistics.frames == 100)
        let origin = try VideoReader(source).info.startTime
        for stream in name.hasPrefix("two") ? ["v:0", "a:0", "a:1"] : ["v:0", "a:0"] {
            let wanted = try Self.times(source, stream)
            let got = try Self.times(output, stream)
            #expect(
                got.count == wanted.count && !got.isEmpty,
                "\(stream): \(got.count) of \(wanted.count), \(got.prefix(3)), \(wanted.prefix(3)), \(got.suffix(2)), \(wanted.suffix(2))"
            )
            // Both start relative to the source's origin; a tick of Matroska is a millisecond.
            // FFmpeg's own Matroska muxer puts Opus its codec delay (6.5 ms) early when it copies.
            let tolerance = name == "opus.webm" && stream == "a:0" ? 0.0085 : 0.0015
            for (a, b) in zip(wanted, got) { #expect(abs(a - origin - b) < tolerance, "\(stream)") }
        }
        // Interleaved: no stretch of the file holds more than about a second of one stream alone.
        let order = try Tool.run(
            Tool.ffprobe, ["-v", "quiet", "-show_entries", "packet=codec_type,dts_time", "-of", "csv=p=0", output]
        )
        .output.split(separator: "\n").map { $0.split(separator: ",") }
        var latest: [Substring: Double] = [:]
        for row in order where row.count >= 2 {
            latest[row[0]] = Double(row[1]) ?? latest[row[0]]
            if let video = latest["video"], let audio = latest["audio"] { #expect(abs(video - audio) < 1.2) }
        }
        #expect(try Tool.run(Tool.ffmpeg, ["-v", "error", "-xerror", "-i", output, "-f", "null", "-"]).status == 0)
    }

    @Test func `the fragments are in sync before they are finalised`() throws {
        let scratch = try Scratch()
        let source = try Self.clip(scratch, "source.mp4", ["-c:a", "aac"])
        var settings = WriterSettings()
        settings.finalises = false
        settings.preset = "medium"
        let output = scratch.file("fragments.mp4")
        _ = try Self.copy(source, to: output, settings: settings)
        let video = zip(try Self.times(source, "v:0"), try Self.times(output, "v:0")).map { $1 - $0 }
        let audio = zip(try Self.times(source, "a:0"), try Self.times(output, "a:0")).map { $1 - $0 }
        #expect(video.count == 100 && audio.count > 100)
        // Moved by what the encoder's reordering needs, both alike.
        let shift = try #require(video.first)
        #expect(shift >= 0 && shift < 0.2)
        for difference in video + audio { #expect(abs(difference - shift) < 0.002) }
    }

    @Test(arguments: ["source.mp4", "source.ts"])
    func `the rounds of a loop follow each other without a gap or an overlap`(_ name: String) throws {
        let scratch = try Scratch()
        let source = try Self.clip(scratch, name, seconds: 1, ["-c:a", "aac"])
        var options = VideoReader.Options()
        options.isLooping = true
        let reader = try VideoReader(source, options: options)
        let tap = try #require(try reader.makeAudioTap())
        for _ in 0..<100 { _ = try reader.read() }
        #expect(reader.statistics.loops >= 3)
        var times: [Double] = []
        while let entry = tap.take(until: .infinity) {
            times.append(entry.seconds)
            AudioTap.free(entry.packet)
        }
        #expect(times.count > 120)
        // Sound is cut in packets of 23 ms and begins before the picture, so that a round of it ends some packets off.
        for (left, right) in zip(times, times.dropFirst()) { #expect(abs(right - left) < 0.08, "\(left) to \(right)") }
        for round in 1...3 {
            let start = times.first { $0 > Double(round) - 0.03 } ?? 0
            #expect(abs(start - Double(round)) < 0.06, "round \(round) begins at \(start)")
        }
    }

    @Test func `a source that is stopped leaves no sound beyond the last picture`() throws {
        let scratch = try Scratch()
        let source = try Self.clip(scratch, "source.mp4", ["-c:a", "aac"])
        let output = scratch.file("part.mp4")
        let statistics = try Self.copy(source, to: output, limit: 50)
        #expect(statistics.frames == 50)
        let last = try #require(try Self.times(output, "a:0").last)
        #expect(last > 1.8 && last < 2.05)
    }

    @Test func `sound that the container cannot hold is left out and said`() throws {
        let scratch = try Scratch()
        let source = try Self.clip(scratch, "pcm.mkv", ["-c:a", "pcm_s16le"])
        let statistics = try Self.copy(source, to: scratch.file("out.mp4"))
        #expect(statistics.warnings == ["audio stream 1 (pcm_s16le) is left out: mp4 cannot hold it"])
        #expect(try Tool.probe(scratch.file("out.mp4"), stream: "a", "stream=codec_name").isEmpty)
    }

    @Test func `a full tap drops and counts instead of growing`() throws {
        let scratch = try Scratch()
        let source = try Self.clip(scratch, "source.mp4", ["-c:a", "aac"])
        let reader = try VideoReader(source)
        let tap = try #require(try reader.makeAudioTap(capacityBytes: 3_000))
        while try reader.read() != nil { #expect(tap.pendingBytes <= 3_000) }
        #expect(tap.droppedPackets > 0)
        tap.close()
        #expect(tap.pendingBytes == 0)
    }

    @Test func `two sinks get the same sound, and a loop goes on`() throws {
        let scratch = try Scratch()
        let source = try Self.clip(scratch, "source.mp4", ["-c:a", "aac"])
        var options = VideoReader.Options()
        options.isLooping = true
        let reader = try VideoReader(source, options: options)
        let taps = [try #require(try reader.makeAudioTap()), try #require(try reader.makeAudioTap())]
        let paths = ["a.mp4", "b.mkv"].map(scratch.file)
        var settings = WriterSettings()
        settings.preset = "ultrafast"
        let writers = try zip(paths, taps).map { try VideoWriter($0, settings: settings, audio: $1) }
        for _ in 0..<250 {
            let frame = try #require(try reader.read())
            for writer in writers { try writer.write(frame.picture, pts: frame.pts, duration: frame.duration) }
        }
        for writer in writers { _ = try writer.finish() }
        for path in paths {
            let video = try Self.times(path, "v:0")
            let audio = try Self.times(path, "a:0")
            #expect(video.count == 250)
            #expect(abs(try #require(audio.last) - 10) < 0.1)
            #expect(zip(audio, audio.dropFirst()).allSatisfy { $1 - $0 < 0.06 && $1 > $0 })
        }
    }
}
