// SPDX-License-Identifier: Apache-2.0
import Foundation
import Networks
import TestSupport
import Testing

@Suite("Records of a quantisation")
struct QuantisationRecordTests {
    private func weights(_ first: Float = 1) -> Weights {
        var weights = Weights()
        weights["a.weight"] = Tensor(shape: [2], floats: [first, 2])
        return weights
    }

    private func record(for weights: Weights) -> QuantisationRecord {
        QuantisationRecord(
            network: "mlsd", variant: "tiny", weights: weights.checksum, method: .pictures,
            quantisation: Quantisation(
                ranges: ["image": ValueRange(-1, 1), "a.2": ValueRange(0, 0.1)], floatBlocks: ["block16"]),
            keep: 0.98, measure: "sAP10", figures: ["f32": 0.18, "int8": 0.178, "bf16": 0.17], data: "york, part val")
    }

    private func folder<Result>(_ body: (String) throws -> Result) throws -> Result {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("vpipe-record-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: url) }
        return try body(url.path)
    }

    private func message(_ body: () throws -> some Any) -> String {
        do {
            _ = try body()
            return "no error"
        } catch {
            return "\(error)"
        }
    }

    @Test("What was written is read, bit by bit, and the same record gives the same bytes")
    func roundTrip() throws {
        let record = record(for: weights())
        let read = try QuantisationRecord.parse(record.bytes)
        #expect(read.quantisation == record.quantisation)
        #expect(read.figures == record.figures)
        #expect(read.bytes == record.bytes)
    }

    @Test(
        "A record lies beside its weights",
        arguments: [
            ("/a.b/mlsd_tiny.safetensors", "/a.b/mlsd_tiny.quantisation.json"),
            ("x.tflite", "x.quantisation.json"), ("/a.b/weights", "/a.b/weights.quantisation.json"),
        ])
    func place(weights: String, record: String) {
        #expect(QuantisationRecord.path(besides: weights) == record)
    }

    @Test("No record is no error; one of other weights is refused by name, with the way out")
    func others() throws {
        try folder { folder in
            let path = folder + "/w.safetensors"
            #expect(try QuantisationRecord.read(besides: path, for: weights()) == nil)
            try record(for: weights()).write(besides: path)
            #expect(try QuantisationRecord.read(besides: path, for: weights())?.keep == 0.98)
            #expect(
                message { try QuantisationRecord.read(besides: path, for: weights(3)) }
                    == "\(folder)/w.quantisation.json: is the record of other weights than \(path); make one with "
                    + "\"vpipe models quantize mlsd\", or remove it")
        }
    }

    @Test("Among the records of a folder that of the very weights is found; what is none is passed over")
    func find() throws {
        try folder { folder in
            try record(for: weights(1)).write(besides: folder + "/one.x")
            try record(for: weights(2)).write(besides: folder + "/two.x")
            try Data("{}".utf8).write(to: URL(fileURLWithPath: folder + "/a.quantisation.json"))
            let places = ["/nowhere/at/all", folder]
            for number in 1...2 as ClosedRange<Int> {
                let weights = weights(Float(number))
                #expect(QuantisationRecord.find(for: weights.checksum, in: places)?.weights == weights.checksum)
            }
            #expect(QuantisationRecord.find(for: weights(3).checksum, in: places) == nil)
        }
    }

    @Test("A newer record says so, even where the rest means nothing to this program")
    func newer() {
        let bytes = Array(#"{"format": 2, "blocks": {"block16": "f8"}}"#.utf8)
        #expect(
            message { try QuantisationRecord.parse(bytes) }
                == "was written by a newer vpipe: it has format 2, this one reads up to 1; make one with "
                + "\"vpipe models quantize NETWORK\", or remove it")
    }

    @Test("Damage anywhere is an error: never another range, block or figure")
    func damage() throws {
        let record = record(for: weights())
        let bytes = record.bytes
        var generator = SeededGenerator(seed: 5)
        var refused = 0
        for _ in 0..<2000 {
            var damaged = bytes
            switch generator.next() % 3 {
            case 0: damaged[Int(generator.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: generator.next())
            case 1: damaged.removeSubrange(Int(generator.next() % UInt64(bytes.count))..<bytes.count)
            default:
                let start = Int(generator.next() % UInt64(bytes.count))
                damaged.removeSubrange(start..<min(bytes.count, start + Int(generator.next() % 9)))
            }
            do {
                let read = try QuantisationRecord.parse(damaged)
                // White space between the parts may change.
                #expect(read.bytes == bytes)
            } catch {
                refused += 1
            }
        }
        #expect(refused > 1000)
        for text in ["", "[]", "{}", "null", "\u{0}", #"{"format":1}"#, #"{"format":"1"}"#] {
            #expect(message { try QuantisationRecord.parse(Array(text.utf8)) }.hasPrefix("is damaged"), "\(text)")
        }
    }

    @Test("Equal is what keeps enough of f32's figure; what was not measured is not")
    func equal() {
        var record = record(for: weights())
        #expect(record.isEqual("int8"))
        #expect(!record.isEqual("bf16"))
        #expect(record.isEqual("f32"))
        record.figures = ["f32": 0, "int8": 0]
        #expect(!record.isEqual("int8"))
        record.figures = [:]
        #expect(!record.isEqual("f32"))
    }

    @Test("Applied to weights, every network built of them is quantised; floating point blocks stay")
    func applied() throws {
        let architecture = try Architecture.find("retinaface", "mobilenet0.25")
        let size = InputSize(width: 64, height: 64)
        let network = try architecture.build(at: size)
        let weights = syntheticWeights(for: network)
        let free = try DataFreeQuantisation(network, weights: weights, normalisation: architecture.normalisation)
        var quantisation = free.quantisation
        quantisation.floatBlocks = ["body"]
        for method in [QuantisationRecord.Method.pictures, .dataFree] {
            let record = QuantisationRecord(
                network: "retinaface", variant: "mobilenet0.25", weights: weights.checksum, method: method,
                quantisation: quantisation, keep: 1, measure: "", figures: [:], data: "")
            let applied = try record.applied(to: weights, of: architecture)
            let model = try architecture.onnx(at: size, weights: applied)
            let text = String(decoding: model, as: UTF8.self)
            #expect(text.contains("ClassHead.0.conv1x1.weight_scale"))
            #expect(!text.contains("body.stage1.0.0.weight_scale"))
            #expect(model.count < (try architecture.onnx(at: size, weights: weights)).count)
        }
    }

    private static let shipped = ((try? FileManager.default.contentsOfDirectory(atPath: Shared.own("models"))) ?? [])
        .filter { $0.hasSuffix(".quantisation.json") }.sorted()

    @Test("There are records among the shipped weights") func someAreShipped() { #expect(Self.shipped.count >= 4) }

    @Test(
        "A shipped record is of the weights beside it, names what its network has, and quantises it", arguments: shipped
    )
    func shippedRecord(file: String) throws {
        let path = Shared.own("models/" + file.replacing(".quantisation.json", with: ".safetensors"))
        let weights = try SafeTensors.read(path: path)
        let record = try #require(try QuantisationRecord.read(besides: path, for: weights))
        #expect(record.isEqual("int8"))
        let architecture = try Architecture.find(record.network, record.variant)
        let size = InputSize(width: 128, height: 128)
        let model = String(
            decoding: try architecture.onnx(at: size, weights: record.applied(to: weights, of: architecture)),
            as: UTF8.self)
        // Each range became the quantiser of a layer's output; what stays in floating point is known by name.
        for layer in record.quantisation.ranges.keys { #expect(model.contains(layer), "\(layer)") }
        for block in record.quantisation.floatBlocks { #expect(model.contains(block), "\(block)") }
        #expect(model.contains("weight_scale") && model.contains("QuantizeLinear"))
    }
}
