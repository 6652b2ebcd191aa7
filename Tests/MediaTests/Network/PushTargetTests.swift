// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestPeers
import TestSupport
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
        let path = scratch.file("a.mkv")
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

    @Test(.enabled(if: Peer.hasRTSPServer, hint(rtsp)))
    func `as H.264 into an RTSP server`() throws { try Self.pushToRTSP(overTLS: false) }

    @Test(.enabled(if: Peer.hasRTSPServer && Peer.hasTLSFront, hint(rtsp, tls)))
    func `as H.264 into an RTSP server over TLS`() throws { try Self.pushToRTSP(overTLS: true) }

    private static func pushToRTSP(overTLS: Bool) throws {
        let scratch = try Scratch()
        let behind = try LocalSocket.freePort()
        let path = scratch.file("a.h264")
        let server = try Peer(Peer.python, ["-c", Peer.rtspRecorder, String(behind), path])
        defer { server.kill() }
        let front = overTLS ? try TLSFront(of: behind, in: scratch) : nil
        defer { front?.kill() }
        let url = front.map { "rtsps://127.0.0.1:\($0.port)/live" } ?? "rtsp://127.0.0.1:\(behind)/live"
        let seen = try push(url) { $0.packets >= 60 && size(path) > 4000 }
        server.kill()
        #expect(seen.connections == 1 && seen.outages.count == 0)
        #expect(try Tool.probe(path, "packet=flags").count > 30)
    }

    @Test(.enabled(if: Peer.hasTLSFront, hint(tls)))
    func `as FLV into an RTMP server over TLS`() throws {
        let scratch = try Scratch()
        let behind = try LocalSocket.freePort()
        let path = scratch.file("a.mkv")
        let server = try Peer.receiving(
            ["-f", "flv", "-listen", "1", "-i", "rtmp://127.0.0.1:\(behind)/live/a"], to: path)
        defer { server.kill() }
        let front = try TLSFront(of: behind, in: scratch)
        defer { front.kill() }
        let seen = try Self.push("rtmps://127.0.0.1:\(front.port)/live/a") { $0.packets >= 60 }
        server.wait(seconds: 5)
        #expect(seen.connections == 1 && seen.outages.count == 0)
        #expect(try Tool.probe(path, "packet=flags").count >= 30)
    }

    @Test(.enabled(if: Peer.hasSRT, "this ffmpeg has no SRT"), arguments: [true, false])
    func `under a passphrase, and nowhere with a wrong one`(isRight: Bool) throws {
        let scratch = try Scratch()
        let port = try LocalSocket.freePort()
        let path = scratch.file("a.mkv")
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

    @Test func `as segments and a playlist put on a web server`() throws { try Self.pushSegments(overTLS: false) }

    @Test(.enabled(if: Peer.hasTLSFront, hint(tls)))
    func `as segments and a playlist put on a web server over TLS`() throws { try Self.pushSegments(overTLS: true) }

    private static func pushSegments(overTLS: Bool) throws {
        let scratch = try Scratch()
        let server = try PutServer(into: scratch.path)
        defer { server.stop() }
        // With TLS 1.3 FFmpeg cuts a segment short now and then (ARCHITECTURE, weak spots).
        let front = overTLS ? try TLSFront(of: server.port, in: scratch, upTo: ["1.2"]) : nil
        defer { front?.kill() }
        let url = (overTLS ? "https" : "http") + "://127.0.0.1:\(front?.port ?? server.port)/live/a.m3u8"
        let writer = try `A pushed stream`.writer(url, keyframeInterval: nil)
        var number = 0
        try `A pushed stream`.push(writer, from: &number) { _, seen in seen.packets >= 130 }
        writer.finish()
        let list = scratch.file("a.m3u8")
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
        #expect(seen.packets == number || overTLS)
        // Two segments: two seconds, and what is left.
        #expect(try String(contentsOfFile: list, encoding: .utf8).split(separator: "#EXTINF").count == 3)
    }

    @Test(.enabled(if: Peer.hasTLSFront, hint(tls)), arguments: ["https", "rtmps"])
    func `from a server over TLS, under a certificate of its own`(_ scheme: String) throws {
        try Self.follow(scheme) { behind in
            scheme == "https"
                ? try Peer.sending(["-f", "mpegts", "-listen", "1", "http://127.0.0.1:\(behind)/live/a"])
                : try Peer.sending(["-f", "flv", "-listen", "1", "rtmp://127.0.0.1:\(behind)/live/a"])
        }
    }

    @Test(.enabled(if: Peer.hasRTSPServer && Peer.hasTLSFront, hint(rtsp, tls)))
    func `from an RTSP server over TLS`() throws {
        try Self.follow("rtsps") { try Peer(Peer.python, ["-c", Peer.rtspServer, String($0)]) }
    }

    private static func follow(_ scheme: String, _ start: (_ port: Int) throws -> Peer) throws {
        let scratch = try Scratch()
        let behind = try LocalSocket.freePort()
        let front = try TLSFront(of: behind, in: scratch)
        defer { front.kill() }
        let server = try start(behind)
        defer { server.kill() }
        var follower = try Follower("\(scheme)://127.0.0.1:\(front.port)/live\(scheme == "rtsps" ? "" : "/a")")
        try follower.take(10)
        #expect(follower.end().frames >= 10)
    }
}

private let rtsp = "GStreamer's RTSP server"
private let tls = "an ffmpeg with TLS, python3 and openssl"

private func hint(_ missing: String...) -> Comment { "this needs \(missing.joined(separator: ", "))" }

/// Takes TLS, under a certificate of its own, for a server behind it.
private struct TLSFront {
    let port: Int
    private let peer: Peer

    init(of behind: Int, in scratch: Scratch, upTo version: [String] = []) throws {
        let certificate = scratch.file("front.pem")
        try Tool.run(
            Peer.openssl,
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                certificate, "-out", certificate, "-subj", "/CN=localhost", "-days", "2",
            ])
        port = try LocalSocket.freePort()
        peer = try Peer(Peer.python, ["-c", Peer.tlsFront, String(port), String(behind), certificate] + version)
    }

    func kill() { peer.kill() }
}
