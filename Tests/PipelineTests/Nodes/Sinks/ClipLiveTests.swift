// SPDX-License-Identifier: Apache-2.0
import Foundation
import Inference
import Media
import TestPeers
import TestSupport
import Testing

@testable import Pipeline
@testable import PipelineLanguage

@Suite(.enabled(if: Tool.hasFFmpeg, "ffmpeg is not installed: it is the other side"), .timeLimit(.minutes(15)))
struct `Clips of a live stream` {
    /// ffmpeg sends a picture of `size`, with sound, as an MPEG transport stream over HTTP.
    private func server(_ port: Int, size: String = "64x48") throws -> Peer {
        try Peer(
            Peer.ffmpeg,
            [
                "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc=s=\(size):r=25", "-f", "lavfi", "-i", "sine=f=440",
                "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "12", "-pix_fmt", "yuv420p",
                "-c:a", "aac", "-t", "60", "-f", "mpegts", "-listen", "1", "http://127.0.0.1:\(port)/live",
            ])
    }

    private struct Line: Decodable {
        let file: String
        let from: Double
        let frames: Int?
        let seconds: Double?
        let complete: Bool
    }

    /// Runs a clip of an event that is open all the time; `body` is called with the number of frames that have arrived.
    private func record(
        _ scratch: Scratch, _ port: Int, _ body: (PipelineRun) throws -> Void
    ) throws -> (lines: [Line], notes: [String]) {
        let file = try PipelineFile(
            name: "test.json",
            text: #"""
                {"nodes": {
                "v": {"type": "video", "url": "http://127.0.0.1:\#(port)/live", "timeout": "2s"},
                "e": {"type": "scripted-events", "input": "v", "script": ["door 0.2"]},
                "clips": {"type": "clip", "input": "e", "path": "\#(scratch.file("clip-{rule}.mp4"))", "before": "1s",
                  "index": "\#(scratch.file("index.jsonl"))"}}}
                """#
        ).validated(against: ScriptedEvents.registry.contracts, overrides: [])
        let run = try connected(file)
        try run.start()
        try body(run)
        run.stop()
        let report = run.waitUntilFinished()
        #expect(report.failures.isEmpty)
        let lines = try scratch.lines("index.jsonl").map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
        return (lines, run.notes().first { $0.node == "clips" }?.lines ?? [])
    }

    /// A run of a pipeline whose server may still be starting.
    private func connected(_ file: ValidatedPipeline) throws -> PipelineRun {
        for _ in 0..<200 {
            do {
                return try PipelineRun(file, registry: ScriptedEvents.registry, engine: try OpenVINOEngine.shared())
            } catch let error as PipelineRunError where "\(error)".contains("nothing listens") {
                usleep(50_000)
            }
        }
        return try PipelineRun(file, registry: ScriptedEvents.registry, engine: try OpenVINOEngine.shared())
    }

    /// Waits until so many more frames have reached the clip.
    private func take(_ frames: UInt64, _ run: PipelineRun) {
        _ = run.share(of: "v", reaching: "clips", over: frames)
    }

    private func isClean(_ path: String) throws -> Bool {
        try Tool.run(Tool.ffmpeg, ["-v", "error", "-xerror", "-i", path, "-f", "null", "-"]).status == 0
    }

    @Test func `a stream that comes back goes on in the same file, with a gap`() throws {
        let scratch = try Scratch()
        let port = try LocalSocket.freePort()
        var peer = try server(port)
        defer { peer.kill() }
        let seen = try record(scratch, port) { run in
            take(40, run)
            peer.kill()
            usleep(300_000)
            peer = try server(port)
            take(80, run)
        }
        #expect(seen.lines.count == 1 && seen.lines[0].complete, "\(seen)")
        let path = scratch.file(seen.lines[0].file)
        #expect(try isClean(path))
        let reader = try VideoReader(path)
        var times: [Double] = []
        while let frame = try reader.read() { times.append(frame.pts.seconds) }
        #expect(times.count > 60 && zip(times, times.dropFirst()).allSatisfy { $1 > $0 })
        // The server is ahead of its clock, so there may be no gap at all; nowhere else is there one.
        #expect(zip(times, times.dropFirst()).filter { abs($1 - $0 - 0.04) > 0.004 }.count <= 1, "\(times)")
        #expect(reader.info.audio.count == 1)
    }

    @Test func `a stream that comes back as another one has a file of its own`() throws {
        let scratch = try Scratch()
        let port = try LocalSocket.freePort()
        var peer = try server(port)
        defer { peer.kill() }
        let seen = try record(scratch, port) { run in
            take(40, run)
            peer.kill()
            usleep(300_000)
            peer = try server(port, size: "96x64")
            // Frames that say that there is no signal are among them.
            take(80, run)
        }
        #expect(seen.lines.count == 2 && seen.lines.allSatisfy(\.complete), "\(seen)")
        #expect(try seen.lines.map { try VideoReader(scratch.file($0.file)).info.width } == [64, 96])
        #expect(try seen.lines.allSatisfy { try isClean(scratch.file($0.file)) && $0.frames ?? 0 > 5 }, "\(seen)")
    }

    @Test func `a stream that stops for good has its clip closed`() throws {
        let scratch = try Scratch()
        let port = try LocalSocket.freePort()
        let peer = try server(port)
        let seen = try record(scratch, port) { run in
            take(40, run)
            peer.kill()
            usleep(500_000)
        }
        #expect(seen.lines.count == 1 && seen.lines[0].complete && seen.lines[0].frames ?? 0 >= 35, "\(seen)")
        #expect(try isClean(scratch.file(seen.lines[0].file)))
    }
}
