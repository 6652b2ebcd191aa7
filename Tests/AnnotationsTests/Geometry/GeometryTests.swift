// SPDX-License-Identifier: Apache-2.0
import Annotations
import Testing

@Suite struct GeometryTests {
    private static let box = Box(x: 10, y: 20, width: 20, height: 10)

    @Test(
        arguments: [
            (box, 1), (Box(x: 20, y: 20, width: 20, height: 10), 1.0 / 3), (Box(x: 30, y: 20, width: 5, height: 5), 0),
            (Box(x: 12, y: 22, width: 10, height: 5), 0.25), (Box(x: -100, y: 20, width: 20, height: 10), 0),
            (Box(x: 10, y: 20, width: 0, height: 10), 0),
            (Box(x: 10, y: 20, width: .infinity, height: 10), 0),
        ] as [(Box, Float)])
    func `IoU is the shared area over that of both`(_ other: Box, _ iou: Float) {
        #expect(abs(Self.box.iou(other) - iou) < 1e-6)
        #expect(Self.box.iou(other) == other.iou(Self.box))
    }

    @Test func `boxes from pixel to pixel hold both`() {
        // 20...40 and 28...48: 13 of 21 columns shared, all of the 21 rows.
        let first = Box(x: 20, y: 0, width: 20, height: 20)
        let second = Box(x: 28, y: 0, width: 20, height: 20)
        let expected: Float = 13 * 21 / (2 * 21 * 21 - 13 * 21)
        #expect(abs(first.countingEdges.iou(second.countingEdges) - expected) < 1e-6)
        #expect(Box(x: 3, y: 3, width: 0, height: 0).countingEdges.area == 1)
    }

    @Test func `an intersection is what both cover`() {
        #expect(
            Self.box.intersection(Box(x: 25, y: 0, width: 100, height: 22)) == Box(x: 25, y: 20, width: 5, height: 2))
        #expect(Self.box.intersection(Box(x: 30, y: 20, width: 5, height: 5)) == nil)
    }

    @Test func `a map leads back and forth`() {
        let newer = PictureMap(scaleX: 2, scaleY: 3, offsetX: 5, offsetY: -7)
        let older = PictureMap(scaleX: 0.5, scaleY: 4, offsetX: 1, offsetY: 2)
        let point = Point(x: 11, y: 13)
        #expect(older.composed(with: newer)(point) == older(newer(point)))
        let back = newer.inverse(newer(point))
        #expect(abs(back.x - point.x) < 1e-4 && abs(back.y - point.y) < 1e-4)
    }
}
