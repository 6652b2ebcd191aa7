// SPDX-License-Identifier: Apache-2.0
import Foundation
import Overlay
import TestPeers
import TestSupport
import Testing

@testable import Media

@Suite(.enabled(if: Tool.hasFFmpeg, "ffmpeg is not installed: it is the other side"), .timeLimit(.minutes(15)))
struct `A pushed stream` {
    /// Pushes a pattern at some pace until `isEnough` of what was done.
    static func push(
        _ writer: StreamWriter, from number: inout Int, while isRunning: () -> Bool = { true },
        until isEnough: (StreamWriter.Outcome, StreamStatistics) -> Bool
    ) throws {
        let pattern = try TestPattern(width: 64, height: 48, frameRate: Rational(50, 1))
        while isRunning() {
            let frame = try pattern.frame(number)
            number += 1
            let outcome = try writer.write(frame.picture, pts: frame.pts, duration: frame.duration)
            if isEnough(outcome, writer.statistics) { return }
            usleep(10_000)
        }
    }

    static func writer(
        _ url: String, keyframeInterval: Int? = 1000, security: TransportSecurity = TransportSecurity()
    ) throws -> StreamWriter {
        var settings = StreamWriter.Settings()
        settings.encoding.preset = "ultrafast"
        settings.encoding.frameRate = Rational(50, 1)
        settings.encoding.keyframeInterval = keyframeInterval
        settings.longestRetryNanoseconds = 200_000_000
        settings.silenceSeconds = 3
        return try StreamWriter(try #require(StreamTarget(url, security: security)), settings: settings)
    }

    @Test(arguments: ["rtmp", "rtsp"])
    func `goes on without its peer and begins with a keyframe when it is back`(_ scheme: String) throws {
        try losesItsPeer(scheme)
    }

    @Test(.enabled(if: Peer.hasSRT, "this ffmpeg has no SRT"))
    func `goes on without its SRT peer and begins with a keyframe when it is back`() throws {
        try losesItsPeer("srt")
    }

    private func losesItsPeer(_ scheme: String) throws {
        let scratch = try Scratch()
        let port = try LocalSocket.freePort()
        let (url, input): (String, [String]) =
            switch scheme {
            case "srt": ("srt://127.0.0.1:\(port)", ["-i", "srt://127.0.0.1:\(port)?mode=listener"])
            case "rtmp":
                ("rtmp://127.0.0.1:\(port)/live/a", ["-listen", "1", "-i", "rtmp://127.0.0.1:\(port)/live/a"])
            default:
                ("rtsp://127.0.0.1:\(port)/a", ["-rtsp_flags", "listen", "-i", "rtsp://127.0.0.1:\(port)/a"])
            }
        let writer = try Self.writer(url)
        var number = 0
        var sawAbsence = false
        // Nobody is there at first.
        try Self.push(writer, from: &number) { outcome, _ in outcome == .away }
        var peer = try Peer.receiving(input, to: scratch.file("first.mkv"))
        try Self.push(writer, from: &number) { _, seen in seen.packets >= 20 }
        peer.kill()
        try Self.push(writer, from: &number) { outcome, _ in
            sawAbsence = outcome == .away
            return sawAbsence
        }
        let before = writer.statistics.packets
        peer = try Peer.receiving(input, to: scratch.file("second.mkv"))
        try Self.push(writer, from: &number) { _, seen in seen.packets >= before + 60 }
        writer.finish()
        peer.wait()
        let seen = writer.statistics
        #expect(sawAbsence && seen.connections == 2)
        #expect(seen.outages.count == 1 && seen.outages.returns == 1)
        #expect(seen.failedAttempts[.absent] ?? 0 > 0 || scheme == "srt")
        let packets = try Tool.probe(scratch.file("second.mkv"), "packet=flags")
        #expect(packets.count >= 30, "\(packets.count) of 60 packets arrived")
        #expect(packets.first?.hasPrefix("K") == true)
        // The interval is far: a second keyframe would be one nobody asked for.
        #expect(packets.dropFirst().allSatisfy { !$0.hasPrefix("K") })
    }

    @Test func `is a playlist in a folder`() throws {
        let scratch = try Scratch()
        var settings = StreamWriter.Settings()
        settings.encoding.preset = "ultrafast"
        settings.encoding.frameRate = Rational(50, 1)
        let writer = try StreamWriter(try #require(StreamTarget(scratch.file("a.m3u8"))), settings: settings)
        var number = 0
        try Self.push(writer, from: &number) { _, seen in seen.packets >= 220 }
        writer.finish()
        let list = try String(contentsOfFile: scratch.file("a.m3u8"), encoding: .utf8)
        #expect(list.contains("#EXT-X-INDEPENDENT-SEGMENTS") && list.contains("#EXT-X-ENDLIST"))
        let reading = try Reading(scratch.file("a.m3u8"))
        #expect(reading.count == writer.statistics.packets)
        // The first picture, too: it waited for the connection.
        #expect(writer.statistics.packets == number)
        // Two seconds of 50 frames each.
        #expect(list.contains("#EXTINF:2.000000"), "\(list)")
    }

    @Test(arguments: [true, false])
    func `never waits for a peer that takes nothing, and counts what does not arrive`(isCutOff: Bool) throws {
        // The system connects, and takes what fits into its buffers.
        let peer = try LocalSocket(listens: true)
        defer { peer.hangUp() }
        var settings = StreamWriter.Settings()
        settings.encoding.codec = .h264
        settings.encoding.preset = "ultrafast"
        settings.encoding.quality = 0
        settings.longestRetryNanoseconds = 200_000_000
        let writer = try StreamWriter(try #require(StreamTarget("tcp://127.0.0.1:\(peer.port)")), settings: settings)
        // Noise fills the socket quickly.
        let picture = try PicturePool().make(
            width: 640, height: 480, format: .i420, color: .assumed(height: 480), pixelAspect: Rational(1, 1))
        var random = SeededGenerator(seed: 3)
        let luma = picture.mutablePlane(0)
        for y in 0..<480 { for x in 0..<640 { luma.row(y)[x] = UInt8(truncatingIfNeeded: random.next()) } }
        for plane in 1...2 {
            let chroma = picture.mutablePlane(plane)
            for y in 0..<240 { for x in 0..<320 { chroma.row(y)[x] = 128 } }
        }
        var outcome = StreamWriter.Outcome.away
        var (number, taken): (Int64, Int) = (0, 0)
        while outcome != .slow {
            outcome = try writer.write(
                picture, pts: MediaTime(ticks: number, base: Rational(1, 50)),
                duration: MediaTime(ticks: 1, base: Rational(1, 50)))
            number += 1
            if outcome == .sent { taken += 1 }
            usleep(1000)
        }
        if isCutOff { writer.cancel() } else { writer.finish() }
        let seen = writer.statistics
        #expect(seen.connections == 1)
        #expect(seen.packets + seen.lostPackets == taken && seen.lostPackets > 20, "\(seen)")
        // To be broken off is no loss; to take nothing until the end of our patience is one.
        #expect(seen.outages.losses == (isCutOff ? [:] : [.stalled: 1]))
    }

    @Test(arguments: [
        ("rtmp://h/live/secret", VideoCodec.hevc, "rtmp://h/live/***: flv cannot carry hevc"),
        ("srt://h:1", .vp9, "srt://h:1: mpegts cannot carry vp9"),
    ])
    func `says before it starts what cannot be carried`(_ url: String, _ codec: VideoCodec, _ text: String) throws {
        var settings = StreamWriter.Settings()
        settings.encoding.codec = codec
        let target = try #require(StreamTarget(url))
        let error = #expect(throws: MediaError.self) { _ = try StreamWriter(target, settings: settings) }
        #expect(error?.description == text)
    }
}
