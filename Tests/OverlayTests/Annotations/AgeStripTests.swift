// SPDX-License-Identifier: Apache-2.0
import Annotations
import Foundation
import Testing

@testable import Overlay

@Suite struct AgeStripTests {
    private static let (width, height) = (320, 180)

    /// Where a strip has left its mark.
    private struct Ink: Equatable {
        var left = Int.max
        var right = -1
        var top = Int.max
        var bottom = -1

        init(_ planes: DrawingPlanes, on background: UInt8) {
            let luma = planes.component(0)
            for y in 0..<planes.height {
                for x in 0..<planes.width where luma[y * planes.width + x] != background {
                    (left, right) = (min(left, x), max(right, x))
                    (top, bottom) = (min(top, y), max(bottom, y))
                }
            }
        }
    }

    /// A picture of one brightness with the strip alone on it; results by node, with their ages.
    private func strip(
        _ ages: [(String, Double?)], on background: UInt8 = 16, in corner: OverlayPainter.Corner = .bottomLeft
    ) -> DrawingPlanes {
        let planes = DrawingPlanes(format: .i444, width: Self.width, height: Self.height) { $0 == 0 ? background : 128 }
        let painter = OverlayPainter(nodes: ["lines", "faces"])
        painter.style.showsAges = true
        painter.style.ageCorner = corner
        var results = FrameAnnotations()
        for (node, age) in ages {
            switch node {
            case "lines": results = results.adding([LineSegment](), by: node, age: age)
            case "faces": results = results.adding([Face](), by: node, age: age)
            default: results = results.adding([Detection](), by: node, age: age)
            }
        }
        Canvas().draw(on: planes.surface, .assumed(height: Self.height)) { painter.draw(results, on: $0) }
        return planes
    }

    @Test(
        arguments: [
            (0, "0 ms"), (0.04, "40 ms"), (0.0664, "66 ms"), (0.9994, "999 ms"), (0.9995, "1.0 s"), (2.08, "2.1 s"),
            (59.96, "60.0 s"), (999.94, "999.9 s"), (999.95, "16.7 min"), (3600, "60.0 min"), (-1, "0 ms"),
            (.nan, "0 ms"),
        ] as [(Double, String)])
    func `an age is written with three digits or so`(_ age: Double, _ text: String) {
        let (value, decimals, unit) = AgeStrip.text(of: age)
        #expect(String(format: "%.\(decimals)f %@", value, unit as NSString) == text)
    }

    @Test(arguments: OverlayPainter.Corner.allCases)
    func `the strip stands in its corner, off the edges`(_ corner: OverlayPainter.Corner) {
        let planes = strip([("faces", 0.066), ("lines", nil)], on: 200, in: corner)
        let ink = Ink(planes, on: 200)
        #expect(planes.areGuardsIntact)
        let (isRight, isBottom) = (ink.left > Self.width / 2, ink.top > Self.height / 2)
        let (isLeft, isTop) = (ink.right < Self.width / 2, ink.bottom < Self.height / 2)
        let corners: [OverlayPainter.Corner] = [.topLeft, .topRight, .bottomLeft, .bottomRight]
        #expect(
            [isTop && isLeft, isTop && isRight, isBottom && isLeft, isBottom && isRight] == corners.map { $0 == corner }
        )
        let edges = [ink.left, ink.top, Self.width - 1 - ink.right, Self.height - 1 - ink.bottom]
        #expect((edges.min() ?? 0) >= 6 && edges.filter { $0 <= 12 }.count == 2, "\(edges)")
    }

    /// Relative luminance of a grey of limited range: WCAG 2.2, with sRGB's transfer.
    private func luminance(_ luma: UInt8) -> Double {
        let grey = (Double(luma) - 16) / 219
        return grey <= 0.04045 ? grey / 12.92 : pow((grey + 0.055) / 1.055, 2.4)
    }

    @Test(arguments: [16, 126, 235] as [UInt8]) func `it can be read on any picture`(_ background: UInt8) throws {
        let planes = strip([("objects", 0.5)], on: background)
        let ink = Ink(planes, on: background)
        let luma = planes.component(0)
        var counts = [Int](repeating: 0, count: 256)
        let (rows, columns) =
            background == 16 ? (0..<Self.height, 0..<Self.width) : (ink.top..<ink.bottom, ink.left..<ink.right)
        for y in rows { for x in columns { counts[Int(luma[y * Self.width + x])] += 1 } }
        // On black the plate is black.
        let plate = UInt8(try #require(counts.indices.max { counts[$0] < counts[$1] }))
        let text = UInt8(try #require(counts.lastIndex { $0 > 0 }))
        // Level AA for small text.
        #expect((luminance(text) + 0.05) / (luminance(plate) + 0.05) >= 4.5, "\(text) on \(plate)")
    }

    @Test func `its place and width do not change with the age, its digits do`() {
        let ages = [nil, 0.04, 0.999, 1.0, 99.9]
        let inks = ages.map { Ink(strip([("faces", $0)], on: 200), on: 200) }
        #expect(inks.allSatisfy { $0 == inks[0] })
        let pictures = ages.map { strip([("faces", $0)]).component(0) }
        for (first, second) in zip(pictures, pictures.dropFirst()) { #expect(first != second) }
        #expect(strip([("faces", 0.0662)]).bytes == strip([("faces", 0.0664)]).bytes)
    }

    @Test func `every result has a row, beside the colour it has in the picture`() {
        let planes = strip([("faces", 0.1), ("lines", 0.2), ("objects", 0.3)])
        let (u, v) = (planes.component(1), planes.component(2))
        func rows(of color: Color) -> [Int] {
            let yuv = YUVColor(color, in: .assumed(height: Self.height))
            return (0..<Self.height).filter { y in
                (0..<Self.width).contains { x in
                    let index = y * Self.width + x
                    return abs(Int(u[index]) - Int(yuv.u)) <= 2 && abs(Int(v[index]) - Int(yuv.v)) <= 2
                }
            }
        }
        let (lines, faces) = (rows(of: OverlayStyle.colorBlindSafe[0]), rows(of: OverlayStyle.colorBlindSafe[1]))
        #expect(lines.count >= 8 && faces.count == lines.count)
        // The order is that of the results; objects have a colour a class, and none here.
        #expect((faces.last ?? .max) < (lines.first ?? .min))
        #expect(!rows(of: OverlayStyle.colorBlindSafe[2]).contains { $0 > 0 })
        let heights = (1...3).map { count in
            let ink = Ink(
                strip(Array([("faces", 0.1), ("lines", 0.2), ("objects", 0.3)].prefix(count)), on: 200), on: 200)
            return ink.bottom - ink.top
        }
        #expect(heights[2] - heights[1] == heights[1] - heights[0] && heights[1] > heights[0] + 10)
    }
}
