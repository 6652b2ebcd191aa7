// SPDX-License-Identifier: Apache-2.0
import Inference
import Networks
import Testing

/// The published weights through the importers and the engine, against numbers of the reference implementations.
@Suite("Golden values")
struct GoldenTests {
    struct LineCase: Sendable, CustomTestStringConvertible {
        let file: String
        let side: Int
        let rows: ClosedRange<Int>
        let columns: ClosedRange<Int>
        let top: (y: Int, x: Int)
        let score: Float
        let displacement: [Float]
        let sum: Float
        var testDescription: String { file }
    }

    static let lineCases = [
        LineCase(
            file: "M-LSD_512_tiny_fp32.tflite", side: 512, rows: 120...391, columns: 100...411, top: (196, 130),
            score: 0.64192, displacement: [-78.434, -0.924, 78.664, 0.012], sum: 69510.2),
        LineCase(
            file: "M-LSD_320_tiny_fp32.tflite", side: 320, rows: 75...244, columns: 63...257, top: (80, 128),
            score: 0.96464, displacement: [0.464, -41.346, 0.871, 41.728], sum: -6050.0),
        LineCase(
            file: "M-LSD_512_large_fp16.tflite", side: 512, rows: 120...391, columns: 100...411, top: (127, 205),
            score: 0.99354, displacement: [0.584, -66.733, 1.374, 68.504], sum: 43179.9),
        LineCase(
            file: "M-LSD_320_large_fp16.tflite", side: 320, rows: 75...244, columns: 63...257, top: (79, 128),
            score: 0.99569, displacement: [0.615, -41.258, 0.799, 43.331], sum: 51546.9),
    ]

    @Test(
        "M-LSD finds the reference's best line",
        .enabled(
            if: lineCases.allSatisfy { SharedFiles.has($0.file) }, "needs the M-LSD weights in ../shared/weights"),
        arguments: lineCases)
    func lines(expected: LineCase) throws {
        let folder = try #require(SharedFiles.weights)
        let imported = try ModelImporter.read(path: folder + "/" + expected.file)
        let side = expected.side
        let onnx = try Architecture.find("mlsd", imported.report.variant)
            .onnx(at: InputSize(width: side, height: side), weights: imported.weights)
        let model = try OpenVINOEngine.shared()
            .compile(ModelSource(name: expected.file, onnx: onnx), options: TestModels.options(cores: 2))
        let request = try model.makeRequest()
        let input = request.inputs[0].floats
        for (channel, colours) in [(64, 200), (96, 180), (128, 160)].enumerated() {
            for y in 0..<side {
                for x in 0..<side {
                    let isInside = expected.rows.contains(y) && expected.columns.contains(x)
                    input[(channel * side + y) * side + x] = Float(isInside ? colours.1 : colours.0) / 127.5 - 1
                }
            }
        }
        try request.run()

        let map = side / 2
        let centre = try #require(request.outputs.first { $0.info.name == "centre" })
        let displacement = try #require(request.outputs.first { $0.info.name == "displacement" })
        #expect(centre.info.shape == [1, 1, map, map])
        #expect(displacement.info.shape == [1, 4, map, map])
        let best = try #require(centre.floats.indices.max { centre.floats[$0] < centre.floats[$1] })
        #expect([best / map, best % map] == [expected.top.y, expected.top.x])
        #expect(abs(centre.floats[best] - expected.score) < 2e-4)
        for (channel, value) in expected.displacement.enumerated() {
            #expect(abs(displacement.floats[channel * map * map + best] - value) < 0.01)
        }
        // Sums over hundreds of thousands of numbers: the stated tolerance of the reference.
        #expect(abs(displacement.floats.reduce(0, { $0 + Double($1) }) - Double(expected.sum)) < 50)
    }

    @Test(
        "RetinaFace gives the reference's numbers",
        .enabled(
            if: SharedFiles.has("retinaface_mobilenet0.25_1mb.pth"),
            "needs retinaface_mobilenet0.25_1mb.pth in ../shared/weights"))
    func faces() throws {
        let folder = try #require(SharedFiles.weights)
        let imported = try ModelImporter.read(path: folder + "/retinaface_mobilenet0.25_1mb.pth")
        #expect(imported.report.variant == "mobilenet0.25")
        let (width, height) = (320, 256)
        let onnx = try Architecture.find("retinaface", imported.report.variant)
            .onnx(at: InputSize(width: width, height: height), weights: imported.weights)
        let model = try OpenVINOEngine.shared()
            .compile(ModelSource(name: "retinaface", onnx: onnx), options: TestModels.options(cores: 2))
        let request = try model.makeRequest()
        let input = request.inputs[0].floats
        for (channel, mean) in [104, 117, 123].enumerated() {
            for y in 0..<height {
                for x in 0..<width {
                    input[(channel * height + y) * width + x] = Float((3 * y + 5 * x + 7 * channel) % 256 - mean)
                }
            }
        }
        try request.run()

        let loc = try #require(request.outputs.first { $0.info.name == "loc" })
        let conf = try #require(request.outputs.first { $0.info.name == "conf" })
        let landms = try #require(request.outputs.first { $0.info.name == "landms" })
        #expect([loc, conf, landms].map(\.info.shape) == [[1, 3360, 4], [1, 3360, 2], [1, 3360, 10]])
        expect(loc.floats.prefix(4), [-0.27824, 1.08915, -1.91513, -1.25071])
        expect(conf.floats.prefix(2), [0.999172, 0.000828])
        expect(
            landms.floats.prefix(10),
            [-2.43648, -0.98037, 1.32262, -1.01053, -0.72202, 0.90579, -2.21250, 2.83771, 1.11569, 2.89238])
        let faces = (0..<3360).map { conf.floats[2 * $0 + 1] }
        #expect(abs(loc.floats.reduce(0) { $0 + Double($1) } + 2725.985) < 0.05)
        #expect(abs(faces.reduce(0) { $0 + Double($1) } - 3.86728) < 1e-3)
        #expect(abs(landms.floats.reduce(0) { $0 + Double($1) } - 7525.576) < 0.1)
        let best = try #require(faces.indices.max { faces[$0] < faces[$1] })
        #expect(best == 3289)
        #expect(abs(faces[best] - 0.053807) < 1e-4)
    }

    private func expect(
        _ values: some Sequence<Float>, _ expected: [Float], sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let values = Array(values)
        #expect(values.count == expected.count, sourceLocation: sourceLocation)
        for (value, wanted) in zip(values, expected) {
            #expect(abs(value - wanted) < 2e-4, "\(value) against \(wanted)", sourceLocation: sourceLocation)
        }
    }
}
