// SPDX-License-Identifier: Apache-2.0
import Annotations
import Media
import TestSupport
import Testing

@testable import Overlay

/// Whatever is asked for, drawing neither crashes nor touches a byte that is not a sample.
@Suite struct DrawingFuzzTests {
    private static let odd: [Float] = [
        .nan, .infinity, -.infinity, .greatestFiniteMagnitude, -.greatestFiniteMagnitude, 1e30, -1e30, 3e9, -3e9, 32768,
        -32769, 65536.5, 0, -0.0, .leastNonzeroMagnitude, 0.5, -0.5, 1, 7, 8, 9, 15.999, 16, 1e-20,
    ]

    private func value(_ random: inout SeededGenerator) -> Float {
        switch UInt8.random(in: 0..<4, using: &random) {
        case 0: Self.odd.randomElement(using: &random) ?? 0
        case 1: .random(in: -1e6...1e6, using: &random)
        default: .random(in: -40...80, using: &random)
        }
    }

    private func point(_ random: inout SeededGenerator) -> Point { Point(x: value(&random), y: value(&random)) }

    private func rect(_ random: inout SeededGenerator) -> Box {
        Box(x: value(&random), y: value(&random), width: value(&random), height: value(&random))
    }

    @Test(arguments: PixelFormat.allCases, [(1, 1), (3, 5), (16, 9), (37, 22)])
    func `random extreme coordinates stay inside the planes`(_ format: PixelFormat, _ size: (Int, Int)) {
        var random = SeededGenerator(seed: 99)
        let planes = DrawingPlanes(format: format, width: size.0, height: size.1) { _ in 90 }
        let canvas = Canvas()
        let painter = OverlayPainter()
        canvas.draw(on: planes.surface, ColorSpec(matrix: .bt709)) { canvas in
            for _ in 0..<600 {
                let color = Color(
                    red: .random(in: 0...255, using: &random), green: 9, blue: 200,
                    alpha: .random(in: 0...255, using: &random))
                let cap = Bool.random(using: &random) ? Stroke.Cap.round : .butt
                var stroke = Stroke(color: color, width: value(&random), cap: cap)
                if Bool.random(using: &random) { stroke.halo = Halo(width: value(&random)) }
                canvas.line(from: point(&random), to: point(&random), stroke)
                canvas.outline(rect(&random), stroke, cornerRadius: value(&random))
                canvas.fill(rect(&random), color: color, cornerRadius: value(&random))
                canvas.disc(at: point(&random), radius: value(&random), color: color, halo: stroke.halo)
                canvas.text("Åб", at: point(&random), font: Font(size: 11), color: color)
                canvas.number(value(&random), at: point(&random), font: Font(size: 11), color: color)
            }
            for _ in 0..<60 {
                let face = Face(
                    box: rect(&random), score: value(&random), landmarks: (0..<5).map { _ in point(&random) })
                let line = LineSegment(from: point(&random), to: point(&random), score: value(&random))
                painter.style.lineWidth = value(&random)
                painter.style.fontSize = value(&random) / 1000
                painter.draw(FrameAnnotations().adding([face], by: "a").adding([line], by: "b"), on: canvas)
            }
        }
        #expect(planes.areGuardsIntact)
    }

    @Test func `what has no finite place or no size leaves the picture alone`() {
        let planes = DrawingPlanes(format: .i420, width: 20, height: 12) { _ in 90 }
        let before = planes.bytes
        let stroke = Stroke(color: .white, width: 2, halo: Halo())
        Canvas().draw(on: planes.surface, ColorSpec(matrix: .bt601)) {
            $0.line(from: Point(x: .nan, y: 2), to: Point(x: 9, y: .nan), stroke)
            $0.line(from: Point(x: .infinity, y: 2), to: Point(x: .infinity, y: 5), stroke)
            $0.line(from: Point(x: 2, y: 2), to: Point(x: 9, y: 9), Stroke(color: .white, width: 0))
            $0.line(from: Point(x: 2, y: 2), to: Point(x: 9, y: 9), Stroke(color: .white, width: .nan))
            $0.outline(Box(x: 2, y: 2, width: -1, height: 4), stroke)
            $0.outline(Box(x: 2, y: .nan, width: 1, height: 4), stroke)
            $0.fill(Box(x: 2, y: 2, width: 0, height: 4), color: .white)
            $0.fill(Box(x: 2, y: 2, width: 9, height: 4), color: Color.white.opacity(0))
            $0.disc(at: Point(x: 4, y: 4), radius: 0, color: .white, halo: Halo())
            $0.disc(at: Point(x: 4, y: 4), radius: .nan, color: .white)
            $0.line(from: Point(x: -50, y: -9), to: Point(x: 50, y: -9), stroke)
            $0.outline(Box(x: -500, y: -500, width: 1000, height: 1000), stroke, cornerRadius: 20)
        }
        #expect(planes.bytes == before)
    }

    @Test func `nothing is drawn outside of draw`() {
        let canvas = Canvas()
        canvas.fill(Box(x: 0, y: 0, width: 9, height: 9), color: .white)
        canvas.text("x", at: Point(x: 0, y: 0), font: Font(size: 12), color: .white)
        #expect(canvas.width == 0 && canvas.height == 0)
    }

    @Test func `a line across the picture looks the same however far its ends are`() {
        func drawn(_ reach: Float) -> [UInt8] {
            let planes = DrawingPlanes(format: .i420, width: 40, height: 40) { _ in 90 }
            Canvas().draw(on: planes.surface, ColorSpec(matrix: .bt601)) {
                $0.line(
                    from: Point(x: 20 - reach, y: 20 - reach), to: Point(x: 20 + reach, y: 20 + reach),
                    Stroke(color: .white, width: 3))
            }
            return planes.bytes
        }
        let near = drawn(64)
        #expect(Set(near).count > 2)
        for reach in [256, 4096, 65536] as [Float] { #expect(drawn(reach) == near) }
    }
}
