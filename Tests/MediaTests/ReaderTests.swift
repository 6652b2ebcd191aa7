// SPDX-License-Identifier: Apache-2.0
import Foundation
import Overlay
import TestPeers
import TestSupport
import Testing

@testable import Media

@Suite struct `A reader` {
    @Test(arguments: ["clip.mp4", "clip.mkv", "clip.mov"]) func `loops with timestamps that go on`(name: String) throws
    {
        let scratch = try Scratch()
        let path = scratch.file(name)
        try writePattern(path, frames: 20)
        var options = VideoReader.Options()
        options.isLooping = true
        let reading = try Reading(path, options: options, limit: 65)
        #expect(reading.count == 65 && reading.statistics.loops == 3)
        for (left, right) in zip(reading.seconds, reading.seconds.dropFirst()) {
            #expect(abs(right - left - 1 / 30) < 0.002)
        }
    }

    @Test(
        .enabled(if: Tool.hasFFmpeg, "ffmpeg is not installed: it makes the files"),
        arguments: ["clip.ts", "clip.264", "clip.avi", "clip.webm", "clip.mpg", "clip.gif", "clip.y4m"])
    func `loops whatever the container`(name: String) throws {
        let scratch = try Scratch()
        let path = scratch.file(name)
        let made = try Tool.run(
            Tool.ffmpeg,
            [
                "-v", "error", "-f", "lavfi", "-i", "testsrc=s=64x48:r=25:d=0.8", "-pix_fmt",
                name == "clip.gif" ? "rgb8" : "yuv420p", path,
            ])
        #expect(made.status == 0)
        let once = try Reading(path).count
        #expect(once == 20)
        var options = VideoReader.Options()
        options.isLooping = true
        let reading = try Reading(path, options: options, limit: 70)
        #expect(reading.count == 70 && reading.statistics.loops == 3)
        for (left, right) in zip(reading.seconds, reading.seconds.dropFirst()) {
            #expect(abs(right - left - 0.04) < 0.021)
        }
    }

    @Test func `describes its input`() throws {
        let scratch = try Scratch()
        let path = scratch.file("clip.mp4")
        var settings = WriterSettings()
        settings.frameRate = Rational(30000, 1001)
        try writePattern(
            path, width: 64, height: 48, frames: 60, settings: settings, times: { Int64($0) },
            timeBase: Rational(1001, 30000))
        let info = try VideoReader(path).info
        #expect((info.width, info.height, info.codec, info.container) == (64, 48, "h264", "mov"))
        #expect(info.frameRate == Rational(30000, 1001) && info.frameCount == 60)
        #expect(abs((info.duration ?? 0) - 60 * 1001 / 30000) < 0.01)
        #expect(!info.isLive && info.audio.isEmpty && info.format == .i420)
        #expect(info.streamInfo(source: "camera").frameRate == Rational(30000, 1001))
    }

    static let failures: [(String, [UInt8]?, MediaError.Code, String)] = [
        ("missing.mp4", nil, .notFound, "no such file or device"),
        ("empty.mp4", [], .notMedia, "not a media file, or damaged"),
        ("text.mp4", Array("just some words, no film".utf8), .notMedia, "not a media file, or damaged"),
        (".", nil, .notMedia, "is a folder, not a media file"),
    ]

    @Test(arguments: failures.indices) func `says in one line why a file does not open`(index: Int) throws {
        let (name, bytes, code, detail) = Self.failures[index]
        let scratch = try Scratch()
        let path = scratch.file(name)
        if let bytes { try Data(bytes).write(to: URL(fileURLWithPath: path)) }
        let error = #expect(throws: MediaError.self) { _ = try VideoReader(path) }
        #expect(error?.code == code)
        #expect(error?.description == "\(path): \(detail)")
    }

    @Test func `refuses options nobody knows`() throws {
        let scratch = try Scratch()
        let path = scratch.file("clip.mp4")
        try writePattern(path, frames: 2)
        var options = VideoReader.Options()
        options.options = ["no_such_thing": "1"]
        let error = #expect(throws: MediaError.self) { _ = try VideoReader(path, options: options) }
        #expect(error?.description == "\(path): the input has no option \"no_such_thing\"")
        options.options = [:]
        options.format = "nonsense"
        #expect(throws: MediaError.self) { _ = try VideoReader(path, options: options) }
    }

    @Test(.timeLimit(.minutes(15))) func `is unblocked by a stop from another thread`() throws {
        let scratch = try Scratch()
        let path = scratch.file("pipe")
        #expect(mkfifo(path, 0o600) == 0)
        // Both ends here, so that opening does not wait; nothing is ever written.
        let descriptor = open(path, O_RDWR)
        defer { close(descriptor) }
        let interrupt = Interrupt()
        Thread.detachNewThread {
            usleep(50_000)
            interrupt.cancel()
            // FFmpeg polls between reads: a byte ends the read it sits in.
            _ = write(descriptor, "x", 1)
        }
        let error = #expect(throws: MediaError.self) { _ = try VideoReader(path, interrupt: interrupt) }
        #expect(error?.code == .interrupted)
    }

    @Test(.timeLimit(.minutes(15))) func `gives up on a connection that says nothing`() throws {
        let server = try LocalSocket(listens: true)
        var options = VideoReader.Options()
        options.timeout = 0.3
        let url = "tcp://127.0.0.1:\(server.port)"
        let error = #expect(throws: MediaError.self) { _ = try VideoReader(url, options: options) }
        #expect(error?.code == .timedOut)
    }

    @Test func `plays a truncated file to the last good frame`() throws {
        let scratch = try Scratch()
        var random = SeededGenerator(seed: 7)
        for name in ["whole.mkv", "whole.mp4"] {
            let path = scratch.file(name)
            try writePattern(path, width: 320, height: 180, frames: 120)
            let data = try Data(contentsOf: URL(fileURLWithPath: path))
            let head = name.hasSuffix("mp4") ? 6_000 : 4_000
            for round in 0..<20 {
                let cut = scratch.file("cut\(round)" + name)
                let length = head + Int(random.next() % UInt64(data.count - head))
                try data.prefix(length).write(to: URL(fileURLWithPath: cut))
                let reading = try Reading(cut)
                #expect(reading.count > 0 && reading.count <= 120)
                #expect(reading.count >= 120 * (length - head) / data.count - 20)
                for (left, right) in zip(reading.seconds, reading.seconds.dropFirst()) { #expect(left < right) }
            }
        }
    }

    @Test func `hands out pictures over the decoder's memory`() throws {
        let scratch = try Scratch()
        let path = scratch.file("clip.mp4")
        try writePattern(path, frames: 10)
        let reading = try Reading(path, keep: true)
        #expect(reading.statistics.converted == 0)
        // Kept pictures do not change while later ones are decoded.
        let pattern = try TestPattern(width: 160, height: 96, frameRate: Rational(30, 1))
        for (number, frame) in reading.frames.enumerated() {
            #expect(try frame.picture.meanSquaredError(to: pattern.frame(number).picture, plane: 0) < 60)
        }
    }
}
