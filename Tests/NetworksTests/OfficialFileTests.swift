// SPDX-License-Identifier: Apache-2.0
import Networks
import Testing

@Suite("Published weight files", .enabled(if: Shared.exists("weights"), "needs ../shared/weights"))
struct OfficialFileTests {
    @Test(
        "The M-LSD releases import and are recognised",
        arguments: [
            ("M-LSD_320_tiny_fp32.tflite", "tiny", "320x320", ElementType.f32),
            ("M-LSD_512_tiny_fp32.tflite", "tiny", "512x512", .f32),
            ("M-LSD_320_large_fp16.tflite", "large", "320x320", .f16),
            ("M-LSD_512_large_fp16.tflite", "large", "512x512", .f16),
        ])
    func mlsd(file: String, variant: String, size: String, type: ElementType) throws {
        let result = try ModelImporter.read(path: Shared.path("weights/\(file)"))
        #expect(result.report.release?.file == file)
        #expect(result.weights.metadata["network"] == "mlsd")
        #expect(result.weights.metadata["variant"] == variant)
        #expect(result.weights.metadata["licence"] == "Apache-2.0")
        #expect(result.weights.metadata["input_size"] == size)
        #expect(result.weights.floatCount == (variant == "tiny" ? 613_936 : 1_522_512))
        #expect(result.weights["backbone.features.0.0.weight"]?.type == type)
        let onnx = try Architecture.find("mlsd", variant).onnx(at: InputSize(size), weights: result.weights)
        #expect(onnx.count > result.weights.floatCount * 4 - 11 * 65 * 4)
    }

    @Test(
        "What comes with the program of a release in 8 bits is for the very numbers that are imported",
        arguments: [
            "M-LSD_512_tiny_fp32.tflite", "M-LSD_320_tiny_fp32.tflite", "M-LSD_512_large_fp16.tflite",
            "M-LSD_320_large_fp16.tflite", "retinaface_mobilenet0.25_1mb.pth",
        ])
    func record(file: String) throws {
        let result = try ModelImporter.read(path: Shared.path("weights/\(file)"))
        let record = try #require(
            QuantisationRecord.find(for: result.weights.checksum, in: [Shared.own("models/official")]))
        #expect(record.isEqual("int8"))
        let architecture = try Architecture.find(record.network, record.variant)
        let weights = try record.applied(to: result.weights, of: architecture)
        let quantised = try architecture.onnx(at: InputSize(width: 64, height: 64), weights: weights)
        let float = try architecture.onnx(at: InputSize(width: 64, height: 64), weights: result.weights)
        // Kernels of a byte in place of four: nearly all of them.
        #expect(quantised.count < float.count * 45 / 100)
    }

    @Test(
        "The RetinaFace releases import as the family they were trained as",
        arguments: [
            ("retinaface_mobilenet0.25_1mb.pth", "mobilenet0.25"),
            ("retinaface_mobilenet0.25_first_release.pth", "mobilenet0.25-first"),
        ])
    func retinaFace(file: String, variant: String) throws {
        let path = Shared.path("weights/\(file)")
        let result = try ModelImporter.read(path: path)
        #expect(result.report.variant == variant)
        #expect(result.report.load.matched == 253)
        #expect(result.report.ignored.count == 47)
        #expect {
            try ModelImporter.read(path: path, variant: "mobilenet0.25-leaky")
        } throws: { "\($0)".hasSuffix("the file holds retinaface \(variant), not mobilenet0.25-leaky") }
    }

    /// The golden values of the reference implementation, on the graph itself: no engine involved.
    @Test("RetinaFace reproduces the reference outputs")
    func retinaFaceGolden() throws {
        let weights = try ModelImporter.read(path: Shared.path("weights/retinaface_mobilenet0.25_1mb.pth")).weights
        let network = try RetinaFace(.relu).network(at: InputSize(width: 320, height: 256))
        var image: [Float] = []
        for c in 0..<3 {
            for y in 0..<256 {
                for x in 0..<320 {
                    image.append(Float((3 * y + 5 * x + 7 * c) % 256) - RetinaFace.normalisation.mean[c])
                }
            }
        }
        let outputs = try ReferenceExecutor(network: network.folded, weights: network.folding(weights))
            .run(["image": image])
        let loc = try #require(outputs["loc"])
        let conf = try #require(outputs["conf"])
        let landmarks = try #require(outputs["landms"])
        #expect(loc.count == 3360 * 4)
        func near(_ values: ArraySlice<Float>, _ golden: [Float], _ tolerance: Float) -> Bool {
            values.count == golden.count && zip(values, golden).allSatisfy { abs($0 - $1) <= tolerance }
        }
        #expect(near(loc[0..<4], [-0.27824, 1.08915, -1.91513, -1.25071], 1e-4))
        #expect(near(conf[0..<2], [0.999172, 0.000828], 1e-5))
        #expect(
            near(
                landmarks[0..<10],
                [-2.43648, -0.98037, 1.32262, -1.01053, -0.72202, 0.90579, -2.21250, 2.83771, 1.11569, 2.89238], 1e-4))
        let faces = stride(from: 1, to: conf.count, by: 2).map { conf[$0] }
        func sum(_ values: [Float]) -> Double { values.reduce(0) { $0 + Double($1) } }
        #expect(abs(sum(loc) - -2725.985) < 0.05)
        #expect(abs(sum(faces) - 3.86728) < 1e-3)
        #expect(abs(sum(landmarks) - 7525.576) < 0.05)
        #expect(abs((faces.max() ?? 0) - 0.053807) < 1e-5)
        #expect(faces.firstIndex(of: faces.max() ?? 0) == 3289)
    }
}

@Suite("Weights of our own", .enabled(if: Shared.exists("prototypes/detection/weights"), "needs ../shared/prototypes"))
struct PrototypeWeightTests {
    @Test(
        "They load under their own names",
        arguments: [
            ("mlsd_tiny", "mlsd", "tiny", 40), ("retinaface_mobilenet0.25", "retinaface", "mobilenet0.25", 47),
        ])
    func load(file: String, network: String, variant: String, counters: Int) throws {
        let path = Shared.path("prototypes/detection/weights/\(file).safetensors")
        let entry = try Architecture.find(network, variant)
        let weights = try SafeTensors.read(path: path)
        let report = try entry.build().check(weights)
        #expect(report.isComplete)
        #expect(report.unexpected.isEmpty)
        #expect(report.ignored.count == counters)
        #expect(try entry.onnx(weights: weights).count > 1_600_000)
        #expect(try ModelImporter.read(path: path, variant: variant).report.load.isComplete)
    }
}
