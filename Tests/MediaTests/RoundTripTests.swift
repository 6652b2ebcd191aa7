// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

@testable import Media
@testable import Overlay

@Suite struct `What is written comes back` {
    static let pairs: [(VideoCodec, Container)] = VideoCodec.allCases.flatMap { codec in
        Container.allCases.filter { $0.holds(codec) }.map { (codec, $0) }
    }

    @Test(arguments: pairs) func `every codec in every container that holds it`(codec: VideoCodec, container: Container)
        throws
    {
        let scratch = try Scratch()
        let path = scratch.file("clip." + container.rawValue)
        var settings = WriterSettings()
        settings.codec = codec
        if codec == .h264 || codec == .hevc { settings.quality = 12 }
        if codec == .vp9 { settings.quality = 10 }
        let statistics = try writePattern(path, settings: settings)
        #expect(statistics.frames == 30 && statistics.packets == 30)
        #expect(statistics.warnings == [])
        let back = try Reading(path, keep: true)
        #expect(back.count == 30)
        #expect(back.statistics.corrupt == 0 && back.statistics.repairedTimestamps == 0)
        let pattern = try TestPattern(width: 160, height: 96, frameRate: Rational(30, 1))
        for (number, frame) in back.frames.enumerated() {
            // Matroska counts in milliseconds.
            #expect(abs(frame.pts.seconds - Double(number) / 30) < (container.isFragmented ? 1e-9 : 6e-4))
            #expect(frame.picture.width == 160 && frame.picture.height == 96)
            #expect(
                try frame.picture.meanSquaredError(to: pattern.frame(number).picture, plane: 0)
                    < (codec == .mjpeg ? 400 : 60))
        }
        #expect(back.info.codec == codec.rawValue)
    }

    @Test(
        arguments: [(1, 1), (3, 5), (2, 2), (641, 361), (17, 16), (64, 1)],
        [VideoCodec.h264, .hevc, .vp9, .mjpeg, .ffv1])
    func `odd sizes`(size: (Int, Int), codec: VideoCodec) throws {
        let scratch = try Scratch()
        let path = scratch.file("odd.mkv")
        var settings = WriterSettings()
        settings.codec = codec
        let statistics = try writePattern(path, width: size.0, height: size.1, frames: 5, settings: settings)
        let back = try Reading(path, keep: true)
        #expect(back.count == 5)
        let picture = try #require(back.frames.first).picture
        if codec == .vp9 || codec == .mjpeg || codec == .ffv1 {
            #expect((picture.width, picture.height) == size)
            #expect(statistics.warnings.isEmpty)
        } else {
            #expect(
                picture.width >= size.0 && picture.width % 2 == 0 && picture.height >= size.1 && picture.height % 2 == 0
            )
            #expect(statistics.warnings.isEmpty == (picture.width == size.0 && picture.height == size.1))
        }
    }

    @Test(
        arguments: PixelFormat.allCases, ColorSpec.Matrix.all.flatMap { [($0, ColorSpec.Range.limited), ($0, .full)] })
    func `colours and their tags`(format: PixelFormat, tags: (ColorSpec.Matrix, ColorSpec.Range)) throws {
        let scratch = try Scratch()
        let path = scratch.file("colour.mp4")
        var settings = WriterSettings()
        settings.quality = 4
        let color = ColorSpec(matrix: tags.0, range: tags.1, primaries: 1, transfer: 1)
        try writePattern(path, frames: 3, format: format, color: color, settings: settings)
        let back = try Reading(path, keep: true)
        let picture = try #require(back.frames.first).picture
        #expect(picture.color == color)
        #expect(picture.format == .i420)
        for (index, bar) in TestPattern.bars.enumerated() {
            var expected = color.bytes(of: bar)
            if format == .gray8 { (expected.u, expected.v) = (128, 128) }
            let (x, y) = (160 * (2 * index + 1) / 16, 40)
            #expect(abs(Int(picture.plane(0).row(y)[x]) - Int(expected.y)) <= 3)
            #expect(abs(Int(picture.plane(1).row(y / 2)[x / 2]) - Int(expected.u)) <= 4)
            #expect(abs(Int(picture.plane(2).row(y / 2)[x / 2]) - Int(expected.v)) <= 4)
        }
    }

    @Test(arguments: [ColorSpec.Range.limited, .full]) func `mjpeg is full range whatever comes in`(
        range: ColorSpec.Range
    ) throws {
        let scratch = try Scratch()
        let path = scratch.file("clip.mkv")
        var settings = WriterSettings()
        settings.codec = .mjpeg
        settings.quality = 2
        try writePattern(path, frames: 2, color: ColorSpec(matrix: .bt601, range: range), settings: settings)
        let picture = try Reading(path, keep: true).frames[0].picture
        #expect(picture.color.range == .full)
        for (index, bar) in TestPattern.bars.enumerated() {
            let expected = ColorSpec(matrix: .bt601, range: .full).bytes(of: bar)
            #expect(abs(Int(picture.plane(0).row(40)[20 * index + 10]) - Int(expected.y)) <= 4)
            #expect(abs(Int(picture.plane(1).row(20)[10 * index + 5]) - Int(expected.u)) <= 5)
        }
    }

    static let bases: [Rational] = [
        Rational(1, 90_000), Rational(1001, 30_000), Rational(1, 1000), Rational(1, 30), Rational(1, 16_000),
    ]

    @Test(arguments: bases, [Container.mp4, .mov]) func `timestamps of any base stay exact`(
        base: Rational, container: Container
    ) throws {
        let scratch = try Scratch()
        let path = scratch.file("vfr." + container.rawValue)
        // Steps of 1...5 ticks that begin late: a variable frame rate.
        var times: [Int64] = []
        var time: Int64 = 7
        for number in 0..<40 {
            times.append(time)
            time += Int64(1 + (number * 7) % 5)
        }
        let wanted = times
        try writePattern(path, frames: 40, times: { wanted[$0] }, timeBase: base)
        let reader = try VideoReader(path)
        var got: [Double] = []
        while let frame = try reader.read() { got.append(frame.pts.seconds + reader.info.startTime) }
        #expect(got.count == 40)
        for (seconds, ticks) in zip(got, wanted) {
            #expect(abs(seconds - MediaTime(ticks: ticks, base: base).seconds) < 1e-6)
        }
    }

    @Test func `low latency and a bit rate`() throws {
        let scratch = try Scratch()
        let path = scratch.file("rate.mp4")
        var settings = WriterSettings()
        settings.hasLowLatency = true
        settings.bitRate = 400_000
        settings.keyframeInterval = 10
        let statistics = try writePattern(path, frames: 90, settings: settings)
        let rate = Double(statistics.videoBytes) * 8 / 3
        #expect(rate > 100_000 && rate < 800_000)
        #expect(try Reading(path).count == 90)
    }

    @Test func `pictures that change size and layout on the way are all kept`() throws {
        let scratch = try Scratch()
        let path = scratch.file("mixed.mp4")
        let writer = try VideoWriter(path, settings: WriterSettings())
        for (number, shape) in [(64, 48, PixelFormat.i420), (64, 48, .nv12), (80, 48, .i444), (31, 47, .gray8)]
            .enumerated()
        {
            let pattern = try TestPattern(width: shape.0, height: shape.1, format: shape.2)
            let frame = try pattern.frame(number)
            try writer.write(frame.picture, pts: frame.pts, duration: frame.duration)
        }
        let statistics = try writer.finish()
        #expect(statistics.packets == 4 && statistics.rescaled == 2)
        let back = try Reading(path, keep: true)
        #expect(back.frames.map(\.picture.width) == [64, 64, 64, 64])
    }

    @Test func `timestamps that do not increase are moved and counted`() throws {
        let scratch = try Scratch()
        let path = scratch.file("steps.mp4")
        let statistics = try writePattern(
            path, frames: 4, times: { [10, 10, 5, 40][$0] }, timeBase: Rational(1, 100))
        #expect(statistics.repairedTimestamps == 2)
        #expect(try Reading(path).count == 4)
    }
}

extension ColorSpec.Matrix {
    static let all: [ColorSpec.Matrix] = [.bt601, .bt709, .bt2020]
}
