// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

@testable import Pipeline
@testable import PipelineLanguage

@Suite(.enabled(if: Tool.hasFFmpeg, "ffmpeg is not installed: it makes the inputs"), .timeLimit(.minutes(15)))
struct `Segments with sound` {
    /// A packet as ffprobe sees it.
    private struct Packet {
        let time: Double
        let hash: String
    }

    /// The packets of a stream, in the order of their times.
    private func packets(_ path: String, _ stream: String) throws -> [Packet] {
        let output = try Tool.run(
            Tool.ffprobe,
            [
                "-v", "error", "-select_streams", stream, "-show_entries", "packet=pts_time,data_hash",
                "-show_data_hash",
                "md5", "-of", "csv=p=0", path,
            ]
        ).output
        return output.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: ",")
            guard fields.count >= 2, let time = Double(fields[0]) else { return nil }
            return Packet(time: time, hash: String(fields[1]))
        }.sorted { $0.time < $1.time }
    }

    private func index(_ scratch: Scratch) throws -> [[String: Any]] {
        try scratch.lines("index.jsonl").compactMap {
            try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
        }
    }

    /// Packets of all segments, on the clock of the stream.
    private func joined(_ scratch: Scratch, _ stream: String) throws -> [Packet] {
        try index(scratch).flatMap { entry in
            let from = try #require(entry["from"] as? Double)
            return try packets(scratch.file(try #require(entry["file"] as? String)), stream).map {
                Packet(time: $0.time + from, hash: $0.hash)
            }
        }
    }

    @Test(
        arguments: [
            ("mp4", "copy", 0), ("mkv", "copy", 0), ("mp4", "h264", 0), ("mp4", "copy", 10_800),
            ("mkv", "copy", 10_800),
            ("mp4", "h264", 10_800),
        ] as [(String, String, Int)]) func `joined again are one recording, also over a gap of hours`(
            ending: String, codec: String, gap: Int
        ) throws
    {
        let scratch = try Scratch()
        // The second half so much later; a keyframe every half second.
        try PublicReport.ffmpeg(
            "-f lavfi -i testsrc=s=64x48:r=25:d=6 -f lavfi -i sine=r=48000:d=6 "
                + "-vf setpts=PTS+gte(N\\,75)*\(gap)/TB -af asetpts=PTS+gte(T\\,3)*\(gap)/TB -fps_mode passthrough "
                + "-c:v libx264 -preset ultrafast -g 12 -bf 0 -pix_fmt yuv420p -enc_time_base:v 1/1000 -c:a aac @/a.mkv",
            in: scratch)
        let settings = codec == "copy" ? #""codec": "copy""# : #""codec": "h264", "preset": "ultrafast""#
        let run = try PipelineRun(
            pipeline(
                """
                "v": {"type": "video", "url": "\(scratch.file("a.mkv"))"},
                "one": {"type": "file", "input": "v", "path": "\(scratch.file("one." + ending))", \(settings)},
                "many": {"type": "file", "input": "v", "path": "\(scratch.file("many." + ending))", "segment": "1s",
                    "index": "\(scratch.file("index.jsonl"))", \(settings)}
                """))
        try run.start()
        let report = run.waitUntilFinished()
        #expect(report.failures.isEmpty && report.source("v")?.delivered == 150)
        #expect(try index(scratch).count >= 5)
        for stream in ["v", "a"] {
            let one = try packets(scratch.file("one." + ending), stream)
            let many = try joined(scratch, stream)
            #expect(
                one.count == many.count && one.count > 140, "\(stream): \(one.count) in one, \(many.count) in segments")
            #expect(one[one.count - 1].time - one[0].time > Double(gap) + 5.9)
            if stream == "a" || codec == "copy" { #expect(one.map(\.hash) == many.map(\.hash), "\(stream)") }
            let apart =
                zip(one, many).map { abs(($0.time - one[0].time) - ($1.time - many[0].time)) }.max() ?? .infinity
            #expect(apart < 0.0021, "\(stream): \(apart) s apart")
        }
    }
}
