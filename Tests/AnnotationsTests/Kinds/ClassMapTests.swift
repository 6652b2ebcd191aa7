// SPDX-License-Identifier: Apache-2.0
import Annotations
import Testing

private let classes = ClassSet(
    "test",
    [.init("road", Color(hex: 0x804080)), .init("sky", Color(hex: 0x4682B4)), .init("car", Color(hex: 0xF0E020))])

@Suite struct ClassMapTests {
    private let map = ClassMap(
        classes: classes, width: 2, height: 2, labels: [0, 1, 2, 2], region: Box(x: 10, y: -4, width: 8, height: 8))

    @Test func `shares are those of the cells`() {
        #expect(map.shares == [0.25, 0.25, 0.5])
    }

    @Test(arguments: [
        (10.0, -4.0, 0 as UInt8?), (13.9, -0.1, 0), (14, -4, 1), (17.99, 3.99, 2), (9.99, 0, nil), (18, 0, nil),
        (12, 4, nil), (.nan, 0, nil),
    ])
    func `a point has the label of its cell`(x: Double, y: Double, label: UInt8?) {
        #expect(map.label(at: Point(x: Float(x), y: Float(y))) == label)
    }

    @Test func `pixels have the labels of the cells their centres lie in`() {
        for (width, height) in [(24, 8), (1, 1), (17, 5)] {
            let labels = map.expanded(width: width, height: height, other: 9)
            for y in 0..<height {
                for x in 0..<width {
                    let here = map.label(at: Point(x: Float(x) + 0.5, y: Float(y) + 0.5)) ?? 9
                    #expect(labels[y * width + x] == here)
                }
            }
        }
    }

    @Test func `what is void has no label, its own share and no region`() {
        let map = ClassMap(
            classes: classes, width: 4, height: 1, labels: [0, 255, 255, 2],
            region: Box(x: 0, y: 0, width: 4, height: 1))
        #expect(map.shares == [0.25, 0, 0.25])
        #expect(map.voidShare == 0.5)
        #expect(map.label(at: Point(x: 1.5, y: 0.5)) == nil)
        #expect(map.expanded(width: 5, height: 1, other: 9) == [0, 9, 9, 2, 9])
        var regions: [String] = []
        map.forEachRegion { regions.append($0.name) }
        #expect(regions == ["road", "car"])
    }

    @Test func `maps with the picture like every other annotation`() {
        let smaller = PictureMap(scaleX: 2, scaleY: 4, offsetX: 6, offsetY: 0).inverse
        let moved = map.mapped(by: smaller)
        #expect(moved.region == Box(x: 2, y: -1, width: 4, height: 2))
        #expect(moved.labels == map.labels)
    }
}
