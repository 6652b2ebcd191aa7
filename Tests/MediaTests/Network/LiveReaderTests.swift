// SPDX-License-Identifier: Apache-2.0
import Dataflow
import Foundation
import TestPeers
import TestSupport
import Testing

@testable import Media

/// Follows a stream that comes and goes.
struct Follower {
    let reader: LiveReader
    private var lastTime: Int64 = -1

    init(_ url: String, _ adjust: (inout LiveReader.Settings) -> Void = { _ in }) throws {
        var settings = LiveReader.Settings(try #require(StreamAddress(url)))
        settings.firstRetryNanoseconds = 50_000_000
        settings.longestRetryNanoseconds = 100_000_000
        settings.connectSeconds = 5
        settings.silenceSeconds = 2
        settings.pacesNoSignal = true
        adjust(&settings)
        reader = LiveReader(settings)
        try reader.start()
    }

    /// Takes pictures, their times rising, each of the present; passes over no-signal ones.
    mutating func take(_ count: Int, _ place: SourceLocation = #_sourceLocation) throws {
        var taken = 0
        let deadline = Date().addingTimeInterval(20)
        while taken < count {
            let event = try reader.next()
            try #require(Date() < deadline, "\(taken) of \(count) pictures in 20 s", sourceLocation: place)
            if case .ended = event {
                Issue.record("the stream is over after \(taken) pictures", sourceLocation: place)
                return
            }
            guard case .picture(let shot) = event else { continue }
            #expect(shot.time > lastTime, sourceLocation: place)
            #expect(MonotonicClock.system.now() &- shot.capturedAt < 1_500_000_000, sourceLocation: place)
            #expect(abs(shot.time - reader.present) < 8_000_000, sourceLocation: place)
            lastTime = shot.time
            taken += 1
        }
    }

    /// Waits for the word that the stream is away.
    func awaitLoss() throws -> StreamFault {
        while true {
            switch try reader.next() {
            case .noSignal(let fault): return fault
            case .picture: continue
            case .ended:
                Issue.record("the stream is over")
                return .ended
            }
        }
    }

    func end() -> LiveStatistics {
        reader.interrupt()
        reader.join()
        return reader.statistics
    }
}

@Suite(.enabled(if: Tool.hasFFmpeg, "ffmpeg is not installed: it is the other side"), .timeLimit(.minutes(15)))
struct `A live stream` {
    /// Reads from a peer that is killed and started again in the middle.
    private func survivesKill(
        _ url: String, _ start: () throws -> Peer, _ adjust: (inout LiveReader.Settings) -> Void = { _ in }
    ) throws -> LiveStatistics {
        var follower = try Follower(url, adjust)
        var peer = try start()
        defer { peer.kill() }
        try follower.take(10)
        peer.kill()
        _ = try follower.awaitLoss()
        peer = try start()
        try follower.take(10)
        let seen = follower.end()
        #expect(seen.outages.count >= 1 && seen.outages.returns >= 1)
        #expect(seen.outages.awayNanoseconds > 0)
        #expect(seen.notes.contains { $0.hasPrefix("lost ") })
        return seen
    }

    @Test(arguments: ["http", "rtmp"]) func `comes back after its server was killed`(_ scheme: String) throws {
        try losesItsServer(scheme)
    }

    @Test(.enabled(if: Peer.hasSRT, "this ffmpeg has no SRT"))
    func `comes back after its SRT server was killed`() throws { try losesItsServer("srt") }

    private func losesItsServer(_ scheme: String) throws {
        let port = try LocalSocket.freePort()
        let (url, output): (String, [String]) =
            switch scheme {
            case "http":
                ("http://127.0.0.1:\(port)/live", ["-f", "mpegts", "-listen", "1", "http://127.0.0.1:\(port)/live"])
            case "rtmp":
                ("rtmp://127.0.0.1:\(port)/live/a", ["-f", "flv", "-listen", "1", "rtmp://127.0.0.1:\(port)/live/a"])
            default:
                ("srt://127.0.0.1:\(port)", ["-f", "mpegts", "srt://127.0.0.1:\(port)?mode=listener"])
            }
        let seen = try survivesKill(url) { try Peer.sending(output) }
        #expect(seen.mode.hasPrefix("h264 64x48"), "\(seen.mode)")
    }

    @Test(.enabled(if: Peer.hasRTSPServer, "GStreamer's RTSP server is not installed"), arguments: ["tcp", "udp"])
    func `comes back over RTSP`(_ transport: String) throws {
        let port = try LocalSocket.freePort()
        let seen = try survivesKill("rtsp://127.0.0.1:\(port)/live") {
            try Peer(Peer.python, ["-c", Peer.rtspServer, String(port)])
        } _: {
            $0.transport = StreamAddress.Transport(rawValue: transport) ?? .tcp
        }
        #expect(seen.mode.hasPrefix("mjpeg 64x48"), "\(seen.mode)")
    }

    @Test(.enabled(if: Peer.python != nil, "python3 is not installed: it is the server"))
    func `comes back over HLS`() throws {
        let scratch = try Scratch()
        let port = try LocalSocket.freePort()
        let maker = try Peer.sending(
            ["-hls_time", "1", "-hls_list_size", "4", "-hls_flags", "delete_segments", scratch.file("live.m3u8")])
        defer { maker.kill() }
        let seen = try survivesKill("http://127.0.0.1:\(port)/live.m3u8") {
            try Peer(
                Peer.python, ["-m", "http.server", String(port), "--bind", "127.0.0.1", "--directory", scratch.path])
        }
        #expect(seen.mode.contains("(hls)"), "\(seen.mode)")
    }

    @Test(.enabled(if: Peer.python != nil, "python3 is not installed: it is the camera"))
    func `comes back as JPEG pictures over HTTP, timed by their arrival`() throws {
        let scratch = try Scratch()
        let port = try LocalSocket.freePort()
        let picture = scratch.file("a.jpg")
        try Tool.run(Tool.ffmpeg, ["-v", "error", "-f", "lavfi", "-i", "testsrc=s=64x48", "-frames:v", "1", picture])
        let seen = try survivesKill("http://127.0.0.1:\(port)/camera") {
            try Peer(Peer.python, ["-c", Peer.mjpegServer, String(port), picture])
        }
        #expect(seen.mode.hasPrefix("mjpeg 64x48"), "\(seen.mode)")
        #expect(seen.reading.repairedTimestamps == 0)
    }

    @Test func `that stands still is lost as stalled`() throws {
        let port = try LocalSocket.freePort()
        var follower = try Follower("tcp://127.0.0.1:\(port)") { $0.silenceSeconds = 0.5 }
        let peer = try Peer.sending(["-f", "mpegts", "tcp://127.0.0.1:\(port)?listen=1"])
        defer { peer.kill() }
        try follower.take(5)
        peer.freeze()
        #expect(try follower.awaitLoss() == .stalled)
        #expect(follower.end().outages.losses == [.stalled: 1])
    }

    @Test func `ends with its server where it is told to`() throws {
        let port = try LocalSocket.freePort()
        let follower = try Follower("tcp://127.0.0.1:\(port)") { $0.endsWithStream = true }
        let peer = try Peer.sending(["-frames:v", "30", "-f", "mpegts", "tcp://127.0.0.1:\(port)?listen=1"])
        defer { peer.kill() }
        var count = 0
        while case .picture = try follower.reader.next() { count += 1 }
        let seen = follower.end()
        #expect(seen.outages.count == 0 && seen.reading.endedEarly == nil)
        #expect(count > 0 && count + seen.overtaken + seen.stale == 30)
    }

    @Test func `that nobody serves is one sentence without secrets, or given up on`() throws {
        let port = try LocalSocket.freePort()
        let address = try #require(StreamAddress("http://me:hidden@127.0.0.1:\(port)/a?token=hidden"))
        let error = #expect(throws: MediaError.self) { try LiveReader(.init(address)).connect() }
        #expect(
            error?.description
                == "http://me:***@127.0.0.1:\(port)/a?token=***: nothing listens at this address (connection refused)")
        let follower = try Follower(address.url) { $0.giveUpNanoseconds = 300_000_000 }
        let failure = #expect(throws: MediaError.self) { _ = try follower.reader.next() }
        #expect(failure?.description.contains("hidden") == false)
        let seen = follower.end()
        #expect(seen.failedAttempts[.absent] ?? 0 >= 2)
        #expect(seen.outages.count == 0)
    }
}
