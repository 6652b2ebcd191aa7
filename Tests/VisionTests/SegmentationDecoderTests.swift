// SPDX-License-Identifier: Apache-2.0
import Annotations
import Foundation
import Inference
import Media
import Networks
import TestSupport
import Testing

@testable import Vision

private func classes(_ count: Int) -> ClassSet {
    ClassSet("test", (0..<count).map { .init("c\($0)", .distinct($0)) })
}

private func info(_ count: Int, _ size: InputSize) -> [TensorInfo] {
    [TensorInfo(name: "logits", shape: [1, count, size.height / 8, size.width / 8], element: .f32)]
}

/// Every logit of the grid interpolated, then the first largest: what the decoder must equal without doing it.
private func referenceLabels(_ logits: [Float], _ count: Int, _ from: InputSize, _ to: InputSize) -> [(
    label: UInt8, margin: Float
)] {
    func place(_ pixel: Int, _ cells: Int, _ pixels: Int) -> (Int, Int, Float) {
        let x = max(0, (Float(pixel) + 0.5) * Float(cells) / Float(pixels) - 0.5)
        let low = min(Int(x), cells - 1)
        return (low, min(low + 1, cells - 1), x - Float(low))
    }
    var labels: [(UInt8, Float)] = []
    for y in 0..<to.height {
        let (y0, y1, fy) = place(y, from.height, to.height)
        for x in 0..<to.width {
            let (x0, x1, fx) = place(x, from.width, to.width)
            let values = (0..<count).map { c -> Float in
                func at(_ y: Int, _ x: Int) -> Float { logits[(c * from.height + y) * from.width + x] }
                return (at(y0, x0) * (1 - fx) + at(y0, x1) * fx) * (1 - fy) + (at(y1, x0) * (1 - fx) + at(y1, x1) * fx)
                    * fy
            }
            let best = values.indices.reduce(0) { values[$1] > values[$0] ? $1 : $0 }
            let second = values.indices.filter { $0 != best }.map { values[$0] }.max() ?? -.infinity
            labels.append((UInt8(best), values[best] - second))
        }
    }
    return labels
}

@Suite struct SegmentationDecoderTests {
    /// Logits of areas as networks make them: blocks of one winner, and noise.
    private func logits(_ count: Int, _ cells: InputSize, _ generator: inout SeededGenerator) -> [Float] {
        var values = (0..<count * cells.width * cells.height).map { _ in Float.random(in: -1...1, using: &generator) }
        for y in 0..<cells.height {
            for x in 0..<cells.width {
                let winner = (x / 3 + 2 * (y / 4)) % count
                values[(winner * cells.height + y) * cells.width + x] += 1.2
            }
        }
        return values
    }

    @Test(arguments: [2, 11, 19], [(64, 48), (8, 8), (136, 40), (24, 104), (200, 72)])
    func `equals interpolating every logit`(count: Int, extent: (Int, Int)) throws {
        let size = InputSize(width: extent.0, height: extent.1)
        let cells = InputSize(width: size.width / 8, height: size.height / 8)
        var generator = SeededGenerator(seed: UInt64(count))
        let values = logits(count, cells, &generator)
        let decoder = try SegmentationDecoder(outputs: info(count, size), size: size, classes: classes(count))
        let placement = Placement(sourceWidth: 320, sourceHeight: 200, in: size, fit: .stretch)
        let whole = Box(x: 0, y: 0, width: 320, height: 200)

        let coarse = decoder.decode(values, placement: placement)
        #expect(coarse.labels == referenceLabels(values, count, cells, cells).map(\.label))
        #expect((coarse.width, coarse.height) == (cells.width, cells.height))
        #expect(coarse.region == whole)
        #expect(abs(coarse.shares.reduce(0, +) - 1) < 1e-5)

        let odd = InputSize(width: size.width * 3 / 2 + 1, height: max(1, size.height - 3))
        for (resolution, grid) in [(SegmentationDecoder.Resolution.input, size), (.size(odd), odd)] {
            decoder.resolution = resolution
            let fine = decoder.decode(values, placement: placement)
            #expect((fine.width, fine.height) == (grid.width, grid.height))
            #expect(fine.region == whole)
            let plain = referenceLabels(values, count, cells, grid)
            // Where two logits are equal but for rounding either may win.
            let wrong = zip(fine.labels, plain).filter { $0.0 != $0.1.label && $0.1.margin > 1e-5 }
            #expect(wrong.isEmpty, "\(wrong.count) of \(plain.count)")
        }
    }

    /// The probability of the best class, cell by cell.
    private func confidences(_ logits: [Float], _ count: Int, _ temperature: Float) -> [Float] {
        let area = logits.count / count
        return (0..<area).map { cell in
            let values = (0..<count).map { Double(logits[$0 * area + cell] / temperature) }
            return Float(1 / values.reduce(0) { $0 + exp($1 - (values.max() ?? 0)) })
        }
    }

    @Test(arguments: [(0.3, 1), (0.6, 0.7), (0.6, 2), (0.999, 1)] as [(Float, Float)])
    func `what is less probable than the threshold is void`(threshold: Float, temperature: Float) throws {
        let (count, size) = (5, InputSize(width: 104, height: 64))
        let cells = InputSize(width: size.width / 8, height: size.height / 8)
        var generator = SeededGenerator(seed: 3)
        let values = logits(count, cells, &generator).map { 2 * $0 }
        let decoder = try SegmentationDecoder(
            outputs: info(count, size), size: size, classes: classes(count), threshold: threshold,
            temperature: temperature)
        let placement = Placement(sourceWidth: 104, sourceHeight: 64, in: size, fit: .stretch)
        let sure = confidences(values, count, temperature)
        // A plane of its own between the cells, interpolated as the logits are.
        for (resolution, grid) in [(SegmentationDecoder.Resolution.cells, cells), (.input, size)] {
            decoder.resolution = resolution
            let found = decoder.decode(values, placement: placement)
            let labels = referenceLabels(values, count, cells, grid)
            let apart = referenceLabels(sure + [Float](repeating: threshold, count: sure.count), 2, cells, grid)
            let wrong = labels.indices.filter { index in
                guard labels[index].margin > 1e-4, apart[index].margin > 1e-4 else { return false }
                return found.labels[index] != (apart[index].label == 0 ? labels[index].label : ClassMap.void)
            }
            #expect(wrong.isEmpty, "\(wrong.count) of \(labels.count)")
            #expect(abs(found.shares.reduce(found.voidShare, +) - 1) < 1e-5)
            if threshold > 0.3, threshold < 0.9 { #expect((0.05...0.95).contains(found.voidShare)) }
        }
    }

    @Test func `logits that are no numbers are void where there is a threshold`() throws {
        let size = InputSize(width: 24, height: 8)
        let decoder = try SegmentationDecoder(
            outputs: info(2, size), size: size, classes: classes(2), threshold: 0.5)
        let placement = Placement(sourceWidth: 24, sourceHeight: 8, in: size, fit: .stretch)
        let values: [Float] = [.nan, .infinity, 9, .nan, .infinity, 0]
        #expect(decoder.decode(values, placement: placement).labels == [255, 255, 0])
        decoder.threshold = 0
        #expect(decoder.decode(values, placement: placement).labels == [0, 0, 0])
    }

    @Test func `equal logits go to the lower label, and NaN to none`() throws {
        let size = InputSize(width: 16, height: 8)
        let decoder = try SegmentationDecoder(outputs: info(3, size), size: size, classes: classes(3))
        let placement = Placement(sourceWidth: 16, sourceHeight: 8, in: size, fit: .stretch)
        #expect(decoder.decode([1, 0, 1, 2, 0, 2], placement: placement).labels == [0, 1])
        #expect(decoder.decode([.nan, 0, 1, .nan, 0, -1], placement: placement).labels == [1, 0])
        #expect(decoder.decode([Float](repeating: .nan, count: 6), placement: placement).labels == [0, 0])
        decoder.resolution = .input
        #expect(decoder.decode([Float](repeating: .nan, count: 6), placement: placement).labels.allSatisfy { $0 == 0 })
        _ = decoder.decode([.infinity, -.infinity, .nan, .infinity, 0, 3], placement: placement)
    }

    @Test func `the padding of a letterboxed picture is cut off`() throws {
        let size = InputSize(width: 32, height: 32)
        let decoder = try SegmentationDecoder(outputs: info(2, size), size: size, classes: classes(2))
        // 64x40 becomes 32x20 at the top: two and a half rows of cells.
        let placement = Placement(sourceWidth: 64, sourceHeight: 40, in: size, fit: .letterbox)
        var values = [Float](repeating: 0, count: 32)
        for cell in 8..<16 { values[16 + cell] = 1 }
        let coarse = decoder.decode(values, placement: placement)
        #expect((coarse.width, coarse.height) == (4, 3))
        #expect(coarse.labels == [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1])
        #expect(coarse.region == Box(x: 0, y: 0, width: 64, height: 48))
        decoder.resolution = .input
        let fine = decoder.decode(values, placement: placement)
        #expect((fine.width, fine.height) == (32, 20))
        #expect(fine.region == Box(x: 0, y: 0, width: 64, height: 40))
    }

    @Test func `another number of classes is refused`() {
        let size = InputSize(width: 64, height: 64)
        #expect(throws: VisionError.self) {
            try SegmentationDecoder(outputs: info(19, size), size: size, classes: .camvid)
        }
    }

    @Test func `names of weights get the colours they have elsewhere`() {
        let camvid = ClassSet.camvid.members.map(\.name)
        #expect(ClassSet(naming: camvid) == .camvid)
        let own = ClassSet(naming: ["road", "lake", "sky"])
        #expect(own.members.map(\.name) == ["road", "lake", "sky"])
        #expect(own.members[0].color == ClassSet.cityscapes.members[0].color)
        #expect(own.members[1].color == .distinct(1))
        let hues = Set((0..<19).map { Color.distinct($0) })
        #expect(hues.count == 19)
    }
}

/// The shipped weights, folded once; building for debugging makes that slow.
private let folded = Result {
    let weights = try SafeTensors.read(path: TestFiles.model("ddrnet23_slim_camvid.safetensors"))
    return try DDRNet(.slim23, classes: 11).network(at: InputSize(width: 64, height: 64)).folding(weights)
}

@Suite struct SegmentationEndToEnd {
    @Test(arguments: [(64, 64, 64, 64), (8, 8, 31, 17), (200, 104, 320, 241), (88, 152, 33, 480), (480, 360, 480, 360)])
    func `any size runs and decodes`(width: Int, height: Int, pictureWidth: Int, pictureHeight: Int) throws {
        let size = InputSize(width: width, height: height)
        let network = try SegmentationFamily.ddrnet.network(
            NetworkSetup(
                Architecture.find("ddrnet", "23-slim"), weights: folded.get(), size: size,
                engine: OpenVINOEngine.shared(),
                compile: CompileOptions(.single, cores: 2, precision: .f32, cache: .off)),
            options: SegmentationOptions(.camvid, resolution: .input))
        let format: PixelFormat = width % 16 == 0 ? .nv12 : .i420
        let map = try network.result(for: randomPicture(format, width: pictureWidth, height: pictureHeight))
        #expect((map.width, map.height) == (width, height))
        #expect(map.labels.allSatisfy { $0 < 11 })
        #expect(abs(map.region.width - Float(pictureWidth)) < 0.01)
        #expect(abs(map.region.height - Float(pictureHeight)) < 0.01)
    }
}
