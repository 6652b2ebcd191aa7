// SPDX-License-Identifier: Apache-2.0
import Annotations
import Inference
import Media
import MediaTestSupport
import Networks
import Testing

@testable import Vision

private let compile = CompileOptions(.single, cores: 1, precision: .f32, cache: .off)

private func lineNetwork(_ path: String, side: Int) throws -> any PictureNetwork<[LineSegment]> {
    let imported = try ModelImporter.read(path: path, network: "mlsd")
    return try LineFamily.mlsd.network(
        NetworkSetup(
            Architecture.find("mlsd", imported.report.variant), weights: imported.weights,
            size: InputSize(width: side, height: side), engine: OpenVINOEngine.shared(), compile: compile))
}

private func faceNetwork(_ path: String) throws -> any PictureNetwork<[Face]> {
    let imported = try ModelImporter.read(path: path, network: "retinaface", variant: "mobilenet0.25")
    return try FaceFamily.retinaFace.network(
        NetworkSetup(
            Architecture.find("retinaface", "mobilenet0.25"), weights: imported.weights,
            engine: OpenVINOEngine.shared(), compile: compile))
}

/// A published M-LSD file and what its reference implementation finds in a picture of one rectangle.
struct LineGolden: Sendable, CustomTestStringConvertible {
    var file: String
    var side: Int
    var rows: ClosedRange<Int>
    var columns: ClosedRange<Int>
    var count: Int
    var score: Float
    var ends: [Float]
    var testDescription: String { file }

    static let all = [
        LineGolden(
            file: "M-LSD_512_tiny_fp32.tflite", side: 512, rows: 120...391, columns: 100...411, count: 22,
            score: 0.64192, ends: [103.13, 390.15, 417.33, 392.02]),
        LineGolden(
            file: "M-LSD_320_tiny_fp32.tflite", side: 320, rows: 75...244, columns: 63...257, count: 4,
            score: 0.96464, ends: [256.93, 77.31, 257.74, 243.46]),
        LineGolden(
            file: "M-LSD_512_large_fp16.tflite", side: 512, rows: 120...391, columns: 100...411, count: 3,
            score: 0.99354, ends: [411.17, 120.53, 412.75, 391.01]),
        LineGolden(
            file: "M-LSD_320_large_fp16.tflite", side: 320, rows: 75...244, columns: 63...257, count: 4,
            score: 0.99569, ends: [257.23, 75.48, 257.60, 244.66]),
    ]

    func colour(_ x: Int, _ y: Int) -> (r: Float, g: Float, b: Float) {
        rows.contains(y) && columns.contains(x) ? (200, 180, 160) : (64, 96, 128)
    }

    /// The picture as full-range BT.601, rounded to bytes.
    func picture() -> Picture {
        let picture = somePicture(
            width: side, height: side, format: .i444, color: ColorSpec(matrix: .bt601, range: .full))
        let planes = (0..<3).map { picture.mutablePlane($0) }
        for y in 0..<side {
            for x in 0..<side {
                let (r, g, b) = colour(x, y)
                let luma = 0.299 * r + 0.587 * g + 0.114 * b
                planes[0].row(y)[x] = UInt8(luma.rounded())
                planes[1].row(y)[x] = UInt8((128 + (b - luma) / 1.772).rounded())
                planes[2].row(y)[x] = UInt8((128 + (r - luma) / 1.402).rounded())
            }
        }
        return picture
    }
}

@Suite struct LinesEndToEnd {
    @Test(
        .enabled(
            if: LineGolden.all.allSatisfy { TestFiles.published($0.file) != nil },
            "needs the M-LSD weights in ../shared/weights"),
        arguments: LineGolden.all)
    func `the reference's lines from the same tensor and from a picture`(golden: LineGolden) throws {
        let network = try lineNetwork(#require(TestFiles.published(golden.file)), side: golden.side)
        let side = golden.side
        let stages = try #require(network.stages)
        let request = try stages.model.makeRequest()
        let tensor = request.inputs[0].floats
        for y in 0..<side {
            for x in 0..<side {
                let (r, g, b) = golden.colour(x, y)
                for (channel, value) in [r, g, b].enumerated() {
                    tensor[(channel * side + y) * side + x] = value / 127.5 - 1
                }
            }
        }
        try request.run()
        let size = stages.preprocessor.size
        let exact = stages.decode(
            request.outputs, Placement(sourceWidth: side, sourceHeight: side, in: size, fit: .stretch))
        #expect(exact.count == golden.count)
        let best = try #require(exact.first)
        #expect(abs(best.score - golden.score) < 2e-4)
        #expect(zip(ends(best), golden.ends).allSatisfy { abs($0 - $1) < 0.02 }, "\(best)")

        // Rounding to bytes moves colours by a level or so: the same line, within a pixel and a half.
        let lines = try network.result(for: golden.picture())
        #expect(lines.contains { line in zip(ends(line), golden.ends).allSatisfy { abs($0 - $1) < 1.5 } }, "\(lines)")
        #expect(zip(lines, lines.dropFirst()).allSatisfy { $0.score >= $1.score })
    }

    @Test func `the default weights find the edges of the sample room`() throws {
        // Measured on the whole clip: 0.646 (samples/README.md).
        #expect(try recall(lineNetwork(TestFiles.model("mlsd_tiny.safetensors"), side: 512)) > 0.55)
    }

    @Test(
        .enabled(
            if: TestFiles.published("M-LSD_512_tiny_fp32.tflite") != nil, "needs M-LSD weights in ../shared/weights"))
    func `the published weights find the edges of the sample room`() throws {
        // Measured on every fifth frame of the clip: 0.893 (samples/README.md).
        let path = try #require(TestFiles.published("M-LSD_512_tiny_fp32.tflite"))
        #expect(try recall(lineNetwork(path, side: 512)) > 0.8)
    }

    private func ends(_ line: LineSegment) -> [Float] { [line.from.x, line.from.y, line.to.x, line.to.y] }

    /// The share of true lines with a found one near: squared distances of both ends below 10 on a 128x128 grid.
    private func recall(_ network: any PictureNetwork<[LineSegment]>) throws -> Double {
        var hits = 0
        var total = 0
        for (picture, truth) in try SampleClip("room", every: 50, count: 3).frames {
            let (sx, sy) = (128 / Float(picture.width), 128 / Float(picture.height))
            let found = try network.result(for: picture).map { ends($0) }
            let lines = try #require(truth.lines)
            total += lines.count
            hits += lines.count { line in
                let wanted = line.from + line.to
                return found.contains { ends in
                    func distance(_ a: [Float]) -> Float {
                        zip(a, wanted).enumerated().reduce(0) { sum, pair in
                            let delta = (pair.element.0 - pair.element.1) * (pair.offset % 2 == 0 ? sx : sy)
                            return sum + delta * delta
                        }
                    }
                    return min(distance(ends), distance([ends[2], ends[3], ends[0], ends[1]])) < 10
                }
            }
        }
        #expect(total > 30)
        return Double(hits) / Double(total)
    }
}

@Suite struct FacesEndToEnd {
    @Test func `the default weights find the faces of the sample clip`() throws {
        // Measured on the whole clip: recall and precision 1 (samples/README.md).
        let (recall, precision) = try score(faceNetwork(TestFiles.model("retinaface_mobilenet0.25.safetensors")))
        #expect(recall >= 0.98 && precision >= 0.98, "recall \(recall), precision \(precision)")
    }

    @Test(
        .enabled(
            if: TestFiles.published("retinaface_mobilenet0.25_1mb.pth") != nil,
            "needs retinaface_mobilenet0.25_1mb.pth in ../shared/weights"))
    func `the published weights find every face of the sample clip`() throws {
        let path = try #require(TestFiles.published("retinaface_mobilenet0.25_1mb.pth"))
        let (recall, precision) = try score(faceNetwork(path))
        #expect(recall == 1 && precision == 1)
    }

    @Test func `asynchronous results equal those of one picture at a time`() throws {
        let network = try faceNetwork(TestFiles.model("retinaface_mobilenet0.25.safetensors"))
        let pictures = try SampleClip("tiny", every: 10, count: 5).frames.map(\.picture)
        let alone = try pictures.map { try network.result(for: $0) }
        var together: [[Face]] = []
        for picture in pictures {
            while try !network.submit(picture) {
                let faces = try network.waitForNext()
                together.append(try #require(faces))
            }
        }
        while let faces = try network.waitForNext() { together.append(faces) }
        #expect(together == alone)
        #expect(alone.contains { !$0.isEmpty })
    }

    /// Greedy matching by falling score, a hit when the boxes' intersection over union is at least a half.
    private func score(_ network: any PictureNetwork<[Face]>) throws -> (recall: Double, precision: Double) {
        var (hits, truths, found) = (0, 0, 0)
        for (picture, truth) in try SampleClip("faces", every: 50, count: 3).frames {
            var free = truth.faces.map { Box(x: $0.box[0], y: $0.box[1], width: $0.box[2], height: $0.box[3]) }
            truths += free.count
            for face in try network.result(for: picture) {
                found += 1
                #expect(face.landmarks.count == 5)
                let overlaps = free.map { overlap($0, face.box) }
                guard let best = overlaps.indices.max(by: { overlaps[$0] < overlaps[$1] }), overlaps[best] >= 0.5 else {
                    continue
                }
                free.remove(at: best)
                hits += 1
            }
        }
        #expect(truths > 10)
        return (Double(hits) / Double(truths), Double(hits) / Double(max(1, found)))
    }

    private func overlap(_ a: Box, _ b: Box) -> Float {
        let width = max(0, min(a.x + a.width, b.x + b.width) - max(a.x, b.x))
        let height = max(0, min(a.y + a.height, b.y + b.height) - max(a.y, b.y))
        return width * height / (a.width * a.height + b.width * b.height - width * height)
    }
}
