// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestPeers
import Testing

@testable import Media

/// Protocols and servers that the tests of losses do not go through.
@Suite(.enabled(if: Tool.hasFFmpeg, "ffmpeg is not installed: it is the other side"), .timeLimit(.minutes(15)))
struct `A stream goes` {
    private static func size(_ path: String) -> Int {
        (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
    }

    /// Pushes until `isEnough`, some seconds at most; what was done.
    private static func push(_ url: String, until isEnough: (StreamStatistics) -> Bool) throws -> StreamStatistics {
        let writer = try `A pushed stream`.writer(url)
        let deadline = Date().addingTimeInterval(15)
        var number = 0
        try `A pushed stream`.push(writer, from: &number) { _, seen in isEnough(seen) || Date() > deadline }
        writer.finish()
        return writer.statistics
    }

    @Test func `as datagrams of MPEG-TS`() throws {
        let scratch = try Scratch()
        let port = try LocalSocket.freePort()
        let path = scratch.path("a.mkv")
        let peer = try Peer.receiving(["-i", "udp://127.0.0.1:\(port)"], to: path)
        defer { peer.kill() }
        // A receiver that comes late waits for a keyframe: the interval has to be short.
        var settings = StreamWriter.Settings()
        settings.encoding.preset = "ultrafast"
        settings.encoding.keyframeInterval = 10
        let writer = try StreamWriter(try #require(StreamTarget("udp://127.0.0.1:\(port)")), settings: settings)
        let deadline = Date().addingTimeInterval(15)
        var number = 0
        try `A pushed stream`.push(writer, from: &number) { _, _ in Self.size(path) > 4000 || Date() > deadline }
        writer.finish()
        peer.kill()
        #expect(try Tool.probe(path, "packet=flags").count > 10)
        #expect(writer.statistics.outages.count == 0)
    }

    @Test(.enabled(if: Peer.hasRTSPServer, "GStreamer's RTSP server is not installed"))
    func `as H.264 into an RTSP server`() throws {
        let scratch = try Scratch()
        let port = try LocalSocket.freePort()
        let path = scratch.path("a.h264")
        let server = try Peer(Peer.python, ["-c", Peer.rtspRecorder, String(port), path])
        defer { server.kill() }
        let seen = try Self.push("rtsp://127.0.0.1:\(port)/live") { $0.packets >= 60 && Self.size(path) > 4000 }
        server.kill()
        #expect(seen.connections == 1 && seen.outages.count == 0)
        #expect(try Tool.probe(path, "packet=flags").count > 30)
    }

    @Test(.enabled(if: Peer.hasSRT, "this ffmpeg has no SRT"), arguments: [true, false])
    func `under a passphrase, and nowhere with a wrong one`(isRight: Bool) throws {
        let scratch = try Scratch()
        let port = try LocalSocket.freePort()
        let path = scratch.path("a.mkv")
        let peer = try Peer.receiving(
            ["-i", "srt://127.0.0.1:\(port)?mode=listener&passphrase=correct-horse"], to: path)
        defer { peer.kill() }
        let url = "srt://127.0.0.1:\(port)?passphrase=\(isRight ? "correct" : "wrongly")-horse"
        let seen = try Self.push(url) { isRight ? $0.packets >= 60 : !$0.failedAttempts.isEmpty }
        peer.wait(seconds: isRight ? 5 : 0)
        #expect(seen.outages.lastLoss?.contains("horse") != true)
        if isRight {
            #expect(try Tool.probe(path, "packet=flags").count >= 30)
        } else {
            #expect(seen.packets == 0 && seen.connections == 0 && Self.size(path) == 0)
        }
    }

    @Test(arguments: ["http", "https"]) func `as segments and a playlist put on a web server`(_ scheme: String) throws {
        if scheme == "https", !Peer.hasTLSFront {
            print("skipped: this needs an ffmpeg with TLS, python3 and openssl")
            return
        }
        let scratch = try Scratch()
        let server = try PutServer(into: scratch.folder)
        defer { server.stop() }
        var (port, front): (Int, Peer?) = (server.port, nil)
        // With TLS 1.3 FFmpeg cuts a segment short now and then (ARCHITECTURE, weak spots).
        if scheme == "https" { (port, front) = try Self.tlsFront(of: server.port, in: scratch, upTo: ["1.2"]) }
        defer { front?.kill() }
        let url = "\(scheme)://127.0.0.1:\(port)/live/a.m3u8"
        let writer = try `A pushed stream`.writer(url, keyframeInterval: nil)
        var number = 0
        try `A pushed stream`.push(writer, from: &number) { _, seen in seen.packets >= 130 }
        writer.finish()
        let list = scratch.path("a.m3u8")
        func isWhole() -> Bool {
            server.isIdle && (try? String(contentsOfFile: list, encoding: .utf8))?.contains("#EXT-X-ENDLIST") == true
        }
        let deadline = Date().addingTimeInterval(15)
        while !isWhole(), Date() < deadline { usleep(10_000) }
        let seen = writer.statistics
        #expect(server.faults == [])
        #expect(isWhole())
        #expect(seen.connections == 1 && seen.outages.count == 0 && seen.lostPackets == 0)
        #expect(try Reading(list).count == seen.packets)
        // The server was there before the first picture; the front may not have been.
        #expect(seen.packets == number || scheme == "https")
        // Two segments: two seconds, and what is left.
        #expect(try String(contentsOfFile: list, encoding: .utf8).split(separator: "#EXTINF").count == 3)
    }

    /// Takes TLS, under a certificate of its own, for a server behind it.
    private static func tlsFront(
        of behind: Int, in scratch: Scratch, upTo version: [String] = []
    ) throws -> (port: Int, front: Peer) {
        let certificate = scratch.path("a.pem")
        try Tool.run(
            Peer.openssl,
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                certificate, "-out", certificate, "-subj", "/CN=localhost", "-days", "2",
            ])
        let port = try LocalSocket.freePort()
        return (
            port, try Peer(Peer.python, ["-c", Peer.tlsFront, String(port), String(behind), certificate] + version)
        )
    }

    @Test(
        .enabled(if: Peer.hasTLSFront, "this needs an ffmpeg with TLS, python3 and openssl"),
        arguments: ["https", "rtmps", "rtsps"])
    func `over TLS, under a certificate of one's own`(_ scheme: String) throws {
        if scheme == "rtsps", !Peer.hasRTSPServer {
            print("skipped: GStreamer's RTSP server is not installed")
            return
        }
        let scratch = try Scratch()
        let behind = try LocalSocket.freePort()
        let (port, front) = try Self.tlsFront(of: behind, in: scratch)
        defer { front.kill() }
        let server =
            switch scheme {
            case "https": try Peer.sending(["-f", "mpegts", "-listen", "1", "http://127.0.0.1:\(behind)/live"])
            case "rtmps": try Peer.sending(["-f", "flv", "-listen", "1", "rtmp://127.0.0.1:\(behind)/live/a"])
            default: try Peer(Peer.python, ["-c", Peer.rtspServer, String(behind)])
            }
        defer { server.kill() }
        var follower = try Follower("\(scheme)://127.0.0.1:\(port)/live\(scheme == "rtmps" ? "/a" : "")")
        try follower.take(10)
        #expect(follower.end().frames >= 10)
    }
}
