// SPDX-License-Identifier: Apache-2.0
import Annotations
import Foundation
import TestSupport
import Testing

@testable import Media

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

    @Test func `moves with the picture like every other result`() throws {
        let smaller = PictureMap(scaleX: 2, scaleY: 4, offsetX: 6, offsetY: 0).inverse
        guard case .segmentation(let moved) = smaller(.segmentation(map)) else { throw MissingMap() }
        #expect(moved.region == Box(x: 2, y: -1, width: 4, height: 2))
        #expect(moved.labels == map.labels)
    }
}

private struct MissingMap: Error {}

@Suite struct IndexedImageTests {
    @Test(arguments: [(1, 1), (33, 17), (256, 3)]) func `comes back with its palette`(width: Int, height: Int) throws {
        let scratch = try Scratch()
        let palette = (0..<200).map { Color(hex: UInt32($0 * 83_521)) }
        let image = IndexedImage(
            width: width, height: height, indices: (0..<width * height).map { UInt8($0 * 7 % 200) }, palette: palette)
        let path = scratch.file("mask.png")
        try image.write(to: path)
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        // The header's colour type: 3 is palette.
        #expect(bytes[25] == 3)
        let back = try IndexedImage.read(path)
        #expect(back.indices == image.indices)
        #expect(Array(back.palette.prefix(200)) == palette)
        #expect((back.width, back.height) == (width, height))
        #expect(throws: MediaError.self) { try image.write(to: path) }
        try image.write(to: path, overwrites: true)
    }

    @Test func `grey values are labels, colours are not`() throws {
        let scratch = try Scratch()
        let picture = PicturePool().make(width: 9, height: 5, format: .i420, color: .assumed(height: 5))
        for index in 0..<3 {
            let plane = picture.mutablePlane(index)
            for y in 0..<plane.height { plane.row(y).update(repeating: 128, count: plane.width) }
        }
        try ImageWriter().write(picture, to: scratch.file("colour.png"))
        #expect {
            _ = try IndexedImage.read(scratch.file("colour.png"))
        } throws: { "\($0)".contains("8-bit grey values or a palette") }
        #expect(throws: MediaError.self) { try IndexedImage.read(scratch.file("none.png")) }
        #expect(throws: MediaError.self) { try IndexedImage.read(scratch.path) }
    }

    @Test func `damaged files throw or read, and never crash`() throws {
        let scratch = try Scratch()
        let image = IndexedImage(
            width: 16, height: 16, indices: (0..<256).map { UInt8($0) }, palette: [.white, .black])
        try image.write(to: scratch.file("good.png"))
        let good = [UInt8](try Data(contentsOf: URL(fileURLWithPath: scratch.file("good.png"))))
        for position in stride(from: 0, to: good.count, by: 11) {
            var bytes = good
            bytes[position] ^= 0x41
            let path = scratch.file("bad.png")
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            _ = try? IndexedImage.read(path)
            try Data(good.prefix(position)).write(to: URL(fileURLWithPath: path))
            _ = try? IndexedImage.read(path)
        }
    }
}
