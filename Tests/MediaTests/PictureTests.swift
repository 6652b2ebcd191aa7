// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

@testable import Media
@testable import Overlay

@Suite struct `Pictures` {
    static let turns: [Orientation] = [false, true].flatMap { swaps in
        [false, true].flatMap { x in [false, true].map { Orientation(swapsAxes: swaps, mirrorsX: x, mirrorsY: $0) } }
    }

    @Test(arguments: turns, [1, 2]) func `turn as the definition says`(turn: Orientation, bytes: Int) {
        var random = SeededGenerator(seed: 5)
        for (width, height) in [(1, 1), (3, 5), (37, 70), (64, 33)] {
            let source = (0..<height * (width + 3) * bytes).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            let (newWidth, newHeight) = turn.swapsAxes ? (height, width) : (width, height)
            var target = [UInt8](repeating: 0, count: newHeight * (newWidth + 5) * bytes)
            source.withUnsafeBufferPointer { source in
                target.withUnsafeMutableBufferPointer { target in
                    guard let from = source.baseAddress, let to = target.baseAddress else { return }
                    turn.apply(
                        from: Plane(base: from, stride: (width + 3) * bytes, width: width, height: height),
                        to: MutablePlane(base: to, stride: (newWidth + 5) * bytes, width: newWidth, height: newHeight),
                        bytes: bytes)
                }
            }
            for y in 0..<newHeight {
                for x in 0..<newWidth {
                    let (u, v) = (turn.mirrorsX ? newWidth - 1 - x : x, turn.mirrorsY ? newHeight - 1 - y : y)
                    let (sx, sy) = turn.swapsAxes ? (v, u) : (u, v)
                    for byte in 0..<bytes {
                        #expect(
                            target[(y * (newWidth + 5) + x) * bytes + byte]
                                == source[(sy * (width + 3) + sx) * bytes + byte])
                    }
                }
            }
        }
    }

    @Test(.enabled(if: Tool.hasFFmpeg, "ffmpeg is not installed"), arguments: [90, 180, 270])
    func `stand upright as FFmpeg's own player turns them`(degrees: Int) throws {
        let scratch = try Scratch()
        try writePattern(scratch.file("plain.mp4"), width: 96, height: 64, frames: 4)
        let path = scratch.file("turned.mp4")
        try Tool.run(
            Tool.ffmpeg,
            ["-v", "error", "-i", scratch.file("plain.mp4"), "-c", "copy", "-metadata:s:v", "rotate=\(degrees)", path])
        try Tool.run(
            Tool.ffmpeg,
            ["-v", "error", "-i", path, "-c:v", "ffv1", "-pix_fmt", "yuv420p", scratch.file("upright.mkv")])
        let ours = try Reading(path, keep: true)
        let theirs = try Reading(scratch.file("upright.mkv"), keep: true)
        #expect(ours.count == 4 && theirs.count == 4 && ours.info.orientation != .upright)
        for (a, b) in zip(ours.frames, theirs.frames) {
            #expect((a.picture.width, a.picture.height) == (b.picture.width, b.picture.height))
            for plane in 0..<3 { #expect(a.picture.meanSquaredError(to: b.picture, plane: plane) == 0) }
        }
        #expect((ours.info.width, ours.info.height) == (degrees == 180 ? (96, 64) : (64, 96)))
        var options = VideoReader.Options()
        options.appliesRotation = false
        #expect(try Reading(path, options: options, keep: true).frames[0].picture.width == 96)
    }

    static let stored: [(String, PixelFormat)] = [
        ("yuv420p", .i420), ("yuv422p", .i422), ("yuv444p", .i444), ("yuvj420p", .i420), ("gray", .gray8),
        ("yuv420p10le", .i420),
        ("yuv422p10le", .i422), ("yuv444p12le", .i444), ("yuv440p", .i444), ("yuv411p", .i422), ("yuv410p", .i420),
        ("rgb24", .i444), ("bgra", .i444), ("gray16le", .gray8), ("yuva420p", .i420), ("gbrp", .i444),
        ("rgb48le", .i444), ("nv12", .nv12),
        ("yuyv422", .i422),
    ]

    @Test(.enabled(if: Tool.hasFFmpeg, "ffmpeg is not installed"), arguments: stored.indices)
    func `of any stored layout become the nearest planar one`(index: Int) throws {
        let (name, format) = Self.stored[index]
        let scratch = try Scratch()
        let path = scratch.file("raw.nut")
        let raw =
            ["nv12", "yuyv422"].contains(name)
            ? "rawvideo" : name.hasPrefix("yuvj") ? "mjpeg" : ["rgb24", "rgb48le"].contains(name) ? "png" : "ffv1"
        // Bars whose colours are known: red, green and blue at full level.
        let made = try Tool.run(
            Tool.ffmpeg,
            [
                "-v", "error", "-f", "lavfi", "-i",
                "color=red:s=96x96:d=0.2:r=10,format=rgb24,drawbox=32:0:32:96:0x00FF00:fill,drawbox=64:0:32:96:blue:fill",
                "-vf", "scale=out_color_matrix=bt601,format=\(name)", "-c:v", raw, "-strict", "-2", "-q:v", "1", path,
            ])
        guard made.status == 0 else { return #expect(Bool(false), "ffmpeg cannot make \(name)") }
        let reading = try Reading(path, keep: true)
        #expect(reading.count == 2 && reading.info.format == format)
        let picture = reading.frames[0].picture
        #expect(picture.format == format)
        for (bar, rgb) in [(255, 0, 0), (0, 255, 0), (0, 0, 255)].enumerated() {
            let wanted = picture.color.bytes(of: rgb)
            let x = 16 + 32 * bar
            #expect(abs(Int(picture.plane(0).row(48)[x]) - Int(wanted.y)) <= 4, "bar \(bar)")
            if format == .nv12 {
                #expect(abs(Int(picture.plane(1).row(24)[x / 2 * 2]) - Int(wanted.u)) <= 4)
            } else if format != .gray8 {
                let (cx, cy) = (x >> format.chromaShiftX, 48 >> format.chromaShiftY)
                #expect(abs(Int(picture.plane(1).row(cy)[cx]) - Int(wanted.u)) <= 4, "bar \(bar)")
                #expect(abs(Int(picture.plane(2).row(cy)[cx]) - Int(wanted.v)) <= 4, "bar \(bar)")
            }
        }
    }

    @Test(arguments: PixelFormat.allCases, PictureScaler.Fit.allCases) func `scale`(
        format: PixelFormat, fit: PictureScaler.Fit
    ) throws {
        let pattern = try TestPattern(width: 320, height: 180, format: format)
        let source = try pattern.frame(0).picture
        for (width, height) in [(640, 640), (160, 90), (31, 77), (1, 1), (320, 180)] {
            let scaler = try PictureScaler(.init(width: width, height: height), fit: fit, filter: .area)
            let result = try scaler.scale(source)
            #expect(result.format == format && result.color == source.color)
            #expect((result.width, result.height) == scaler.outputSize(width: 320, height: 180))
            if fit != .inside { #expect((result.width, result.height) == (width, height)) }
            if fit == .letterbox && width == 640 {
                // Bars above and below: black, without colour.
                #expect(result.plane(0).row(10)[320] == 16 && result.plane(0).row(630)[5] == 16)
                if format == .i420 { #expect(result.plane(1).row(10)[5] == 128) }
                let white = source.color.bytes(of: TestPattern.bars[0]).y
                #expect(abs(Int(result.plane(0).row(250)[20]) - Int(white)) <= 3)
            }
        }
        #expect(try PictureScaler(.init(width: 320, height: 180)).scale(source) === source)
    }

    @Test func `convert between ranges and layouts`() throws {
        let source = try TestPattern(width: 160, height: 96).frame(0).picture
        let full = try PictureScaler(.init(format: .i444, range: .full)).scale(source)
        for (index, bar) in TestPattern.bars.enumerated() {
            let wanted = full.color.bytes(of: bar)
            #expect(abs(Int(full.plane(0).row(40)[index * 20 + 10]) - Int(wanted.y)) <= 2)
            #expect(abs(Int(full.plane(2).row(40)[index * 20 + 10]) - Int(wanted.v)) <= 2)
        }
        // Gray keeps its values: nobody takes it for another range.
        let gray = try PictureScaler(.init(format: .gray8)).scale(source)
        #expect(gray.format == .gray8 && gray.meanSquaredError(to: source, plane: 0) == 0)
        let back = try PictureScaler(.init(format: .i420)).scale(gray)
        #expect(back.meanSquaredError(to: source, plane: 0) == 0 && back.plane(1).row(3)[3] == 128)
        let fullGray = try PictureScaler(.init(format: .gray8, range: .full)).scale(source)
        #expect(abs(Int(fullGray.plane(0).row(40)[10]) - Int(full.plane(0).row(40)[10])) <= 1)
        #expect(throws: MediaError.self) { _ = try PictureScaler(.init(width: 0)) }
    }

    @Test func `that memory has no room for are refused, and the pool goes on`() throws {
        let pool = PicturePool()
        // More than FFmpeg hands out in one piece.
        let error = #expect(throws: MediaError.self) {
            try pool.make(width: 1 << 15, height: 1 << 15, format: .i444, color: ColorSpec(matrix: .bt709))
        }
        #expect(error?.code == .outOfMemory)
        #expect(
            error?.detail
                == "no memory is left for a picture of 32768x32768 (3222 MB): make pictures smaller, or fewer of "
                + "them at a time")
        #expect(try pool.make(width: 8, height: 8, format: .i444, color: ColorSpec(matrix: .bt709)).width == 8)
    }

    @Test func `of the test pattern are the same every time and differ from each other`() throws {
        for format in PixelFormat.allCases {
            for (width, height) in [(1, 1), (2, 3), (320, 180), (33, 17)] {
                let one = try TestPattern(width: width, height: height, format: format)
                let other = try TestPattern(width: width, height: height, format: format)
                for number in [0, 1, 99, 12_345] {
                    for plane in 0..<format.planeCount {
                        #expect(
                            try one.frame(number).picture.meanSquaredError(
                                to: other.frame(number).picture, plane: plane)
                                == 0)
                    }
                }
                if width == 320 {
                    #expect(try one.frame(1).picture.meanSquaredError(to: one.frame(2).picture, plane: 0) > 0)
                }
            }
        }
    }
}
