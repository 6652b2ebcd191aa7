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
    private static func push(
        _ url: String, _ security: TransportSecurity = TransportSecurity(), until isEnough: (StreamStatistics) -> Bool
    ) throws -> StreamStatistics {
        let writer = try `A pushed stream`.writer(url, security: security)
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
        // FFmpeg has no way to verify a certificate there.
        let seen = try push(url, TransportSecurity(verifies: false)) { $0.packets >= 60 && size(path) > 4000 }
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
        let seen = try Self.push("rtmps://127.0.0.1:\(front.port)/live/a", front.security) { $0.packets >= 60 }
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
        let front = overTLS ? try TLSFront(of: server.port, in: scratch) : nil
        defer { front?.kill() }
        let url = (overTLS ? "https" : "http") + "://127.0.0.1:\(front?.port ?? server.port)/live/a.m3u8"
        let writer = try `A pushed stream`.writer(
            url, keyframeInterval: nil, security: front?.security ?? TransportSecurity())
        var number = 0
        // Counted when the segment that they are in has arrived.
        try `A pushed stream`.push(writer, from: &number) { _, seen in seen.packets >= 100 }
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

    /// What a stranger's certificate is worth: the connection ends before a password is sent.
    @Test(
        .enabled(if: Peer.hasTLSFront, hint(tls)),
        arguments: [
            ("https", "127.0.0.1", false, "not from an authority"), ("https", "evil.example", true, "another host"),
            ("rtmps", "127.0.0.1", false, "not from an authority"), ("rtsps", "127.0.0.1", true, "cannot verify"),
        ])
    func `not from a stranger`(_ scheme: String, _ host: String, isKnown: Bool, _ reason: String) throws {
        let scratch = try Scratch()
        let behind = try LocalSocket(listens: true)
        let front = try TLSFront(of: behind.port, in: scratch, host: host)
        defer { front.kill() }
        var settings = LiveReader.Settings(
            try #require(StreamAddress("\(scheme)://me:secret@127.0.0.1:\(front.port)/live/a")))
        if isKnown { settings.reading.security = front.security }
        let deadline = Date().addingTimeInterval(15)
        var error: MediaError?
        repeat {
            error = #expect(throws: MediaError.self) { try LiveReader(settings).connect() }
        } while error?.code == .notFound && Date() < deadline
        #expect(error?.code == .untrusted, "\(error?.description ?? "")")
        #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
        #expect(error?.description.contains("secret") == false)
        // A handshake that failed has nothing to hand on.
        if behind.isCalled, let connection = behind.accept() {
            var byte: UInt8 = 0
            #expect(recv(connection, &byte, 1, 0) <= 0, "something was said to a stranger")
            close(connection)
        }
    }

    @Test(arguments: ["401 Unauthorized", "403 Forbidden", "500 Oops", "hang up"])
    func `nowhere when a web server takes no segments`(_ answer: String) throws {
        let server = try RefusingServer(answer)
        defer { server.stop() }
        let seen = try Self.push("http://127.0.0.1:\(server.port)/live/a.m3u8") { !$0.failedAttempts.isEmpty }
        #expect(seen.packets == 0 && seen.connections == 0)
        let fault: StreamFault = answer.hasPrefix("4") ? .denied : .broken
        #expect(seen.failedAttempts[fault] ?? 0 > 0, "\(seen.failedAttempts)")
    }

    @Test func `nowhere when a web server stops taking segments, which is told and counted`() throws {
        let server = try RefusingServer("500 Oops", after: 1)
        defer { server.stop() }
        let writer = try `A pushed stream`.writer("http://127.0.0.1:\(server.port)/live/a.m3u8", keyframeInterval: 10)
        var number = 0
        let deadline = Date().addingTimeInterval(30)
        try `A pushed stream`.push(writer, from: &number) { _, seen in seen.outages.count > 0 || Date() > deadline }
        writer.cancel()
        let seen = writer.statistics
        #expect(seen.packets == 0 && seen.connections >= 1)
        #expect(seen.outages.losses[.broken] ?? 0 > 0)
        #expect(seen.lostPackets >= 100, "\(seen.lostPackets)")
        #expect(seen.outages.lastLoss?.contains("5xx") == true, "\(seen.outages.lastLoss ?? "")")
    }

    @Test func `into a folder that can be made, and nowhere else`() throws {
        let scratch = try Scratch()
        try #require(StreamTarget(scratch.file("new/a.m3u8"))).prepare()
        #expect(FileManager.default.fileExists(atPath: scratch.file("new")))
        _ = FileManager.default.createFile(atPath: scratch.file("file"), contents: nil)
        let target = try #require(StreamTarget(scratch.file("file/a.m3u8")))
        #expect(throws: MediaError.self) { try target.prepare() }
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
        let isRTSP = scheme == "rtsps"
        var follower = try Follower("\(scheme)://127.0.0.1:\(front.port)/live\(isRTSP ? "" : "/a")") {
            $0.reading.security = isRTSP ? TransportSecurity(verifies: false) : front.security
        }
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
    /// Believes the certificate, and no other.
    let security: TransportSecurity
    private let peer: Peer

    init(of behind: Int, in scratch: Scratch, host: String = "127.0.0.1") throws {
        let certificate = scratch.file("front.pem")
        try Tool.run(
            Peer.openssl,
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                certificate, "-out", certificate, "-subj", "/CN=\(host)", "-addext",
                "subjectAltName=\(host == "127.0.0.1" ? "IP" : "DNS"):\(host)", "-days", "2",
            ])
        security = TransportSecurity(certificate: certificate)
        port = try LocalSocket.freePort()
        peer = try Peer(Peer.python, ["-c", Peer.tlsFront, String(port), String(behind), certificate])
    }

    func kill() { peer.kill() }
}
