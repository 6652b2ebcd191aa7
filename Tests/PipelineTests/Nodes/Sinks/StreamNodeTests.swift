// SPDX-License-Identifier: Apache-2.0
import Dataflow
import Foundation
import Synchronization
import TestPeers
import TestSupport
import Testing

@testable import Media
@testable import Pipeline
@testable import PipelineLanguage

/// A run whose events are kept.
private final class WatchedRun {
    let run: PipelineRun
    private let told: Told

    private final class Told: Sendable { let events = Mutex<[RunEvent]>([]) }

    init(_ valid: ValidatedPipeline) throws {
        let (run, told) = (try PipelineRun(valid), Told())
        run.onEvent { event in told.events.withLock { $0.append(event) } }
        (self.run, self.told) = (run, told)
        try run.start()
    }

    func items(_ node: String) -> UInt64 { run.snapshot().node(node)?.items ?? 0 }

    /// What was told of a node's comings and goings so far.
    func turns(_ node: String) -> [RunEvent.Kind] {
        told.events.withLock { $0 }.filter { $0.node == node && [.lost, .returned].contains($0.kind) }.map(\.kind)
    }

    /// Waits for what comes soon unless something is wrong.
    func await(_ isSo: () -> Bool, _ place: Testing.SourceLocation = #_sourceLocation) throws {
        let deadline = Date().addingTimeInterval(30)
        while !isSo() {
            try #require(Date() < deadline && run.waitUntilFinished(seconds: 0.01) == nil, sourceLocation: place)
        }
    }

    /// Ends it; its report and its notes.
    func stop() -> (report: RunReport, notes: String) {
        run.stop()
        let report = run.waitUntilFinished()
        return (report, run.notes().flatMap(\.lines).joined(separator: "\n"))
    }
}

@Suite struct StreamNodeTests {
    private static let end = #""end": {"type": "null", "input": "v"}"#

    @Test(arguments: [
        (#""url": "rtsp://h/1""#, true), (#""url": "http://h/a.mp4""#, false), (#""url": "a.mp4""#, false),
        (#""url": "http://h/a.mp4", "live": "always""#, true), (#""url": "rtsp://h/1", "live": "never""#, false),
        (#""url": "a.mp4", "live": "always""#, false), (#""url": "a.mp4", "realtime": true"#, true),
    ])
    func `links of live input keep the newest frame, those of recordings every frame`(
        _ settings: String, _ isLive: Bool
    ) throws {
        let valid = try pipeline(#""v": {"type": "video", \#(settings)}, \#(Self.end)"#)
        #expect(try #require(valid["end"]).isLive == isLive)
        #expect(try #require(valid["end"]).inputs[0].rule.policy == (isLive ? .latest : .block))
    }

    @Test(arguments: [
        (#""url": "ftp://me:hidden@h/a""#, "nothing can be pushed there"), (#""url": "out/a.mp4""#, ".m3u8"),
        (#""url": "rtmp://h/live/hidden", "codec": "hevc""#, "hevc cannot go there"),
        (#""url": "srt://h:1", "giveUpAfter": 5"#, "write the unit"),
    ])
    func `a mistake in a stream's settings is told before anything is opened`(_ settings: String, _ text: String) throws
    {
        let error = try #require(throws: PipelineFileError.self) {
            _ = try pipeline(
                #""v": {"type": "testpattern"}, "out": {"type": "stream", "input": "v", \#(settings)}"#)
        }
        let all = error.diagnostics.map(\.description).joined(separator: "\n")
        #expect(all.contains(text), "\(all)")
        #expect(!all.contains("hidden"), "\(all)")
    }

    @Test func `a server that is absent is one sentence at the start, or waited for`() throws {
        let url = "tcp://127.0.0.1:1"
        let error = try #require(throws: PipelineRunError.self) {
            _ = try PipelineRun(pipeline(#""v": {"type": "video", "url": "\#(url)"}, \#(Self.end)"#))
        }
        #expect(error.description == "nodes.v: \(url): nothing listens at this address (connection refused)")
        let run = try PipelineRun(
            pipeline(#""v": {"type": "video", "url": "\#(url)", "waitForServer": true}, \#(Self.end)"#))
        try run.start()
        #expect(run.waitUntilFinished(seconds: 0.3) == nil)
        run.stop()
        let report = run.waitUntilFinished()
        #expect(report.failures.isEmpty && report.isBalanced)
        #expect(run.notes().contains { $0.lines.contains { $0.contains("attempts to connect failed (absent") } })
    }

    @Test(.timeLimit(.minutes(15))) func `what is given up on is a failure of its node`() throws {
        let report = try PipelineRun(
            pipeline(
                """
                "v": {"type": "video", "url": "tcp://127.0.0.1:1", "waitForServer": true, "giveUpAfter": "300ms"},
                "end": {"type": "null", "input": "v"},
                "bars": {"type": "testpattern", "size": "64x48", "fps": 50, "realtime": true, "frames": 100},
                "out": {"type": "stream", "input": "bars", "url": "tcp://127.0.0.1:1", "giveUpAfter": "300ms"}
                """)
        ).finish()
        #expect(report.failures.map(\.node).sorted() == ["out", "v"])
        #expect(report.failures.allSatisfy { $0.message.contains("nothing listens at this address") })
        #expect(report.isBalanced)
    }

    @Test(.timeLimit(.minutes(15))) func `frames that nobody is there for are dropped with that cause`() throws {
        let run = try PipelineRun(
            pipeline(
                """
                "bars": {"type": "testpattern", "size": "64x48", "frames": 20},
                "out": {"type": "stream", "input": "bars", "url": "rtmp://127.0.0.1:1/live/hidden"}
                """))
        let report = try run.finish()
        #expect(report.failures.isEmpty && report.isBalanced)
        let drops: [RunReport.Drop] = report.source("bars").map(\.drops) ?? []
        let counted = drops.filter { $0.count > 0 }.map { "\($0.count) at \($0.place): \($0.cause.name)" }
        #expect(counted == ["20 at out: disconnected"])
        let notes = run.notes().flatMap(\.lines).joined(separator: "\n")
        #expect(notes.contains("never connected: ") && !notes.contains("hidden"), "\(notes)")
    }

    @Test(.timeLimit(.minutes(15))) func `a peer that goes is told of, and its return`() throws {
        var peer: LocalSocket? = try LocalSocket(listens: true)
        let port = try #require(peer).port
        let watched = try WatchedRun(
            pipeline(
                """
                "bars": {"type": "testpattern", "size": "64x48", "fps": 50, "frames": 0, "realtime": true},
                "out": {"type": "stream", "input": "bars", "url": "tcp://127.0.0.1:\(port)", "retryMax": "200ms"}
                """))
        try watched.await { watched.items("out") >= 10 }
        #expect(watched.turns("out") == [])
        peer?.hangUp()
        peer = nil
        try watched.await { watched.turns("out") == [.lost] }
        peer = try LocalSocket(port: port, listens: true)
        try watched.await { watched.turns("out") == [.lost, .returned] }
        let (report, notes) = watched.stop()
        peer?.hangUp()
        #expect(report.failures.isEmpty && report.isBalanced)
        #expect(notes.contains("lost once (broken), recovered once"), "\(notes)")
        let away = report.source("bars")?.drops.first { $0.cause == .disconnected }
        #expect(
            away?.place == "out" && notes.contains("\(away?.count ?? 0) frames dropped while nobody was"), "\(notes)")
    }

    /// ffmpeg as a camera with sound, for one that connects to a port.
    private static func camera(at port: Int) throws -> Peer {
        try Peer(
            Peer.ffmpeg,
            [
                "-re", "-f", "lavfi", "-i", "testsrc=s=64x48:r=25", "-re", "-f", "lavfi", "-i", "sine=f=440", "-t",
                "60", "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "5", "-pix_fmt",
                "yuv420p", "-c:a", "aac", "-f", "mpegts", "tcp://127.0.0.1:\(port)?listen=1",
            ])
    }

    @Test(
        .enabled(if: Peer.ffmpeg != nil, "ffmpeg is not installed: it is the other side"), .timeLimit(.minutes(15)))
    func `while a stream is away there is a gap where that is asked for, and the others go on`() throws {
        let scratch = try Scratch()
        let port = try LocalSocket.freePort()
        var source = try Self.camera(at: port)
        defer { source.kill() }
        let watched = try WatchedRun(
            pipeline(
                """
                "v": {"type": "video", "url": "tcp://127.0.0.1:\(port)", "onLost": "gap", "waitForServer": true,
                      "retryMax": "200ms"},
                "text": {"type": "jsonl", "input": "v", "path": "\(scratch.file("a.jsonl"))"},
                "bars": {"type": "testpattern", "size": "64x48", "fps": 50, "frames": 0, "realtime": true},
                "end": {"type": "null", "input": "bars"}
                """))
        try watched.await { watched.items("text") >= 10 }
        source.kill()
        try watched.await { watched.turns("v") == [.lost] }
        let (before, others) = (watched.items("text"), watched.items("end"))
        // Half a second.
        try watched.await { watched.items("end") >= others + 25 }
        source = try Self.camera(at: port)
        try watched.await { watched.turns("v") == [.lost, .returned] && watched.items("text") >= before + 10 }
        let (report, notes) = watched.stop()
        #expect(report.failures.isEmpty && report.isBalanced)
        #expect(notes.contains("lost once (") && notes.contains("recovered once"), "\(notes)")
        #expect(!notes.contains("no signal"), "\(notes)")
        var times: [Double] = []
        for line in try scratch.records("a.jsonl") {
            let record = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            #expect(record["signal"] == nil, "\(line)")
            times.append(try #require(record["pts"] as? Double))
        }
        let steps = zip(times.dropFirst(), times).map { $0 - $1 }
        // Time went on with the world's: what is missing shows as a step.
        #expect(steps.allSatisfy { $0 > 0 } && steps.max() ?? 0 > 0.4, "\(steps)")
    }

    @Test(
        .enabled(if: Peer.ffmpeg != nil, "ffmpeg is not installed: it is the other side"), .timeLimit(.minutes(15)))
    func `a stream with sound goes through a file and out again, over a loss`() throws {
        let scratch = try Scratch()
        let (into, out) = (try LocalSocket.freePort(), try LocalSocket.freePort())
        var source = try Self.camera(at: into)
        defer { source.kill() }
        let viewer = try Peer(
            Peer.ffmpeg,
            [
                "-i", "tcp://127.0.0.1:\(out)?listen=1", "-c", "copy", "-y", scratch.file("seen.mkv"),
            ])
        let valid = try pipeline(
            """
            "v": {"type": "video", "url": "tcp://127.0.0.1:\(into)", "retryMax": "200ms"},
            "out": {"type": "stream", "input": "v", "url": "tcp://127.0.0.1:\(out)", "preset": "ultrafast",
                    "retryMax": "200ms"},
            "file": {"type": "file", "input": "v", "path": "\(scratch.file("a.mkv"))", "preset": "ultrafast"}
            """)
        let deadline = Date().addingTimeInterval(40)
        var attempt = try? PipelineRun(valid)
        while attempt == nil, Date() < deadline {
            usleep(50_000)
            try? FileManager.default.removeItem(atPath: scratch.file("a.mkv"))
            attempt = try? PipelineRun(valid)
        }
        let run = try #require(attempt)
        let told = Mutex<[RunEvent]>([])
        run.onEvent { event in told.withLock { $0.append(event) } }
        try run.start()
        func pass(_ count: UInt64) {
            let goal = (run.snapshot().node("file")?.items ?? 0) + count
            while (run.snapshot().node("file")?.items ?? 0) < goal, Date() < deadline,
                run.waitUntilFinished(seconds: 0.02) == nil
            {}
        }
        pass(40)
        source.kill()
        pass(10)
        source = try Self.camera(at: into)
        pass(100)
        run.stop()
        let report = run.waitUntilFinished()
        viewer.wait()
        #expect(report.failures.isEmpty && report.isBalanced)
        let kinds = told.withLock { $0 }.filter { $0.node == "v" }.map(\.kind)
        #expect(kinds.contains(.lost) && kinds.contains(.returned), "\(kinds)")
        let notes = run.notes().flatMap(\.lines).joined(separator: "\n")
        #expect(notes.contains("recovered once") && notes.contains("frames that say there is no signal"), "\(notes)")
        for name in ["a.mkv", "seen.mkv"] {
            let reader = try VideoReader(scratch.file(name))
            let tap = try #require(try reader.makeAudioTap())
            var video = [reader.info.startTime]
            while let frame = try reader.read() { video.append(reader.info.startTime + frame.pts.seconds) }
            var audio: [Double] = []
            while let entry = tap.take(until: .infinity) {
                audio.append(entry.seconds)
                AudioTap.free(entry.packet)
            }
            #expect(video.count > 80 && audio.count > 60, "\(name): \(video.count) pictures, \(audio.count) of sound")
            // Both end together, after a loss that both skipped.
            #expect(abs((video.last ?? 0) - (audio.last ?? 0)) < 1, "\(name)")
            for (left, right) in zip(audio, audio.dropFirst()) { #expect(left < right) }
        }
    }
}
