// SPDX-License-Identifier: Apache-2.0
import Foundation
import Inference
import InferenceTestSupport
import Networks
import TestSupport
import Testing

@testable import Pipeline

@Suite struct PrecisionChoiceTests {
    private static let vnni = CPUFeatures(
        cpuinfo: "processor : 0\nmodel name : a\nflags : avx2 avx512_vnni avx512_bf16")
    private static let plain = CPUFeatures(cpuinfo: "processor : 0\nmodel name : b\nflags : avx2")

    /// A folder with weights whose record says `figures`, or without a record.
    private func choose(
        _ figures: [String: Double]?, times: [Double] = [9, 3, 5], features: CPUFeatures = vnni, other: Bool = false,
        damaged: Bool = false, calls: Int = 1, table: Bool = false
    ) throws -> (choice: ChosenModel, timings: Int, folder: String) {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("vpipe-choice-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let architecture = try Architecture.find("retinaface", "mobilenet0.25")
        let weights = try architecture.build(at: InputSize(width: 64, height: 64)).initialWeights(seed: 1)
        let path = folder.path + "/w.safetensors"
        if let figures {
            let record = QuantisationRecord(
                network: "retinaface", variant: "mobilenet0.25", weights: other ? "sha256:0" : weights.checksum,
                method: .pictures, quantisation: Quantisation(ranges: ["image": ValueRange(-120, 150)]), keep: 0.99,
                measure: "AP", figures: figures, data: "")
            try record.write(besides: path)
            if damaged {
                try Data(record.bytes.dropLast(40)).write(
                    to: URL(fileURLWithPath: QuantisationRecord.path(besides: path)))
            }
        }
        var timings = 0
        let chooser = PrecisionChooser(
            features: features, table: table ? PrecisionTimes(path: folder.path + "/times.json") : nil, setting: "test"
        ) { candidates in
            timings += 1
            return Array(times.prefix(candidates.count))
        }
        let model = NodeModel(architecture, weights, path: path, size: InputSize(width: 64, height: 64))
        var choice = try chooser.automatic(model)
        for _ in 1..<calls { choice = try chooser.automatic(model) }
        return (choice, timings, folder.path)
    }

    @Test(arguments: [
        ([9, 3, 5], Precision.int8), ([9, 6, 5], .bf16), ([2, 3, 5], .f32),
    ])
    func `the fastest of what was measured equal is taken`(times: [Double], expected: Precision) throws {
        let choice = try choose(["f32": 0.6, "int8": 0.598, "bf16": 0.6], times: times).choice
        #expect(choice.precision == expected)
        #expect((choice.model.weights.quantisation != nil) == (expected == .int8))
        #expect(choice.reason?.hasPrefix(expected.rawValue) == true)
    }

    @Test func `what lost more than was to be kept is not even timed`() throws {
        let found = try choose(["f32": 0.6, "int8": 0.59])
        #expect(found.choice.precision == .f32)
        #expect(found.timings == 0)
        #expect(found.choice.reason == "f32, as the others lost more than was to be kept")
        #expect(try choose(["f32": 0.6, "int8": 0.59, "bf16": 0.6], times: [9, 3]).choice.precision == .bf16)
    }

    @Test func `the report says by how much and at what cost`() throws {
        #expect(
            try choose(["f32": 0.6, "int8": 0.5952]).choice.reason
                == "int8, 3 times as fast as f32 here, 99.2 % of its AP")
    }

    @Test func `a processor without the units runs f32, and the report says why`() throws {
        let found = try choose(["f32": 0.6, "int8": 0.6, "bf16": 0.6], features: Self.plain)
        #expect(found.choice.precision == .f32)
        #expect(found.choice.reason == "f32, as this processor has no units for int8 or bf16")
    }

    @Test func `weights without a record run f32, and the report names the command`() throws {
        let found = try choose(nil)
        #expect(found.choice.precision == .f32)
        #expect(found.choice.model.weights.quantisation == nil)
        #expect(
            found.choice.reason
                == "f32, as no other arithmetic was measured: see \"vpipe models quantize retinaface\"")
    }

    @Test func `records that are damaged or of other weights lead to f32, and the report says so`() throws {
        for (other, damaged, text) in [(true, false, "is the record of other weights"), (false, true, "is damaged")] {
            let found = try choose(["f32": 0.6, "int8": 0.6], other: other, damaged: damaged)
            #expect(found.choice.precision == .f32)
            #expect(found.choice.model.weights.quantisation == nil)
            #expect(found.choice.reason?.contains(text) == true)
        }
    }

    @Test func `inferences are timed once`() throws {
        #expect(try choose(["f32": 0.6, "int8": 0.6], calls: 3, table: true).timings == 1)
        #expect(try choose(["f32": 0.6, "int8": 0.6], calls: 3).timings == 3)
    }

    @Test func `what would be chosen is told without timing, until a run has timed it`() throws {
        let scratch = try Scratch()
        let architecture = try Architecture.find("retinaface", "mobilenet0.25")
        let weights = try architecture.build(at: InputSize(width: 64, height: 64)).initialWeights(seed: 1)
        let path = scratch.file("w.safetensors")
        let model = NodeModel(architecture, weights, path: path, size: InputSize(width: 64, height: 64))
        let engine = FakeEngine()
        let options = CompileOptions(.throughput, cores: 1, precision: .f32, cache: .directory(scratch.path))
        func outlook() throws -> String { try ChosenModel.outlook(model, engine: engine, options: options) }
        #expect(try outlook().hasPrefix("f32, as no other arithmetic was measured"))
        try QuantisationRecord(
            network: "retinaface", variant: "mobilenet0.25", weights: weights.checksum, method: .pictures,
            quantisation: Quantisation(ranges: ["image": ValueRange(-120, 150)]), keep: 0.99, measure: "AP",
            figures: ["f32": 0.6, "int8": 0.6], data: ""
        ).write(besides: path)
        guard CPUFeatures.current.hasInt8DotProduct else {
            #expect(try outlook() == "f32, as this processor has no units for int8")
            return
        }
        #expect(try outlook() == "the fastest of f32, int8, timed at the first run")
        #expect(engine.started == 0)
        let chosen = try ChosenModel(model, in: nil, engine: engine, options: options)
        #expect(engine.compiled.count == 2)
        #expect(try outlook() == chosen.reason)
        #expect(engine.compiled.count == 2)
    }

    @Test func `int8 by name needs a record that can be used`() throws {
        let architecture = try Architecture.find("retinaface", "mobilenet0.25")
        let weights = try architecture.build(at: InputSize(width: 64, height: 64)).initialWeights(seed: 1)
        let model = NodeModel(architecture, weights, path: "/nowhere/w.safetensors", size: nil)
        #expect(try PrecisionChooser.named(.bf16, model).precision == .bf16)
        #expect {
            try PrecisionChooser.named(.int8, model)
        } throws: {
            "\($0)"
                == "/nowhere/w.safetensors: nothing was measured of these weights in 8 bits; "
                + "\"vpipe models quantize retinaface --data FOLDER\" does"
        }
    }
}
