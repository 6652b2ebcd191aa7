// SPDX-License-Identifier: Apache-2.0
import Dataflow
import Foundation
import TestSupport
import Testing

@testable import Pipeline
@testable import PipelineLanguage

/// What people have reported of programs that process video, tried on this one: one row each.
///
/// The next report is one more row: what it is about, an input that is made here, and what is right.
struct PublicReport: Sendable, CustomTestStringConvertible {
    /// What a row may look at when its pipeline is over.
    struct Outcome {
        let scratch: Scratch
        /// Why the run did not start, or which node failed; empty where all went well.
        let errors: [String]
        /// All notes of the report, node by node.
        let notes: [String]
        /// Frames that each node took.
        let report: RunReport?

        /// What ffprobe says of a file, `stream=...` and the like.
        func probe(_ name: String, _ entries: String, stream: String = "v:0") throws -> String {
            try Tool.probe(scratch.file(name), stream: stream, entries).joined(separator: " ")
        }
        /// Seconds of a file by its container.
        func seconds(_ name: String) throws -> Double {
            Double(
                try Tool.run(
                    Tool.ffprobe,
                    ["-v", "quiet", "-show_entries", "format=duration", "-of", "csv=p=0", scratch.file(name)]
                )
                .output.trimmingCharacters(in: .whitespacesAndNewlines)) ?? -1
        }
        /// Tracks of sound in a file.
        func tracks(_ name: String) throws -> [String] {
            try Tool.probe(scratch.file(name), stream: "a", "stream=codec_name")
        }
        func says(_ text: String) -> Bool { (notes + errors).contains { $0.contains(text) } }
    }

    /// The essence, as a sentence that is right.
    let testDescription: String
    /// Makes the input in a folder.
    let input: @Sendable (Scratch) throws -> Void
    /// The text of `nodes`; `@/` stands for the folder.
    let nodes: String
    /// Whether it is so.
    let isRight: @Sendable (Outcome) throws -> Bool

    init(
        _ essence: String, _ nodes: String, input: @escaping @Sendable (Scratch) throws -> Void = { _ in },
        isRight: @escaping @Sendable (Outcome) throws -> Bool
    ) {
        testDescription = essence
        self.nodes = nodes
        self.input = input
        self.isRight = isRight
    }

    func run() throws -> Outcome {
        let scratch = try Scratch()
        try input(scratch)
        do {
            let run = try PipelineRun(pipeline(nodes.replacing("@/", with: scratch.path + "/")))
            try run.start()
            let report = run.waitUntilFinished()
            return Outcome(
                scratch: scratch, errors: report.failures.map { "\($0)" }, notes: run.notes().flatMap(\.lines),
                report: report)
        } catch {
            return Outcome(scratch: scratch, errors: ["\(error)"], notes: [], report: nil)
        }
    }

    /// Runs ffmpeg in the folder; `@/` stands for it.
    @Sendable static func ffmpeg(_ arguments: String, in scratch: Scratch) throws {
        let words = arguments.replacing("@/", with: scratch.path + "/").split(separator: " ").map(String.init)
        let status = try Tool.run(Tool.ffmpeg, ["-v", "error", "-y"] + words).status
        guard status == 0 else { throw Problem(arguments: arguments) }
    }
    struct Problem: Error { let arguments: String }

    static let picture = "-f lavfi -i testsrc=s=64x48:r=25:d=1"
    static let film = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p"
    static let sound = "-f lavfi -i sine=r=48000:d=1"

    /// From a file to a file, as it is.
    static func copy(_ input: String, to output: String) -> String {
        #""video": {"type": "video", "url": "@/\#(input)"}, "#
            + #""file": {"type": "file", "input": "video", "path": "@/\#(output)", "preset": "ultrafast"}"#
    }
    /// From images to PNG files in `shots`.
    static func images(_ input: String) -> String {
        #""im": {"type": "images", "path": "@/\#(input)"}, "#
            + #""s": {"type": "snapshots", "input": "im", "path": "@/shots", "format": "png", "every": 0}"#
    }
}

extension PublicReport {
    static let all: [PublicReport] = [
        PublicReport(
            "segments of a second that all begin at zero, joined, last as long as all of them",
            copy("a.ts", to: "a.mkv")
        ) {
            try ffmpeg(
                "\(picture) \(sound) \(film) -c:a aac -f mpegts -muxdelay 0 @/s.ts", in: $0)
            let one = try Data(contentsOf: URL(fileURLWithPath: $0.file("s.ts")))
            try Data((0..<5).flatMap { _ in one }).write(to: URL(fileURLWithPath: $0.file("a.ts")))
        } isRight: {
            try abs($0.seconds("a.mkv") - 5) < 0.2 && $0.says("4 breaks in the time line closed")
        },
        PublicReport("lossless sound goes into mp4, which older muxers call an experiment", copy("a.mkv", to: "a.mp4"))
        {
            try ffmpeg("\(picture) \(sound) \(film) -c:a flac @/a.mkv", in: $0)
        } isRight: {
            try $0.errors.isEmpty && $0.tracks("a.mp4") == ["flac"]
        },
        PublicReport("a telephone's sound goes into Matroska", copy("a.mkv", to: "b.mkv")) {
            try ffmpeg("\(picture) \(sound) \(film) -c:a pcm_alaw @/a.mkv", in: $0)
        } isRight: {
            try $0.tracks("b.mkv") == ["pcm_alaw"]
        },
        PublicReport("sound whose header is damaged does not spoil the file", copy("bad.mkv", to: "b.mkv")) {
            try ffmpeg("\(picture) \(sound) \(film) -c:a libvorbis @/a.mkv", in: $0)
            var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: $0.file("a.mkv"))))
            // The third header of Vorbis: what the others are decoded with.
            let mark: [UInt8] = [5] + Array("vorbis".utf8)
            let place = bytes.indices.dropLast(600).first { Array(bytes[$0..<$0 + 7]) == mark }
            for index in (place ?? 0) + 200..<(place ?? 0) + 224 { bytes[index] ^= 0x5A }
            try Data(bytes).write(to: URL(fileURLWithPath: $0.file("bad.mkv")))
        } isRight: {
            try $0.errors.isEmpty && $0.says("audio stream 1 (vorbis) is left out: its header is damaged")
                && $0.tracks("b.mkv") == [] && abs($0.seconds("b.mkv") - 1) < 0.1
        },
        PublicReport("the last picture of an animation is shown as long as it says", copy("a.gif", to: "a.mp4")) {
            try ffmpeg("-f lavfi -i testsrc=s=64x48:r=10:d=1 -final_delay 200 @/a.gif", in: $0)
        } isRight: {
            try abs($0.seconds("a.mp4") - 2.9) < 0.15
        },
        PublicReport(
            "a stream thinned out says its own rate and lasts as long",
            #""v": {"type": "video", "url": "@/a.mp4"}, "r": {"type": "rate", "input": "v", "fps": 5}, "#
                + #""m": {"type": "file", "input": "r", "path": "@/m.mkv", "preset": "ultrafast"}, "#
                + #""f": {"type": "file", "input": "r", "path": "@/f.mp4", "preset": "ultrafast"}"#
        ) {
            try ffmpeg("-f lavfi -i testsrc=s=64x48:r=25:d=2 -pix_fmt yuv420p @/a.mp4", in: $0)
        } isRight: {
            try $0.probe("m.mkv", "stream=avg_frame_rate") == "5/1"
                && $0.probe("f.mp4", "stream=avg_frame_rate") == "5/1"
                && abs($0.seconds("f.mp4") - 2) < 0.01
        },
        PublicReport(
            "black beside a fitted picture is black to its edge",
            #""t": {"type": "testpattern", "size": "720x576", "frames": 1}, "#
                + #""c": {"type": "scale", "input": "t", "size": "640x360", "fit": "letterbox"}, "#
                + #""s": {"type": "snapshots", "input": "c", "path": "@/shots", "format": "png", "every": 0}"#
        ) {
            let shot = try FileManager.default.contentsOfDirectory(atPath: $0.scratch.file("shots"))[0]
            try ffmpeg("-i @/shots/\(shot) -vf crop=95:360:545:0 -f rawvideo -pix_fmt gray @/grey", in: $0.scratch)
            return try Data(contentsOf: URL(fileURLWithPath: $0.scratch.file("grey"))).allSatisfy { $0 <= 1 }
        },
        PublicReport("a photograph as PNG stands upright as its EXIF data says", images("turned.png")) {
            try ffmpeg("-f lavfi -i testsrc=s=64x48 -frames:v 1 @/a.png", in: $0)
            var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: $0.file("a.png"))))
            // Behind IHDR: an eXIf chunk, big-endian, one entry: orientation 6. Nobody checks its checksum here.
            let exif: [UInt8] = [
                0x4D, 0x4D, 0, 0x2A, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0,
            ]
            bytes.insert(contentsOf: [0, 0, 0, UInt8(exif.count)] + Array("eXIf".utf8) + exif + [0, 0, 0, 0], at: 33)
            try Data(bytes).write(to: URL(fileURLWithPath: $0.file("turned.png")))
        } isRight: {
            let shot = try FileManager.default.contentsOfDirectory(atPath: $0.scratch.file("shots"))[0]
            return try $0.probe("shots/\(shot)", "stream=width,height") == "48,64"
        },
        PublicReport("half a photograph is called damaged", images("half.jpg")) {
            try ffmpeg("-f lavfi -i testsrc=s=320x240 -frames:v 1 @/a.jpg", in: $0)
            let bytes = try Data(contentsOf: URL(fileURLWithPath: $0.file("a.jpg")))
            try bytes.prefix(bytes.count / 2).write(to: URL(fileURLWithPath: $0.file("half.jpg")))
        } isRight: {
            $0.says("1 damaged images")
        },
        PublicReport("a name that is not UTF-8 is opened", images("odd/")) {
            try FileManager.default.createDirectory(atPath: $0.file("odd"), withIntermediateDirectories: false)
            try ffmpeg("-f lavfi -i testsrc=s=64x48 -frames:v 1 @/a.png", in: $0)
            let name: [CChar] =
                Array($0.file("odd/caf").utf8CString.dropLast()) + [CChar(bitPattern: 0xE9)] + Array(".png".utf8CString)
            guard link($0.file("a.png"), name) == 0 else { throw Problem(arguments: "link") }
        } isRight: {
            $0.report?.source("im")?.delivered == 1
        },
        PublicReport("a film given for a photograph is not read as one picture", images("a.mp4")) {
            try ffmpeg("\(picture) \(film) @/a.mp4", in: $0)
        } isRight: {
            $0.says("is a video")
        },
        PublicReport("colours that cannot be read are refused, not passed off as others", copy("a.mp4", to: "b.mp4")) {
            try ffmpeg("\(picture) \(film) -colorspace ycgco @/a.mp4", in: $0)
        } isRight: {
            $0.says("YCgCo")
        },
        PublicReport("interlaced pictures are said to be", copy("a.mp4", to: "b.mp4")) {
            try ffmpeg("\(picture) \(film) -flags +ildct+ilme -x264opts tff=1 @/a.mp4", in: $0)
        } isRight: {
            $0.says("interlaced pictures")
        },
        PublicReport("of two programmes the sound of the shown one is taken", copy("a.ts", to: "a.mkv")) {
            try ffmpeg(
                "-f lavfi -i testsrc=s=64x48:d=1 -f lavfi -i testsrc=s=96x64:d=1 -f lavfi -i sine=r=48000:d=1 "
                    + "-f lavfi -i sine=r=32000:d=1 -map 0:v -map 2:a -map 1:v -map 3:a \(film) "
                    + " -c:a mp2 -program title=a:st=0:st=1 -program title=b:st=2:st=3 -f mpegts @/a.ts",
                in: $0)
        } isRight: {
            let width = try $0.probe("a.mkv", "stream=width")
            return try Tool.probe($0.scratch.file("a.mkv"), stream: "a", "stream=sample_rate")
                == [width == "96" ? "32000" : "48000"]
        },
        PublicReport("a list of other files under the name of a film is not followed", copy("list.mp4", to: "b.mp4")) {
            try ffmpeg("\(picture) \(film) -f mpegts @/private.ts", in: $0)
            try "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1,\nprivate.ts\n#EXT-X-ENDLIST\n"
                .write(toFile: $0.file("list.mp4"), atomically: true, encoding: .utf8)
        } isRight: {
            $0.says("is a list of other files")
        },
        PublicReport("a film cut short is said to be", copy("half.mp4", to: "b.mp4")) {
            try ffmpeg(
                "-f lavfi -i testsrc=s=160x120:r=25:d=4 -g 1 -pix_fmt yuv420p -movflags +faststart @/a.mp4", in: $0)
            let bytes = try Data(contentsOf: URL(fileURLWithPath: $0.file("a.mp4")))
            try bytes.prefix(bytes.count / 2).write(to: URL(fileURLWithPath: $0.file("half.mp4")))
        } isRight: {
            $0.says("cut short") && $0.says("of 100 pictures")
        },
        PublicReport("subtitles, chapters and a title are not left out in silence", copy("a.mkv", to: "b.mkv")) {
            try "1\n00:00:00,000 --> 00:00:01,000\nhello\n".write(
                toFile: $0.file("a.srt"), atomically: true, encoding: .utf8)
            try ffmpeg(
                "\(picture) -i @/a.srt -metadata title=film \(film) -c:s srt @/a.mkv", in: $0)
        } isRight: {
            $0.says("not carried over: 1 subtitle stream, the title")
        },
        PublicReport("a picture with a gap of hours before the next is recorded with it", copy("a.mkv", to: "b.mp4")) {
            // The second half three hours later.
            try ffmpeg(
                "-f lavfi -i testsrc=s=64x48:r=25:d=2 -vf setpts=PTS+gte(N\\,25)*10800/TB -fps_mode passthrough "
                    + "\(film) -enc_time_base 1/1000 @/a.mkv", in: $0)
        } isRight: {
            try $0.errors.isEmpty && $0.probe("b.mp4", "stream=nb_frames") == "50"
                && abs($0.seconds("b.mp4") - 10_802) < 1
        },
        PublicReport(
            "who is not there is said not to be, at once",
            #""v": {"type": "video", "url": "http://127.0.0.1:1/x.mp4"}, "n": {"type": "null", "input": "v"}"#
        ) { $0.says("connection refused") && !$0.says("time allowed") },
        PublicReport(
            "a password that breaks its address is said to be the reason",
            #""v": {"type": "video", "url": "rtsp://me:a/b@127.0.0.1:1/x"}, "n": {"type": "null", "input": "v"}"#
        ) { $0.says("percent-encode") && !$0.says("a/b") },
    ]
}

@Suite(.enabled(if: Tool.hasFFmpeg, "ffmpeg is not installed: it makes the inputs"), .timeLimit(.minutes(15)))
struct PublicReportTests {
    @Test(arguments: PublicReport.all) func `what was reported is right here`(report: PublicReport) throws {
        let outcome = try report.run()
        #expect(try report.isRight(outcome), "\(outcome.errors) \(outcome.notes)")
    }
}
