// SPDX-License-Identifier: Apache-2.0
import Annotations
import Media
import MediaTestSupport
import Networks
import Testing

@testable import Vision

private let lines = InputNormalisation(
    channelOrder: .rgb, mean: [127.5, 127.5, 127.5], scale: [1 / 127.5, 1 / 127.5, 1 / 127.5], fit: .stretch)
private let faces = InputNormalisation(
    channelOrder: .bgr, mean: [104, 117, 123], scale: [1, 1, 1], fit: .letterbox)

private struct Shape: CustomTestStringConvertible, Sendable {
    var width: Int
    var height: Int
    var target: InputSize
    var testDescription: String { "\(width)x\(height) -> \(target)" }

    init(_ width: Int, _ height: Int, _ targetWidth: Int, _ targetHeight: Int) {
        self.width = width
        self.height = height
        target = InputSize(width: targetWidth, height: targetHeight)
    }
}

private let shapes = [
    Shape(1, 1, 1, 1), Shape(1, 1, 7, 5), Shape(2, 2, 1, 1), Shape(3, 5, 4, 4), Shape(17, 9, 16, 8),
    Shape(64, 48, 32, 24), Shape(64, 48, 64, 48), Shape(61, 47, 33, 31), Shape(80, 45, 32, 32), Shape(37, 23, 56, 48),
    Shape(151, 35, 20, 32), Shape(35, 151, 32, 20), Shape(160, 120, 12, 12), Shape(33, 100, 64, 32),
]

private func difference(_ a: [Float], _ b: [Float]) -> Float {
    zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
}

private func filled(_ preprocessor: Preprocessor, _ picture: Picture) -> (tensor: [Float], placement: Placement) {
    // NaN shows every number that is not written.
    var tensor = [Float](repeating: .nan, count: preprocessor.count)
    let placement = tensor.withUnsafeMutableBufferPointer { preprocessor.fill($0, from: picture) }
    return (tensor, placement)
}

@Suite struct PreprocessorTests {
    @Test(arguments: PixelFormat.allCases, shapes)
    fileprivate func `equals the plain reference for every layout and shape`(format: PixelFormat, shape: Shape) {
        let picture = randomPicture(format, width: shape.width, height: shape.height)
        for filter in [Preprocessor.Filter.area, .bilinear] {
            for (normalisation, alignment) in [
                (lines, Placement.Alignment.topLeft), (faces, .topLeft), (faces, .centre),
            ] {
                let fast = Preprocessor(
                    size: shape.target, normalisation: normalisation, filter: filter, alignment: alignment)
                let plain = ReferencePreprocessor(
                    size: shape.target, normalisation: normalisation, filter: filter, alignment: alignment)
                let tensor = filled(fast, picture).tensor
                let scale = normalisation.scale[0]
                #expect(tensor.allSatisfy { $0.isFinite })
                #expect(difference(tensor, plain.tensor(of: picture)) < 2e-3 * scale, "\(filter) \(alignment)")
            }
        }
    }

    @Test(arguments: [ColorSpec.Matrix.bt601, .bt709, .bt2020], [ColorSpec.Range.limited, .full])
    func `equals the plain reference for every colour description`(matrix: ColorSpec.Matrix, range: ColorSpec.Range) {
        let picture = randomPicture(.i444, width: 40, height: 30, color: ColorSpec(matrix: matrix, range: range))
        let size = InputSize(width: 40, height: 30)
        let tensor = filled(Preprocessor(size: size, normalisation: faces, filter: .bilinear), picture).tensor
        let plain = ReferencePreprocessor(size: size, normalisation: faces, filter: .bilinear)
        #expect(difference(tensor, plain.tensor(of: picture)) < 2e-3)
    }

    @Test func `negative scales keep the clamp on the colour`() {
        let normalisation = InputNormalisation(
            channelOrder: .rgb, mean: [255, 10, 0], scale: [-1 / 255, -2, 0.5], fit: .stretch)
        let picture = randomPicture(.i420, width: 31, height: 17)
        let size = InputSize(width: 16, height: 16)
        let tensor = filled(Preprocessor(size: size, normalisation: normalisation, filter: .area), picture).tensor
        let plain = ReferencePreprocessor(size: size, normalisation: normalisation, filter: .area)
        #expect(difference(tensor, plain.tensor(of: picture)) < 4e-3)
    }

    @Test(arguments: [
        // Y, U, V of colour bars in limited range, BT.601, and their red, green, blue by the standard's formulas.
        ([235, 128, 128], [255, 255, 255]), ([16, 128, 128], [0, 0, 0]), ([81, 90, 240], [254, 0, 0]),
        ([145, 54, 34], [0, 255, 1]), ([41, 240, 110], [0, 0, 255]),
    ])
    func `known colours`(yuv: [UInt8], rgb: [Float]) {
        let picture = somePicture(
            width: 20, height: 20, format: .i420, color: ColorSpec(matrix: .bt601, range: .limited))
        for index in 0..<3 {
            let plane = picture.mutablePlane(index)
            for row in 0..<plane.height { plane.row(row).update(repeating: yuv[index], count: plane.width) }
        }
        let identity = InputNormalisation(channelOrder: .rgb, mean: [0, 0, 0], scale: [1, 1, 1], fit: .stretch)
        let size = InputSize(width: 9, height: 9)
        let tensor = filled(Preprocessor(size: size, normalisation: identity, filter: .area), picture).tensor
        for channel in 0..<3 { #expect(abs(tensor[channel * 81 + 40] - rgb[channel]) < 1.2) }
    }

    @Test func `a preprocessor follows pictures whose shape and colour change`() {
        let size = InputSize(width: 24, height: 24)
        let shared = Preprocessor(size: size, normalisation: faces, filter: .bilinear)
        for (width, height, format) in [(40, 30, PixelFormat.i420), (30, 40, .i420), (30, 40, .nv12), (8, 8, .gray8)] {
            let picture = randomPicture(format, width: width, height: height, color: .assumed(height: 10 * height))
            let plain = ReferencePreprocessor(size: size, normalisation: faces, filter: .bilinear)
            #expect(difference(filled(shared, picture).tensor, plain.tensor(of: picture)) < 2e-3)
        }
    }
}

@Suite struct PlacementTests {
    @Test func `letterboxing keeps the shape and stretching does not`() {
        let size = InputSize(width: 640, height: 480)
        let boxed = Placement(sourceWidth: 1280, sourceHeight: 720, in: size, fit: .letterbox)
        #expect([boxed.x, boxed.y, boxed.width, boxed.height] == [0, 0, 640, 360])
        #expect(boxed.source(x: 320, y: 180) == Point(x: 640, y: 360))
        let centred = Placement(sourceWidth: 1280, sourceHeight: 720, in: size, fit: .letterbox, alignment: .centre)
        #expect([centred.x, centred.y, centred.width, centred.height] == [0, 60, 640, 360])
        #expect(centred.source(x: 320, y: 240) == Point(x: 640, y: 360))
        let stretched = Placement(sourceWidth: 1280, sourceHeight: 720, in: size, fit: .stretch)
        #expect([stretched.x, stretched.y, stretched.width, stretched.height] == [0, 0, 640, 480])
        #expect(stretched.source(x: 320, y: 240) == Point(x: 640, y: 360))
    }

    @Test func `a sliver keeps at least one pixel`() {
        let placement = Placement(
            sourceWidth: 5000, sourceHeight: 1, in: InputSize(width: 32, height: 32), fit: .letterbox)
        #expect([placement.width, placement.height] == [32, 1])
        #expect(placement.source(x: 32, y: 1) == Point(x: 5000, y: 1))
    }
}
