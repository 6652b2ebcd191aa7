// SPDX-License-Identifier: Apache-2.0
import Annotations
import Inference
import Media
import Networks
import TestSupport
import Testing

@testable import Vision

private func outputs(_ anchors: Int) -> [TensorInfo] {
    [
        TensorInfo(name: "landms", shape: [1, anchors, 10], element: .f32),
        TensorInfo(name: "loc", shape: [1, anchors, 4], element: .f32),
        TensorInfo(name: "conf", shape: [1, anchors, 2], element: .f32),
    ]
}

/// What the rows are made of.
enum FaceRows: String, CaseIterable, Sendable {
    case sparse, ties, empty, full, identical, notANumber

    func score(_ generator: inout SeededGenerator) -> Float {
        switch self {
        case .sparse: .random(in: 0...1, using: &generator) < 0.05 ? .random(in: 0...1, using: &generator) : 0.01
        case .ties: Float(Int.random(in: 0...3, using: &generator)) / 3
        case .empty: 0
        case .full: .random(in: 0.7...1, using: &generator)
        case .identical: 0.9
        case .notANumber: [.nan, 0.8, 0.95, .infinity].randomElement(using: &generator) ?? 0
        }
    }

    func value(_ generator: inout SeededGenerator) -> Float {
        if self == .identical { return 0 }
        if self == .notANumber, Int.random(in: 0..<40, using: &generator) == 0 {
            return [.nan, .infinity, -.infinity, 1e6].randomElement(using: &generator) ?? 0
        }
        return .random(in: -4...4, using: &generator)
    }
}

@Suite struct FaceDecoderTests {
    @Test(arguments: FaceRows.allCases, RetinaFace.Family.allCases)
    func `equals the plain reference`(rows: FaceRows, family: RetinaFace.Family) throws {
        var generator = SeededGenerator(seed: 11)
        for size in [InputSize(width: 96, height: 64), InputSize(width: 130, height: 77)] {
            let anchors = FaceDecoder.anchors(size: size, family: family).count
            #expect(anchors == RetinaFace.anchorCount(at: size))
            for options in [
                BoxSelection.retinaFace, .init(scoreThreshold: 0.02, iouThreshold: 0.6, candidates: 100, limit: 9),
                .retinaFace.with(limit: 0), .retinaFace.with(scoreThreshold: 0.3, iouThreshold: 0.05),
            ] {
                let decoder = try FaceDecoder(outputs: outputs(anchors), size: size, family: family, options: options)
                let location = (0..<4 * anchors).map { _ in rows.value(&generator) }
                let landmarks = (0..<10 * anchors).map { _ in rows.value(&generator) }
                let confidence = (0..<anchors).flatMap { _ in [Float(0.5), rows.score(&generator)] }
                let placement = Placement(
                    sourceWidth: 3 * size.width, sourceHeight: 2 * size.height, in: size, fit: .stretch)
                let faces = decoder.decode(
                    location: location, confidence: confidence, landmarks: landmarks, placement: placement)
                let plain = referenceFaces(
                    location: location, confidence: confidence, landmarks: landmarks, size: size, family: family,
                    options: options, scale: (3, 2))
                #expect(faces.count == plain.count, "\(size) \(options)")
                let different = zip(faces, plain).first { !isClose($0, $1) }
                #expect(different == nil, "\(size) \(options)")
            }
        }
    }

    /// Equal up to rounding, which grows with the distance from the origin.
    private func isClose(_ face: Face, _ expected: Face) -> Bool {
        func numbers(_ face: Face) -> [Float] {
            [face.box.x, face.box.y, face.box.width, face.box.height] + face.landmarks.flatMap { [$0.x, $0.y] }
        }
        let (values, wanted) = (numbers(face), numbers(expected))
        let tolerance = 1e-3 + 1e-6 * (wanted.map(abs).max() ?? 0)
        return face.score == expected.score && values.count == wanted.count
            && zip(values, wanted).allSatisfy { abs($0 - $1) <= tolerance }
    }

    @Test func `an anchor without offsets is a square around its cell's centre`() throws {
        let size = InputSize(width: 64, height: 64)
        let anchors = RetinaFace.anchorCount(at: size)
        let decoder = try FaceDecoder(outputs: outputs(anchors), size: size, family: .relu)
        var confidence = [Float](repeating: 0, count: 2 * anchors)
        confidence[2 * (2 * (8 * 3 + 5) + 1) + 1] = 0.75  // stride 8, row 3, column 5, the anchor of 20
        let zeros = [Float](repeating: 0, count: 10 * anchors)
        let placement = Placement(sourceWidth: 128, sourceHeight: 96, in: size, fit: .letterbox, alignment: .centre)
        let faces = decoder.decode(location: zeros, confidence: confidence, landmarks: zeros, placement: placement)
        // 128x96 becomes 64x48 with 8 rows above: network (44, 28) is source (88, 40).
        let centre = Point(x: 88, y: 40)
        #expect(
            faces == [
                Face(
                    box: Box(x: 68, y: 20, width: 40, height: 40), score: 0.75,
                    landmarks: [Point](repeating: centre, count: 5))
            ])
    }

    @Test func `a model for another size is refused`() {
        let error = #expect(throws: VisionError.self) {
            try FaceDecoder(outputs: outputs(100), size: InputSize(width: 64, height: 64), family: .relu)
        }
        #expect(error?.code == .outputs)
    }
}
