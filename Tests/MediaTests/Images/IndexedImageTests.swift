// SPDX-License-Identifier: Apache-2.0
import Annotations
import Foundation
import TestSupport
import Testing

@testable import Media

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
        let picture = try PicturePool().make(width: 9, height: 5, format: .i420, color: .assumed(height: 5))
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
