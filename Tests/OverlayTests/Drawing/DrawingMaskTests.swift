// SPDX-License-Identifier: Apache-2.0
import Annotations
import Media
import TestSupport
import Testing

@testable import Overlay

/// A pixel's paint by the definition: the label of its cell, on a border where a neighbour `width` pixels away or the
/// next cell has another one.
private struct PlainMask {
    let map: ClassMap
    let style: MaskStyle
    let pictureWidth: Int
    let pictureHeight: Int

    private func cell(_ pixel: Int, _ start: Float, _ extent: Float, _ cells: Int) -> Int? {
        let place = ((Double(pixel) + 0.5 - Double(start)) / Double(extent) * Double(cells)).rounded(.down)
        return place >= 0 && place < Double(cells) ? Int(place) : nil
    }

    private func column(_ x: Int) -> Int? { cell(x, map.region.x, map.region.width, map.width) }
    private func row(_ y: Int) -> Int? { cell(y, map.region.y, map.region.height, map.height) }

    /// Label and whether on a border; nil beside the map.
    func paint(_ x: Int, _ y: Int) -> (label: Int, isEdge: Bool)? {
        guard let column = column(x), let row = row(y) else { return nil }
        func label(_ column: Int, _ row: Int) -> UInt8 { map.labels[row * map.width + column] }
        let here = label(column, row)
        var isEdge = false
        for step in [-style.edgeWidth, style.edgeWidth] {
            let y = min(pictureHeight - 1, max(0, y + step))
            // Outside the map there is no border.
            if let other = self.row(y), label(column, other) != here { isEdge = true }
        }
        if column > 0, label(column - 1, row) != here, self.column(x - style.edgeWidth) != column { isEdge = true }
        if column + 1 < map.width, label(column + 1, row) != here, self.column(x + style.edgeWidth) != column {
            isEdge = true
        }
        return (Int(here), isEdge)
    }
}

@Suite struct DrawingMaskTests {
    private static let set = ClassSet(
        "test", (0..<7).map { .init("c\($0)", Color(hex: UInt32($0) * 0x2A5F13 + 0x102030)) })

    private func map(_ width: Int, _ height: Int, _ region: Box, noise: Bool) -> ClassMap {
        var random = SeededGenerator(seed: UInt64(width * 31 + height))
        let labels = (0..<width * height).map { index -> UInt8 in
            if noise {
                let label = UInt8.random(in: 0..<8, using: &random)
                return label == 7 ? ClassMap.void : label
            }
            return UInt8((index % width / 20 + index / width / 5) % 7)
        }
        return ClassMap(classes: Self.set, width: width, height: height, labels: labels, region: region)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let width, height, cells, rows: Int
        let region: Box
        let edge: Int
        var testDescription: String { "\(width)x\(height) under \(cells)x\(rows), border \(edge)" }
    }

    static let cases = [
        Case(width: 96, height: 64, cells: 12, rows: 8, region: Box(x: 0, y: 0, width: 96, height: 64), edge: 2),
        Case(width: 97, height: 63, cells: 40, rows: 30, region: Box(x: 0, y: 0, width: 97, height: 63), edge: 1),
        Case(width: 64, height: 33, cells: 64, rows: 33, region: Box(x: 0, y: 0, width: 64, height: 33), edge: 1),
        Case(
            width: 70, height: 40, cells: 9, rows: 7, region: Box(x: 10.4, y: -6.7, width: 41.3, height: 60), edge: 2),
        Case(width: 70, height: 40, cells: 9, rows: 7, region: Box(x: -900, y: 3, width: 2000, height: 31), edge: 3),
        Case(width: 5, height: 3, cells: 60, rows: 45, region: Box(x: 0, y: 0, width: 5, height: 3), edge: 0),
        Case(width: 1, height: 1, cells: 3, rows: 3, region: Box(x: 0, y: 0, width: 1, height: 1), edge: 1),
        Case(width: 30, height: 20, cells: 4, rows: 4, region: Box(x: 50, y: 0, width: 9, height: 9), edge: 1),
    ]

    @Test(arguments: PixelFormat.allCases, cases)
    func `equals the definition, pixel by pixel`(format: PixelFormat, c: Case) {
        let spec = ColorSpec(matrix: .bt601)
        let style = MaskStyle(fill: 0.4, edge: 0.9, edgeWidth: c.edge)
        for noise in [false, true] {
            let map = map(c.cells, c.rows, c.region, noise: noise)
            let planes = DrawingPlanes(format: format, width: c.width, height: c.height) { $0 == 0 ? 60 : 110 }
            let canvas = Canvas()
            canvas.draw(on: planes.surface, spec) { $0.mask(map, style) }
            #expect(planes.areGuardsIntact)

            let plain = PlainMask(map: map, style: style, pictureWidth: c.width, pictureHeight: c.height)
            // Where borders may not be thicker than a cell the definition of neighbours is another: compare areas only.
            let hasWideCells = c.region.width / Float(c.cells) >= Float(max(1, c.edge))
            let areComparable = hasWideCells && c.region.height / Float(c.rows) >= Float(max(1, c.edge))
            var wrong: [String] = []
            for component in 0..<(format == .gray8 ? 1 : 3) {
                let values = planes.component(component)
                let shiftX = component == 0 ? 0 : format.chromaShiftX
                let shiftY = component == 0 ? 0 : format.chromaShiftY
                let across = component == 0 ? c.width : format.chromaWidth(c.width)
                for index in values.indices {
                    // A chroma sample has the paint of the upper left of its pixels.
                    let (x, y) = ((index % across) << shiftX, (index / across) << shiftY)
                    let old = component == 0 ? 60 : 110
                    guard let paint = plain.paint(x, y), paint.label != Int(ClassMap.void) else {
                        if Int(values[index]) != old { wrong.append("\(component) at \(x),\(y)") }
                        continue
                    }
                    func blended(_ isEdge: Bool) -> Int {
                        let base = Self.set.members[paint.label].color
                        let color = YUVColor(
                            isEdge ? base.lightened(by: 0.35).opacity(style.edge) : base.opacity(style.fill), in: spec)
                        let value = Int([color.y, color.u, color.v][component])
                        return (old * (128 - Int(color.alpha)) + value * Int(color.alpha) + 64) >> 7
                    }
                    let found = Int(values[index])
                    let isRight =
                        areComparable && c.edge > 0
                        ? found == blended(paint.isEdge) : found == blended(false) || found == blended(true)
                    if !isRight { wrong.append("\(component) at \(x),\(y): \(found)") }
                }
            }
            #expect(wrong.isEmpty, "\(wrong.count) samples, \(wrong.prefix(5))")
        }
    }

    @Test func `a map that is nowhere changes nothing`() {
        let planes = DrawingPlanes(format: .i420, width: 32, height: 16) { _ in 90 }
        let canvas = Canvas()
        for region in [
            Box(x: .nan, y: 0, width: 9, height: 9), Box(x: 0, y: 0, width: 0, height: 9),
            Box(x: 0, y: 0, width: .infinity, height: 9), Box(x: 0, y: 0, width: 9, height: -3),
            Box(x: 1e30, y: 0, width: 9, height: 9),
        ] {
            canvas.draw(on: planes.surface, ColorSpec(matrix: .bt709)) { $0.mask(map(4, 4, region, noise: true)) }
        }
        #expect(planes.component(0).allSatisfy { $0 == 90 })
        #expect(planes.areGuardsIntact)
    }

    @Test func `the legend lists what was seen and keeps it`() throws {
        let painter = OverlayPainter()
        let canvas = Canvas()
        func luma(_ labels: [UInt8]) -> [UInt8] {
            let planes = DrawingPlanes(format: .i444, width: 320, height: 240) { _ in 200 }
            let map = ClassMap(
                classes: Self.set, width: 2, height: 1, labels: labels,
                region: Box(x: 0, y: 0, width: 320, height: 240))
            painter.style.showsMasks = false
            canvas.draw(on: planes.surface, ColorSpec(matrix: .bt709)) {
                painter.draw(FrameAnnotations().adding([map], by: "s"), on: $0)
            }
            #expect(planes.areGuardsIntact)
            return planes.component(0)
        }
        func darkened(_ luma: [UInt8]) -> Int { luma.reduce(0) { $0 + ($1 < 190 ? 1 : 0) } }
        let one = luma([0, 0])
        let two = luma([1, 1])
        try #require(darkened(one) > 0, "this system renders no text")
        #expect(darkened(two) > darkened(one))
        #expect(luma([0, 0]) == two, "a class that was seen stays")
        painter.style.showsLegend = false
        #expect(darkened(luma([0, 1])) == 0)
    }
}
