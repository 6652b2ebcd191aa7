// SPDX-License-Identifier: Apache-2.0
import Annotations
import Foundation
import Media
import TestSupport
import Testing

@testable import Overlay

/// The fast shapes against the plain rasteriser.
///
/// Full range, black to white: a level is 1/255 of coverage.
@Suite struct DrawingShapeTests {
    static let spec = ColorSpec(matrix: .bt601, range: .full)
    // Full-range BT.601 of 0xFF3000: far from the background in all three components.
    static let color = Color(hex: 0xFF3000)

    /// Draws in every format and compares; the bounds are shares of the way from the background to the colour.
    private func compare(
        _ width: Int, _ height: Int, alpha: Double = 1, largest: Double, mean: Double, _ note: String = "",
        draw: (Canvas) -> Void, isInside: (Double, Double) -> Bool
    ) {
        let background: (Int) -> UInt8 = { $0 == 0 ? 0 : 160 }
        let cover = DrawingReference.coverage(width: width, height: height, isInside: isInside).map { $0 * alpha }
        let yuv = YUVColor(Self.color, in: Self.spec)
        let spans = [Double(yuv.y), abs(160 - Double(yuv.u)), abs(160 - Double(yuv.v))]
        for format in PixelFormat.allCases {
            let planes = DrawingPlanes(format: format, width: width, height: height, fill: background)
            Canvas().draw(on: planes.surface, Self.spec, draw)
            #expect(planes.areGuardsIntact)
            var reference = DrawingReference(format: format, width: width, height: height, fill: background)
            reference.blend(y: Double(yuv.y), u: Double(yuv.u), v: Double(yuv.v), cover)
            for index in 0..<(format == .gray8 ? 1 : 3) {
                // Rounding to a level on either side and to a 128th of coverage is not the shape's error.
                let slack = 1.0 + spans[index] / 256
                let errors = reference.errors(of: planes, component: index)
                let place: Comment = "component \(index) of \(format) \(width)x\(height), \(note)"
                #expect(errors.largest <= largest * spans[index] + slack, place)
                #expect(errors.mean <= mean * spans[index] + slack, place)
            }
        }
    }

    private func isNear(_ x: Double, _ y: Double, _ a: Point, _ b: Point, _ half: Double, isRound: Bool) -> Bool {
        let (dx, dy) = (Double(b.x - a.x), Double(b.y - a.y))
        let length = (dx * dx + dy * dy).squareRoot()
        let (px, py) = (x - Double(a.x), y - Double(a.y))
        let along = (px * dx + py * dy) / length
        let across = abs(px * dy - py * dx) / length
        if along >= 0 && along <= length { return across <= half }
        guard isRound else { return false }
        let past = along < 0 ? -along : along - length
        return past * past + across * across <= half * half
    }

    @Test(arguments: [Stroke.Cap.round, .butt])
    func `lines of any width and slope cover what the plain rasteriser covers`(_ cap: Stroke.Cap) {
        var random = SeededGenerator(seed: 11)
        for (number, width) in ([0.3, 0.8, 1, 1.5, 2, 2, 3.3, 5, 8, 17] as [Float]).enumerated() {
            let from = Point(x: .random(in: -5...48, using: &random), y: .random(in: -5...36, using: &random))
            let angle = Float(number) * 0.7 + Float.random(in: 0...0.2, using: &random)
            let length = Float.random(in: 12...60, using: &random)
            let to = Point(x: from.x + cos(angle) * length, y: from.y + sin(angle) * length)
            // A corner of a butt end or a half disc thinner than a sample is the worst; edges stay below 0.1.
            compare(
                43, 31, largest: 0.22, mean: 0.03, "\(from) to \(to), width \(width)",
                draw: { $0.line(from: from, to: to, Stroke(color: Self.color, width: width, cap: cap)) },
                isInside: { isNear($0, $1, from, to, Double(width) / 2, isRound: cap == .round) })
        }
    }

    @Test(arguments: [
        (Point(x: 3, y: 10.25), Point(x: 30, y: 10.25)), (Point(x: 20.75, y: 2), Point(x: 20.75, y: 18)),
        (Point(x: 30, y: 8), Point(x: 3, y: 8)),
    ])
    func `level and upright lines are exact`(_ from: Point, _ to: Point) {
        for width in [0.5, 1, 2, 2.5] as [Float] {
            compare(
                35, 21, largest: 0.04, mean: 0.02, "width \(width)",
                draw: { $0.line(from: from, to: to, Stroke(color: Self.color, width: width, cap: .butt)) },
                isInside: { isNear($0, $1, from, to, Double(width) / 2, isRound: false) })
        }
    }

    @Test func `discs of any size cover what the plain rasteriser covers`() {
        var random = SeededGenerator(seed: 12)
        for radius in [0.4, 0.7, 1, 1.6, 2.5, 6, 15] as [Float] {
            let centre = Point(x: .random(in: -2...30, using: &random), y: .random(in: -2...25, using: &random))
            compare(
                29, 23, largest: 0.2, mean: 0.06, "radius \(radius)",
                draw: { $0.disc(at: centre, radius: radius, color: Self.color) },
                isInside: { x, y in
                    let (dx, dy) = (x - Double(centre.x), y - Double(centre.y))
                    return dx * dx + dy * dy <= Double(radius * radius)
                })
        }
    }

    private func isWithin(_ x: Double, _ y: Double, _ rect: Box, grown: Double, _ radius: Double) -> Bool {
        let (left, right) = (Double(rect.x) - grown, Double(rect.x + rect.width) + grown)
        let (top, bottom) = (Double(rect.y) - grown, Double(rect.y + rect.height) + grown)
        guard x >= left, x <= right, y >= top, y <= bottom else { return false }
        let radius = min(max(0, radius + (radius > 0 ? grown : 0)), min(right - left, bottom - top) / 2)
        let dx = max(0, left + radius - x, x - (right - radius))
        let dy = max(0, top + radius - y, y - (bottom - radius))
        return dx * dx + dy * dy <= radius * radius || dx == 0 || dy == 0
    }

    @Test(arguments: [0, 1.5, 4] as [Float])
    func `outlines at fractions of a sample cover what the plain rasteriser covers`(_ radius: Float) {
        let rects = [
            Box(x: 5.3, y: 4.7, width: 44.1, height: 26.2), Box(x: 7, y: 3, width: 9.5, height: 30),
            Box(x: -10.2, y: 12.4, width: 40, height: 50), Box(x: 20, y: 20.5, width: 30.25, height: 3),
            Box(x: 11, y: 9, width: 33.5, height: 21), Box(x: 30.5, y: 18.5, width: 2.25, height: 1.75),
        ]
        for rect in rects {
            for width in [0.6, 2, 3.5] as [Float] {
                // The smallest consists of corners only.
                let mean = rect.width < 3 ? 0.05 : 0.02
                compare(
                    53, 33, largest: 0.15, mean: mean, "\(rect), width \(width)",
                    draw: { $0.outline(rect, Stroke(color: Self.color, width: width), cornerRadius: radius) },
                    isInside: { x, y in
                        let half = Double(width) / 2
                        let isInner =
                            Double(min(rect.width, rect.height)) > Double(width)
                            && isWithin(x, y, rect, grown: -half, Double(radius))
                        return isWithin(x, y, rect, grown: half, Double(radius)) && !isInner
                    })
            }
        }
    }

    @Test(arguments: [0, 3] as [Float])
    func `filled rectangles blend by alpha and coverage`(_ radius: Float) {
        for rect in [Box(x: 3.5, y: 2.25, width: 20.5, height: 11), Box(x: -4, y: -9, width: 100, height: 100)] {
            compare(
                33, 17, alpha: 0.5, largest: 0.08, mean: 0.01, "\(rect)",
                draw: { $0.fill(rect, color: Self.color.opacity(0.5), cornerRadius: radius) },
                isInside: { isWithin($0, $1, rect, grown: 0, Double(radius)) })
        }
    }

    @Test(arguments: [(1, 1), (3, 5), (2, 1), (1, 9), (7, 2), (8, 8), (9, 3), (17, 1)])
    func `pictures of odd sizes are drawn to their last sample`(_ size: (Int, Int)) {
        compare(
            size.0, size.1, largest: 0, mean: 0,
            draw: { $0.fill(Box(x: -1, y: -1, width: 99, height: 99), color: Self.color) },
            isInside: { _, _ in true })
        let (from, to) = (Point(x: -3, y: 0.5), Point(x: 20, y: 4))
        compare(
            size.0, size.1, largest: 0.1, mean: 0.04,
            draw: { $0.line(from: from, to: to, Stroke(color: Self.color, width: 1.5)) },
            isInside: { isNear($0, $1, from, to, 0.75, isRound: true) })
    }

    @Test func `a thin line has its own hue in chroma of any resolution`() {
        // One full row and column of a 2x2 block: half of the colour, in every layout.
        for format in [PixelFormat.i420, .nv12, .i422] {
            let planes = DrawingPlanes(format: format, width: 16, height: 8) { $0 == 0 ? 0 : 128 }
            Canvas().draw(on: planes.surface, Self.spec) {
                $0.line(from: Point(x: 4.5, y: -9), to: Point(x: 4.5, y: 99), Stroke(color: Self.color, width: 1))
            }
            let yuv = YUVColor(Self.color, in: Self.spec)
            #expect(abs(Int(planes.component(1)[2]) - (128 + Int(yuv.u)) / 2) <= 1)
            #expect(abs(Int(planes.component(2)[2]) - (128 + Int(yuv.v)) / 2) <= 1)
            #expect(planes.component(1)[1] == 128 && planes.component(1)[3] == 128)
        }
    }

    @Test func `a halo surrounds the line and leaves its core alone`() {
        let planes = DrawingPlanes(format: .gray8, width: 20, height: 20) { _ in 200 }
        Canvas().draw(on: planes.surface, Self.spec) {
            var stroke = Stroke(color: .white, width: 2)
            stroke.halo = Halo(color: .black, width: 2)
            $0.line(from: Point(x: -9, y: 10), to: Point(x: 30, y: 10), stroke)
        }
        let column = (0..<20).map { planes.component(0)[$0 * 20 + 5] }
        #expect(Array(column[6...13]) == [200, 0, 0, 255, 255, 0, 0, 200])
    }
}
