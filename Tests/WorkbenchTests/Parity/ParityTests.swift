// SPDX-License-Identifier: Apache-2.0
import Annotations
import Foundation
import Media
import Networks
import TestSupport
import Testing
import Vision

@testable import Inference
@testable import Pipeline
@testable import Workbench
@testable import PipelineLanguage

/// A reference made as somebody else's program would, with one mistake planted in it.
private struct Planted {
    /// Numbers of the pre-processing; the node's own unless changed.
    var order = [0, 1, 2]
    var mean: [Float] = [104, 117, 123]
    var scale: Float = 1.0 / 64
    var fit = InputNormalisation.Fit.stretch
    var alignment = Placement.Alignment.centre

    static let width = 48
    static let height = 48
    static let imageWidth = 96
    static let imageHeight = 72

    /// A picture without symmetry: gradients in different directions for each colour, and a few blocks.
    static let image: [UInt8] = (0..<imageHeight).flatMap { y in
        (0..<imageWidth).flatMap { x -> [UInt8] in
            let block = (x / 16 + y / 24) % 3 == 0 ? 60 : 0
            return [
                UInt8(min(255, x * 2 + block)), UInt8(min(255, y * 3)), UInt8(min(255, (x + y) + (x > 60 ? 70 : 0))),
            ]
        }
    }

    /// The input tensor `[3, height, width]`, by plain bilinear resampling.
    var input: [Float] {
        let (w, h) = (Self.width, Self.height)
        let place = Placement(
            sourceWidth: Self.imageWidth, sourceHeight: Self.imageHeight, in: InputSize(width: w, height: h), fit: fit,
            alignment: alignment)
        var tensor = [Float](repeating: 0, count: 3 * w * h)
        for channel in 0..<3 {
            for y in place.y..<(place.y + place.height) {
                for x in place.x..<(place.x + place.width) {
                    let sy = min(max((Float(y - place.y) + 0.5) * place.scaleY - 0.5, 0), Float(Self.imageHeight - 1))
                    let sx = min(max((Float(x - place.x) + 0.5) * place.scaleX - 0.5, 0), Float(Self.imageWidth - 1))
                    let (y0, x0) = (Int(sy), Int(sx))
                    let (y1, x1) = (min(y0 + 1, Self.imageHeight - 1), min(x0 + 1, Self.imageWidth - 1))
                    func at(_ y: Int, _ x: Int) -> Float {
                        Float(Self.image[3 * (y * Self.imageWidth + x) + order[channel]])
                    }
                    let (fy, fx) = (sy - Float(y0), sx - Float(x0))
                    let top = at(y0, x0) * (1 - fx) + at(y0, x1) * fx
                    let bottom = at(y1, x0) * (1 - fx) + at(y1, x1) * fx
                    tensor[(channel * h + y) * w + x] = (top * (1 - fy) + bottom * fy - mean[channel]) * scale
                }
            }
        }
        return tensor
    }
}

@Suite struct ParityTests {
    private static let boxes: [[Float]] = [
        [10, 12, 30, 40, 0.9], [2, 3, 9, 11, 0.8], [20, 4, 44, 16, 0.7], [5, 30, 17, 46, 0.6],
    ]

    /// The node under test, around a model whose rows are constant and whose second output is the shrunken input.
    private func subject(fit: String = "stretch") throws -> PictureStages<any AnnotationList> {
        let scratch = try Scratch()
        let b = NetworkBuilder(name: "two", variant: "test")
        let x = try b.input("picture", shape: [1, 3, Planted.height, Planted.width])
        let rows = try b.convolution("rows", b.apply("mean", .globalAveragePool, x), outputChannels: 20, bias: true)
        try b.output("boxes", b.apply("table", .reshape([1, 4, 5]), rows))
        try b.output("map", b.apply("pool", .averagePool(Pooling(kernel: 4, stride: 4)), x))
        try b.output("gate", b.apply("sigmoid", .sigmoid, b.convolution("mix", x, outputChannels: 3, kernel: 1)))
        var weights = Weights()
        weights["rows.weight"] = Tensor(shape: [20, 3, 1, 1], floats: [Float](repeating: 0, count: 60))
        weights["rows.bias"] = Tensor(shape: [20], floats: Self.boxes.flatMap { $0 })
        weights["mix.weight"] = Tensor(shape: [3, 3, 1, 1], floats: [1, 0, 0, 0, 1, 0, 0, 0, 1])
        let path = scratch.file("model.onnx")
        try Data(b.build().onnx(weights: weights)).write(to: URL(fileURLWithPath: path))
        let text = """
            {"nodes": {
            "b": {"type": "testpattern", "frames": 1},
            "n": {"type": "onnx", "input": "b", "model": "\(path)", "mean": [104, 117, 123], "scale": 0.015625,
                  "fit": "\(fit)", "columns": ["box", "score"], "format": "xyxy", "overlap": 1},
            "e": {"type": "null", "input": "n"}
            }}
            """
        let valid = try PipelineFile(name: "test.json", text: text).validated(against: NodeRegistry.builtIn.contracts)
        let node = try #require(valid.nodes.first { $0.id == "n" })
        let built = try ONNXNode.make(
            node,
            in: BuildContext(
                pipeline: valid, options: .init(cache: .off), engine: try OpenVINOEngine.shared()))
        guard case .node(let made) = built else { throw OutputError("not a node") }
        return try #require((made as? any InspectableNode)?.stages)
    }

    private func reference(_ planted: Planted, shape: [Int] = [1, 3, 48, 48], _ input: [Float]? = nil) -> [String:
        Tensor]
    {
        [
            "image": Tensor(shape: [Planted.imageHeight, Planted.imageWidth, 3], type: .u8, bytes: Planted.image[...])
                ?? Tensor(shape: [0], floats: []),
            "input": Tensor(shape: shape, floats: input ?? planted.input),
        ]
    }

    private func stages(_ arrays: [String: Tensor], fit: String = "stretch") throws -> [ParityReport.Stage] {
        try ParityCheck.compare(subject(fit: fit), with: ParityReference(arrays)).stages
    }

    private func causes(_ name: String, _ arrays: [String: Tensor], fit: String = "stretch") throws -> [String] {
        try #require(stages(arrays, fit: fit).first { $0.name == name }).causes
    }

    // MARK: - Pre-processing

    @Test func `a reference without a mistake agrees`() throws {
        for fit in [InputNormalisation.Fit.stretch, .letterbox] {
            let stage = try stages(reference(Planted(fit: fit)), fit: fit == .stretch ? "stretch" : "letterbox")[0]
            #expect(stage.agrees == true && stage.causes.isEmpty, "\(stage)")
        }
    }

    @Test func `mistakes of pre-processing are named, each alone`() throws {
        let own = Planted()
        let cases: [(Planted, String)] = [
            (Planted(order: [2, 1, 0]), "swapped channels: the reference is BGR, the node feeds RGB"),
            (Planted(mean: [0, 0, 0]), "missing mean"), (Planted(mean: [123, 117, 104]), "mean in the other order"),
            (Planted(mean: [90, 117, 123]), "mean; it subtracts [9"), (Planted(scale: 1), "missing scale"),
            (Planted(scale: 1.0 / 255), "scale: the reference divides by 255"),
            (Planted(fit: .letterbox), "letterbox: the reference letterboxes, the node stretches"),
        ]
        for (planted, text) in cases {
            let found = try causes("pre-processing", reference(planted))
            if text.hasPrefix("swapped") {
                // The other colour's mean comes with the other colour.
                #expect(found.first?.hasPrefix(text) == true, "\(text): \(found)")
            } else {
                #expect(found.count == 1 && found[0].hasPrefix(text), "\(text): \(found)")
            }
        }
        let fits = try causes("pre-processing", reference(own), fit: "letterbox")
        #expect(fits.contains { $0.hasPrefix("stretch: the reference stretches, the node letterboxes") }, "\(fits)")
        let corner = try causes(
            "pre-processing", reference(Planted(fit: .letterbox, alignment: .topLeft)), fit: "letterbox")
        #expect(corner.contains { $0.contains("in the top left corner, the node in the centre") }, "\(corner)")
        let both = try causes("pre-processing", reference(Planted(mean: [0, 0, 0], scale: 1)))
        #expect(both.count == 2 && both[0].hasPrefix("missing scale") && both[1].hasPrefix("missing mean"), "\(both)")
    }

    @Test func `axes in another order are named`() throws {
        let (w, h) = (Planted.width, Planted.height)
        let input = Planted().input
        let pixels = coloursLast(input)
        let turned = turned(input, side: w)
        let mirrored = input.rearranged { at in
            let (line, x) = (at / w, at % w)
            return line * w + w - 1 - x
        }
        for (shape, values, text) in [
            ([1, h, w, 3], pixels, "transposed axes: the reference has colours last"),
            ([1, 3, h, w], pixels, "transposed axes: the reference was reshaped"),
            ([1, 3, h, w], turned, "transposed axes: the reference has rows and columns exchanged"),
            ([1, 3, h, w], mirrored, "the reference is mirrored"),
        ] {
            let found = try causes("pre-processing", reference(Planted(), shape: shape, values))
            #expect(found.count == 1 && found[0].hasPrefix(text), "\(text): \(found)")
        }
        // A generator with a fixed start: the numbers have nothing to do with the picture.
        var state: UInt32 = 7
        let noise = input.map { _ -> Float in
            state = state &* 1_664_525 &+ 1_013_904_223
            return Float(state >> 8) / Float(1 << 23) - 1
        }
        let nothing = try causes("pre-processing", reference(Planted(), noise))
        #expect(nothing.count == 1 && nothing[0].hasPrefix("none of the usual mistakes"), "\(nothing)")
        let other = #expect(throws: OutputError.self) {
            try stages(reference(Planted(), shape: [1, 3, 24, 96], input))
        }
        #expect(other?.description.contains("set \"size\"") == true)
    }

    private func coloursLast(_ planes: [Float]) -> [Float] {
        let area = planes.count / 3
        return planes.rearranged { at in
            let (pixel, colour) = (at / 3, at % 3)
            return colour * area + pixel
        }
    }

    private func turned(_ planes: [Float], side: Int) -> [Float] {
        planes.rearranged { at in
            let (plane, y, x) = (at / (side * side), at / side % side, at % side)
            return (plane * side + x) * side + y
        }
    }

    // MARK: - Outputs

    @Test func `mistakes in raw outputs are named`() throws {
        let input = Planted().input
        var pooled = [Float](repeating: 0, count: 3 * 12 * 12)
        for (at, value) in input.enumerated() {
            let (plane, y, x) = (at / (48 * 48), at / 48 % 48, at % 48)
            pooled[(plane * 12 + y / 4) * 12 + x / 4] += value / 16
        }
        let last = coloursLast(pooled)
        let turned = turned(pooled, side: 12)
        let flat = Self.boxes.flatMap { $0 }
        let columns = flat.rearranged { at in
            let (column, row) = (at / 4, at % 4)
            return row * 5 + column
        }
        let cases: [(String, [Int], [Float], String?)] = [
            ("map", [1, 3, 12, 12], pooled, nil), ("boxes", [4, 5], flat, nil),
            ("map", [1, 12, 12, 3], last, "transposed axes"), ("map", [1, 3, 12, 12], turned, "transposed axes"),
            ("boxes", [1, 5, 4], columns, "transposed axes"), ("gate", [1, 3, 48, 48], input, "missing activation"),
            ("map", [1, 3, 12, 12], pooled.map { $0 / 4 }, "scale: the node's numbers are 4 times"),
            ("map", [1, 3, 24, 24], [Float](repeating: 0, count: 3 * 576), "wrong stride"),
            ("boxes", [1, 9, 5], [Float](repeating: 0, count: 45), "another number of rows"),
            ("map", [1, 3, 12, 12], pooled.map { $0 * $0 }, "none of the usual mistakes"),
        ]
        for (name, shape, values, text) in cases {
            var arrays = reference(Planted())
            arrays["image"] = nil
            arrays["output." + name] = Tensor(shape: shape, floats: values)
            let stage = try #require(stages(arrays).first { $0.name == "output \(name)" })
            #expect(stage.agrees == (text == nil), "\(stage)")
            #expect(
                stage.causes.count == (text == nil ? 0 : 1) && stage.causes.allSatisfy { $0.hasPrefix(text ?? "") },
                "\(stage)")
        }
    }

    // MARK: - Results

    @Test func `mistakes in decoded boxes are named`() throws {
        // In pixels of the picture: twice and one and a half times the network's.
        let right = Self.boxes.map { [$0[0] * 2, $0[1] * 1.5, $0[2] * 2, $0[3] * 1.5] }
        func moved(_ body: ([Float]) -> [Float]) -> [[Float]] { right.map(body) }
        let letterboxed = Placement(
            sourceWidth: 96, sourceHeight: 72, in: InputSize(width: 48, height: 48), fit: .letterbox,
            alignment: .centre)
        let cases: [([[Float]], String?)] = [
            (right, nil), (moved { [$0[0] + 0.4, $0[1], $0[2], $0[3] - 0.4] }, nil),
            (moved { $0.map { $0 * 2 } }, "wrong stride: the reference's coordinates are 2 times"),
            (moved { $0.map { $0 / 4 } }, "wrong stride: the reference's coordinates are 0.25 times"),
            (Self.boxes.map { Array($0[0..<4]) }, "not mapped back"),
            (
                moved { [$0[0] / 96, $0[1] / 72, $0[2] / 96, $0[3] / 72] },
                "fractions: the reference is in parts of the picture"
            ),
            (moved { [$0[1], $0[0], $0[3], $0[2]] }, "transposed axes: the reference has y before x"),
            (
                moved { [$0[0], $0[1], $0[2] - $0[0], $0[3] - $0[1]] },
                "format: the reference's boxes are left, top, width"
            ),
            (
                moved { [($0[0] + $0[2]) / 2, ($0[1] + $0[3]) / 2, $0[2] - $0[0], $0[3] - $0[1]] },
                "format: the reference's boxes are centre"
            ),
            (
                Self.boxes.map { box in
                    let (a, b) = (letterboxed.source(x: box[0], y: box[1]), letterboxed.source(x: box[2], y: box[3]))
                    return [a.x, a.y, b.x, b.y]
                }, "mapped back as if letterboxed in the centre"
            ),
            (
                moved { [$0[0] + 8, $0[1] + 6, $0[2] + 8, $0[3] + 6] },
                "grid offset: the reference is off by half a cell of stride 8"
            ),
            (Array(right.prefix(2)), "another threshold"), ([], "one side found nothing"),
            (moved { [$0[0] + 17, $0[1] - 29, $0[2] * 3, $0[3] + 55] }, "none of the usual mistakes"),
        ]
        for (rows, text) in cases {
            var arrays = reference(Planted())
            arrays["input"] = nil
            arrays["boxes"] = Tensor(shape: [rows.count, 4], floats: rows.flatMap { $0 })
            let stage = try #require(stages(arrays).first { $0.name == "boxes" })
            #expect(stage.agrees == (text == nil), "\(text ?? "right"): \(stage)")
            #expect(stage.causes.allSatisfy { $0.hasPrefix(text ?? "-") }, "\(text ?? "right"): \(stage)")
            #expect(stage.causes.count == (text == nil ? 0 : 1))
        }
    }

    @Test func `the decoder is judged on the reference's outputs, not on its own`() throws {
        var arrays = reference(Planted())
        let moved = Self.boxes.map { [$0[0] + 3, $0[1] + 1, $0[2] + 3, $0[3] + 1, $0[4]] }
        arrays["output.boxes"] = Tensor(shape: [1, 4, 5], floats: moved.flatMap { $0 })
        arrays["boxes"] = Tensor(
            shape: [4, 4], floats: moved.flatMap { [$0[0] * 2, $0[1] * 1.5, $0[2] * 2, $0[3] * 1.5] })
        let stages = try stages(arrays)
        #expect(stages.map(\.agrees) == [true, false, true], "\(stages)")
    }

    @Test func `what cannot be compared is said`() throws {
        let nothing = #expect(throws: OutputError.self) { try stages(["other": Tensor(shape: [1], floats: [0])]) }
        #expect(nothing?.description.contains("nothing to compare") == true)
        let only = try stages(["boxes": Tensor(shape: [0, 4], floats: [])])
        #expect(only.map(\.agrees) == [nil])
        let image = try stages(["image": reference(Planted())["image"] ?? Tensor(shape: [0], floats: [])])
        #expect(image.map(\.agrees) == [nil, nil])
        let wrong = #expect(throws: OutputError.self) {
            try stages(["image": Tensor(shape: [2, 2], floats: [0, 0, 0, 0])])
        }
        #expect(wrong?.description.contains("uint8") == true)
    }
}

extension [Float] {
    /// The numbers in another order; `source` gives the place each comes from.
    fileprivate func rearranged(_ source: (Int) -> Int) -> [Float] { indices.map { self[source($0)] } }
}
