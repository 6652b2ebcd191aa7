// SPDX-License-Identifier: Apache-2.0
import Foundation
import Media
import MediaTestSupport
import TestSupport
import Testing

@testable import Overlay

@Suite struct TimeCodeTests {
    /// How a camera sees the screen.
    struct View: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var size = (width: 640, height: 480)
        /// Pixels of the view per pixel of the screen.
        var scale: Float = 1
        var offset: (x: Float, y: Float) = (0, 0)
        var degrees: Float = 0
        var blur = 0
        var noise: Float = 0
        /// Brightness of black and white.
        var levels: (black: Float, white: Float) = (16, 235)
        var surroundings: Float = 90
    }

    static let views: [View] = [
        View(testDescription: "as it is"),
        View(testDescription: "half the size, aside", scale: 0.5, offset: (211.3, 97.7)),
        View(testDescription: "a fifth of the size", scale: 0.2, offset: (400, 300)),
        View(testDescription: "larger, cut at the edges of the screen", scale: 1.15, offset: (-45, -20)),
        View(testDescription: "filmed at 720p, which is reduced", size: (1280, 720), scale: 1.3, offset: (200.5, 41.5)),
        View(testDescription: "noise", noise: 25),
        View(testDescription: "blur", scale: 0.6, offset: (30, 40), blur: 4),
        View(testDescription: "low contrast", noise: 4, levels: (60, 110)),
        View(
            testDescription: "all at once", scale: 0.45, offset: (120.4, 60.6), degrees: 4, blur: 2, noise: 10,
            levels: (40, 190)),
        View(testDescription: "askew", scale: 0.7, offset: (80, 60), degrees: -9),
        View(
            testDescription: "in a bright room", scale: 0.5, offset: (100, 100), noise: 5, levels: (50, 200),
            surroundings: 220),
    ]

    private static func film(_ screen: Picture, _ view: View, _ random: inout SeededGenerator) -> Picture {
        let (width, height) = view.size
        let picture = somePicture(
            width: width, height: height, format: .gray8, color: ColorSpec(matrix: .bt709))
        let source = screen.plane(0)
        let angle = view.degrees * .pi / 180
        let (cosine, sine) = (cosf(angle), sinf(angle))
        var pixels = [Float](repeating: view.surroundings, count: width * height)
        for y in 0..<height {
            for x in 0..<width {
                let (dx, dy) = (Float(x) + 0.5 - view.offset.x, Float(y) + 0.5 - view.offset.y)
                let sx = (dx * cosine + dy * sine) / view.scale - 0.5
                let sy = (dy * cosine - dx * sine) / view.scale - 0.5
                guard sx >= 0, sy >= 0, sx < Float(source.width - 1), sy < Float(source.height - 1) else { continue }
                let (column, row) = (Int(sx), Int(sy))
                let (u, v) = (sx - Float(column), sy - Float(row))
                let (upper, lower) = (source.row(row), source.row(row + 1))
                let value =
                    (Float(upper[column]) * (1 - u) + Float(upper[column + 1]) * u) * (1 - v)
                    + (Float(lower[column]) * (1 - u) + Float(lower[column + 1]) * u) * v
                pixels[y * width + x] =
                    view.levels.black + (value - 16) / 219 * (view.levels.white - view.levels.black)
            }
        }
        for _ in 0..<view.blur {
            let before = pixels
            for y in 1..<height - 1 {
                for x in 1..<width - 1 {
                    var sum: Float = 0
                    for dy in -1...1 { for dx in -1...1 { sum += before[(y + dy) * width + x + dx] } }
                    pixels[y * width + x] = sum / 9
                }
            }
        }
        let plane = picture.mutablePlane(0)
        for y in 0..<height {
            for x in 0..<width {
                let value = pixels[y * width + x] + view.noise * random.normal()
                plane.row(y)[x] = UInt8(max(0, min(255, value.rounded())))
            }
        }
        return picture
    }

    @Test(arguments: views) func `a filmed code is read`(_ view: View) throws {
        var random = SeededGenerator(seed: 1)
        let (shown, reader) = (TimeCodePicture(), TimeCodeReader())
        for ticks in [0, UInt32.random(in: 0...(.max), using: &random)] {
            let code = TimeCode(ticks: ticks)
            #expect(try reader.read(Self.film(shown.picture(of: code), view, &random)) == code, "\(ticks)")
        }
    }

    @Test func `two codes at once are read as neither`() throws {
        var random = SeededGenerator(seed: 2)
        let (first, second) = (TimeCodePicture(width: 320, height: 240), TimeCodePicture(width: 320, height: 240))
        let reader = TimeCodeReader()
        for _ in 0..<8 {
            let codes = (0..<2).map { _ in TimeCode(ticks: .random(in: 0...(.max), using: &random)) }
            let a = try first.picture(of: codes[0]).plane(0)
            let b = try second.picture(of: codes[1]).plane(0)
            // A camera's exposure that spans both, each as long.
            let mixed = somePicture(width: 320, height: 240, format: .gray8, color: ColorSpec(matrix: .bt709))
            for y in 0..<240 {
                for x in 0..<320 {
                    mixed.mutablePlane(0).row(y)[x] = UInt8((Int(a.row(y)[x]) + Int(b.row(y)[x])) / 2)
                }
            }
            if let read = reader.read(mixed) { #expect(codes.contains(read)) }
        }
    }

    @Test func `there is nothing to read where no code is`() throws {
        var random = SeededGenerator(seed: 3)
        let reader = TimeCodeReader()
        let pattern = try TestPattern(width: 640, height: 360)
        for number in 0..<5 { #expect(try reader.read(pattern.frame(number).picture) == nil) }
        for round in stride(from: 0, to: 20, by: 3) {
            let picture = try PicturePool().make(
                width: 320, height: 240, format: .gray8, color: ColorSpec(matrix: .bt709))
            let plane = picture.mutablePlane(0)
            // Noise, then ever coarser blocks of it.
            let block = 1 + round * 2
            for y in 0..<240 {
                for x in 0..<320 {
                    plane.row(y)[x] =
                        x % block == 0
                        ? y % block == 0 ? .random(in: 0...255, using: &random) : plane.row(y - 1)[x]
                        : plane.row(y)[x - 1]
                }
            }
            #expect(reader.read(picture) == nil)
        }
        for (width, height) in [(1, 1), (7, 900), (2000, 3)] {
            let picture = try PicturePool().make(
                width: width, height: height, format: .gray8, color: ColorSpec(matrix: .bt709))
            for y in 0..<height {
                for x in 0..<width { picture.mutablePlane(0).row(y)[x] = UInt8(255 * ((x + y) % 2)) }
            }
            #expect(reader.read(picture) == nil)
        }
    }

    @Test func `cells are the time and a checksum`() {
        // CRC-16/CCITT-FALSE of 00 00 00 00 is 84C0.
        #expect(TimeCode.checksum(0) == 0x84C0)
        var random = SeededGenerator(seed: 4)
        for _ in 0..<200 {
            let code = TimeCode(ticks: .random(in: 0...(.max), using: &random))
            let cells = code.cells
            #expect(TimeCode(cells: cells) == code)
            // Any one or two wrong cells are noticed.
            var wrong = cells
            let first = Int.random(in: 0..<48, using: &random)
            wrong[first].toggle()
            #expect(TimeCode(cells: wrong) == nil)
            wrong[(first + Int.random(in: 1..<48, using: &random)) % 48].toggle()
            #expect(TimeCode(cells: wrong) == nil)
        }
        #expect(TimeCode(cells: []) == nil)
    }

    @Test func `the age of a code outlives the end of its range`() {
        let range = UInt64(1) << 32 * TimeCode.tick
        for start in [0, 1_234_567_890, range - 5_000_000] as [UInt64] {
            let code = TimeCode(nanoseconds: start)
            #expect(code.age(at: start + 7_300_000) == Int64(7_300_000 + start % TimeCode.tick))
        }
        #expect(TimeCode(nanoseconds: 500_000_000).age(at: 400_000_000) == -100_000_000)
    }
}

extension SeededGenerator {
    /// A normally distributed number.
    fileprivate mutating func normal() -> Float {
        let (a, b) = (Float.random(in: 1e-6...1, using: &self), Float.random(in: 0...1, using: &self))
        return (-2 * logf(a)).squareRoot() * cosf(2 * .pi * b)
    }
}
