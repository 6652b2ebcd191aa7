// SPDX-License-Identifier: Apache-2.0
import Annotations
import Media
import Networks
import TestSupport
import Testing

@testable import Inference
@testable import Vision

/// Tensors that own their memory.
private final class Outputs {
    let tensors: [TensorBuffer]

    init(_ outputs: [(name: String, shape: [Int], values: [Float])]) {
        tensors = outputs.map { name, shape, values in
            let info = TensorInfo(name: name, shape: shape, element: .f32)
            precondition(info.count == values.count)
            let buffer = TensorBuffer(info: info, base: .allocate(byteCount: max(1, info.byteCount), alignment: 64))
            _ = buffer.floats.initialize(from: values)
            return buffer
        }
    }

    deinit { for tensor in tensors { tensor.base.deallocate() } }

    var infos: [TensorInfo] { tensors.map(\.info) }
}

@Suite struct ObjectDecoderTests {
    private let size = InputSize(width: 64, height: 32)
    /// The source is twice the network's input.
    private var placement: Placement { Placement(sourceWidth: 128, sourceHeight: 64, in: size, fit: .stretch) }

    private func decode(
        _ outputs: [(name: String, shape: [Int], values: [Float])], _ layout: ObjectLayout, names: [String] = [],
        options: BoxSelection = .objects
    ) throws -> [Detection] {
        let made = Outputs(outputs)
        return try ObjectDecoder(outputs: made.infos, size: size, layout: layout, names: names, options: options)
            .decode(made.tensors, placement: placement)
    }

    private func layout(_ columns: [ObjectLayout.Column], _ corners: ObjectLayout.Corners = .xyxy) -> ObjectLayout {
        var layout = ObjectLayout()
        layout.columns = columns
        layout.corners = corners
        return layout
    }

    @Test(arguments: [
        (ObjectLayout.Corners.xyxy, [10, 4, 20, 12] as [Float]), (.cxcywh, [15, 8, 10, 8]), (.xywh, [10, 4, 10, 8]),
    ])
    func `each way of writing a box is the same box in source pixels`(
        _ corners: ObjectLayout.Corners, _ box: [Float]
    ) throws {
        let expected = Detection(box: Box(x: 20, y: 8, width: 20, height: 16), score: 0.9, label: 1, name: "dog")
        let names = ["cat", "dog"]
        let row = box + [0.1, 0.9]
        let rows = row + [0, 0, 0, 0, 0, 0]
        let plain = layout([.box, .classes], corners)
        #expect(try decode([("y", [1, 2, 6], rows)], plain, names: names) == [expected])
        // The same numbers with the axes exchanged, as columns first.
        let columns = (0..<6).flatMap { [rows[$0], rows[6 + $0]] }
        #expect(try decode([("y", [1, 6, 2], columns)], plain, names: names) == [expected])
        var fractions = plain
        fractions.isNormalised = true
        let scaled = zip(box, [64, 32, 64, 32] as [Float]).map { $0 / $1 }
        #expect(try decode([("y", [1, 6], scaled + [0.1, 0.9])], fractions, names: names) == [expected])
        var logits = plain
        logits.isLogit = true
        let found = try decode([("y", [1, 1, 6], box + [-3, 2.1972246])], logits, names: names)
        #expect(found.count == 1 && abs(found[0].score - 0.9) < 1e-5 && found[0].label == 1)
    }

    @Test func `objectness multiplies, score and label are taken as they are, skip is passed over`() throws {
        let box: [Float] = [10, 4, 20, 12]
        let first = try decode([("y", [1, 1, 7], box + [0.5, 0.2, 0.8])], layout([.box, .objectness, .classes]))
        #expect(first.map(\.score) == [0.4] && first.map(\.name) == ["1"])
        let second = try decode([("y", [1, 1, 6], box + [0.7, 3])], layout([.box, .score, .label]), names: ["a"])
        #expect(second.map(\.label) == [3] && second.map(\.name) == ["3"] && second.map(\.score) == [0.7])
        let third = try decode([("y", [1, 1, 6], [9] + box + [0.7])], layout([.skip, .box, .score]))
        #expect(third.first?.box == first.first?.box)
    }

    @Test func `scores and labels may be outputs of their own`() throws {
        let boxes: [Float] = [0, 0, 4, 4, 20, 10, 30, 20]
        var apart = layout([.box])
        apart.output = "boxes"
        apart.scores = "scores"
        let scores = try decode(
            [("scores", [1, 2, 3], [0.1, 0.2, 0.3, 0, 0.9, 0]), ("boxes", [1, 2, 4], boxes)], apart)
        #expect(scores.map(\.score) == [0.9, 0.3] && scores.map(\.label) == [1, 2])
        apart.labels = "labels"
        let labels = try decode(
            [("labels", [1, 2], [5, 6]), ("scores", [2], [0.6, 0.5]), ("boxes", [2, 4], boxes)], apart)
        #expect(labels.map(\.score) == [0.6, 0.5] && labels.map(\.label) == [5, 6])
    }

    @Test func `equals a plain reference on random tables`() throws {
        var generator = SeededGenerator(seed: 21)
        for round in 0..<20 {
            let rows = 40
            let values = (0..<rows * 7).map { index -> Float in
                if round % 4 == 3, Int.random(in: 0..<30, using: &generator) == 0 { return .nan }
                return index % 7 < 2
                    ? .random(in: 0...60, using: &generator)
                    : index % 7 < 4 ? .random(in: 0...25, using: &generator) : .random(in: 0...1, using: &generator)
            }
            let options = BoxSelection.objects.with(
                scoreThreshold: 0.3, iouThreshold: 0.3, candidates: round % 2 == 0 ? 3000 : 15, limit: 10)
            let found = try decode([("y", [1, rows, 7], values)], layout([.box, .classes], .xywh), options: options)
            #expect(found == reference(values, rows, options))
        }
    }

    private func reference(_ values: [Float], _ rows: Int, _ options: BoxSelection) -> [Detection] {
        var all: [(row: Int, object: Detection)] = []
        for row in 0..<rows {
            let v = Array(values[(row * 7)..<(row * 7 + 7)])
            var label = 0
            for index in 1..<3 where v[4 + index] > v[4 + label] { label = index }
            guard v[4 + label] > options.scoreThreshold else { continue }
            all.append(
                (
                    row,
                    Detection(
                        box: Box(x: 2 * v[0], y: 2 * v[1], width: 2 * v[2], height: 2 * v[3]), score: v[4 + label],
                        label: label, name: String(label))
                ))
        }
        all.sort { ($1.object.score, $0.row) < ($0.object.score, $1.row) }
        var kept: [Detection] = []
        for (_, object) in all.prefix(options.candidates) where kept.count < options.limit {
            let box = object.box
            guard (box.x + box.y + box.width + box.height).isFinite else { continue }
            let isCovered = kept.contains { other in
                let width = min(box.x + box.width, other.box.x + other.box.width) - max(box.x, other.box.x)
                let height = min(box.y + box.height, other.box.y + other.box.height) - max(box.y, other.box.y)
                guard other.label == object.label, width > 0, height > 0 else { return false }
                let both = box.width * box.height + other.box.width * other.box.height - width * height
                return width * height / both > options.iouThreshold
            }
            if !isCovered { kept.append(object) }
        }
        return kept
    }

    @Test func `layouts that cannot be read are one sentence`() {
        let cases: [([(name: String, shape: [Int])], ObjectLayout, [String], String)] = [
            ([("y", [1, 3, 4])], layout([.box, .classes]), [], "no axis of at least 5 columns"),
            ([("y", [2, 5, 9])], layout([.box, .score]), [], "is not a table"),
            ([("y", [1, 9, 5])], layout([.classes, .box]), [], "must be the last"),
            ([("y", [1, 9, 5])], layout([.score]), [], "\"box\" must be there once"),
            ([("y", [1, 9, 4])], layout([.box]), [], "there must be a \"score\""),
            ([("y", [1, 9, 7])], layout([.box, .classes]), ["a", "b"], "no axis of 6 columns"),
        ]
        for (shapes, layout, names, text) in cases {
            let infos = shapes.map { TensorInfo(name: $0.name, shape: $0.shape, element: .f32) }
            let error = #expect(throws: VisionError.self) {
                try ObjectDecoder(outputs: infos, size: size, layout: layout, names: names)
            }
            #expect(error?.detail.contains(text) == true, "\(error?.detail ?? "") \(text)")
        }
        var missing = layout([.box, .score])
        missing.output = "z"
        let error = #expect(throws: VisionError.self) {
            try ObjectDecoder(
                outputs: [TensorInfo(name: "y", shape: [1, 9, 5], element: .f32)], size: size, layout: missing)
        }
        #expect(error?.detail == "the model has no output \"z\"; it has y")
    }
}

@Suite struct InputLayoutTests {
    @Test func `colours last are the planes interleaved, and the margin has its own value`() {
        let picture = randomPicture(.i420, width: 40, height: 20)
        let normalisation = InputNormalisation(
            channelOrder: .bgr, mean: [10, 20, 30], scale: [0.5, 1, 2], fit: .letterbox)
        let size = InputSize(width: 24, height: 24)
        func tensor(_ layout: Preprocessor.Layout) -> [Float] {
            let preprocessor = Preprocessor(
                size: size, normalisation: normalisation, filter: .bilinear, alignment: .centre, margin: 114,
                layout: layout)
            #expect(preprocessor.shape == (layout == .nchw ? [1, 3, 24, 24] : [1, 24, 24, 3]))
            var tensor = [Float](repeating: .nan, count: preprocessor.count)
            _ = tensor.withUnsafeMutableBufferPointer { preprocessor.fill($0, from: picture) }
            return tensor
        }
        let planes = tensor(.nchw)
        let pixels = tensor(.nhwc)
        #expect(planes.indices.allSatisfy { planes[$0] == pixels[$0 % 576 * 3 + $0 / 576] })
        #expect([planes[0], planes[576], planes[1152]] == [52, 94, 168])
    }
}
