// SPDX-License-Identifier: Apache-2.0
import Foundation
import Networks
import TestSupport
import Testing

/// Damaged model files end in an error or in weights, never in a crash or a hang.
@Suite("Mutated model files")
struct MutationTests {
    /// Flips bits, overwrites, truncates, splices, inserts; half of the time near the start, where structure is.
    static func mutate(_ original: [UInt8], _ other: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
        var bytes = original
        func position(_ count: Int) -> Int {
            guard count > 0 else { return 0 }
            let limit = Bool.random(using: &generator) ? min(count, 512) : count
            return Int.random(in: 0..<limit, using: &generator)
        }
        for _ in 0..<Int.random(in: 1...6, using: &generator) {
            guard !bytes.isEmpty else { return bytes }
            let place = position(bytes.count)
            switch Int.random(in: 0..<8, using: &generator) {
            case 0, 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 2: bytes[place] = [0, 1, 0x7F, 0x80, 0xFF].randomElement(using: &generator) ?? 0
            case 3:  // a whole little-endian number
                let value: UInt64 =
                    [0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, .max, 1 << 63].randomElement(using: &generator) ?? 0
                for i in 0..<min(4, bytes.count - place) {
                    bytes[place + i] = UInt8(truncatingIfNeeded: value >> (8 * i))
                }
            case 4: bytes.removeLast(Int.random(in: 0...min(bytes.count, 64), using: &generator))
            case 5:  // a piece of another file over this one
                let start = position(other.count)
                let piece = other[start..<min(start + 16, other.count)]
                for (i, byte) in piece.enumerated() where place + i < bytes.count { bytes[place + i] = byte }
            case 6: bytes.insert(contentsOf: bytes[place..<min(place + 8, bytes.count)], at: position(bytes.count))
            default: bytes.removeSubrange(place..<min(place + Int.random(in: 1...16, using: &generator), bytes.count))
            }
        }
        if Int.random(in: 0..<20, using: &generator) == 0 { bytes = Array(bytes.prefix(position(bytes.count))) }
        return bytes
    }

    private static let smallWeights: Weights = {
        var generator = SeededGenerator(seed: 21)
        var weights = Weights()
        weights["body.a.weight"] = Tensor(shape: [4, 3, 3, 3], floats: generator.floats(108))
        weights["body.a.bias"] = Tensor(shape: [4], floats: generator.floats(4))
        weights["counter"] = Tensor(shape: [], type: .i64, bytes: [9, 0, 0, 0, 0, 0, 0, 0])
        weights["half"] = Tensor(shape: [8], floats: generator.floats(8)).converted(to: .f16)
        weights.metadata = ["network": "mlsd", "variant": "tiny"]
        return weights
    }()

    private static let smallTFLite: [UInt8] = {
        var generator = SeededGenerator(seed: 22)
        return SyntheticFiles.tflite(
            [
                .init(
                    shape: [2, 3, 3, 4], weight: generator.floats(72), bias: [1, 2], stride: 2, dilation: 1,
                    activation: 3, isDepthwise: false),
                .init(
                    shape: [1, 3, 3, 2], weight: generator.floats(18), bias: [1, 2], stride: 1, dilation: 1,
                    activation: 0, isDepthwise: true),
            ], inputShape: [1, 8, 8, 4], half: true)
    }()

    /// One file of each form.
    private static let smallCaffe: [[UInt8]] = SyntheticCaffe.Form.allCases.map { form in
        var generator = SeededGenerator(seed: 23)
        return SyntheticCaffe.file(
            ["conv1_1", "m1@ssh_3x3"].map { name in
                .init(
                    name: name,
                    blobs: [
                        Tensor(shape: [4, 3, 3, 2], floats: generator.floats(72)),
                        Tensor(shape: [4], floats: generator.floats(4)),
                    ])
            }, form: form)
    }

    /// Reads and touches every number, so that a wrong range would show.
    private static func consume(_ weights: Weights) -> Int {
        weights.names.reduce(0) { $0 + (weights[$1]?.floats()?.count ?? 0) }
    }

    /// Errors must be ours; anything else is a bug.
    private static func attempt(_ body: () throws -> Int) -> Bool? {
        do {
            _ = try body()
            return true
        } catch is NetworkError {
            return false
        } catch {
            return nil
        }
    }

    private static func run(
        _ file: [UInt8], splice: [UInt8], seed: UInt64, rounds: Int, _ read: ([UInt8]) throws -> Int
    ) -> (accepted: Int, refused: Int, other: Int) {
        var generator = SeededGenerator(seed: seed)
        var counts = (accepted: 0, refused: 0, other: 0)
        for _ in 0..<rounds {
            let bytes = mutate(file, splice, &generator)
            switch attempt({ try read(bytes) }) {
            case true?: counts.accepted += 1
            case false?: counts.refused += 1
            case nil: counts.other += 1
            }
        }
        return counts
    }

    /// Damaged files of each format; `VPIPE_MUTATIONS` multiplies them.
    private static let rounds: [String: Int] = {
        let factor = max(1, ProcessInfo.processInfo.environment["VPIPE_MUTATIONS"].flatMap { Int($0) } ?? 1)
        return ["tflite": 4000, "stream": 4000, "zip": 3000, "pickle": 2000, "caffe": 2000, "safetensors": 4000]
            .mapValues { $0 * factor }
    }()

    @Test("Ten thousand files in every run")
    func total() { #expect(Self.rounds.values.reduce(0, +) >= 10_000) }

    @Test("Small synthetic files of every format", arguments: rounds.keys.sorted())
    func synthetic(format: String) throws {
        let rounds = try #require(Self.rounds[format])
        let weights = Self.smallWeights
        let stream = SyntheticFiles.torchStream(weights)
        let zip = SyntheticFiles.torchZip(weights)
        let safe = SafeTensors.write(weights)
        let tflite = Self.smallTFLite
        let counts: (accepted: Int, refused: Int, other: Int)
        switch format {
        case "tflite":
            #expect(try TFLiteReader(tflite).convolutions.count == 2)
            counts = Self.run(tflite, splice: safe, seed: 1, rounds: rounds) { bytes in
                try TFLiteReader(bytes).convolutions.reduce(0) { $0 + ($1.weight.floats()?.count ?? 0) }
            }
        case "stream":
            #expect(try TorchReader.read(stream).count == 4)
            counts = Self.run(stream, splice: zip, seed: 2, rounds: rounds) { try Self.consume(TorchReader.read($0)) }
        case "zip":
            #expect(try TorchReader.read(zip).count == 4)
            counts = Self.run(zip, splice: stream, seed: 3, rounds: rounds) { try Self.consume(TorchReader.read($0)) }
        case "pickle":  // inside an archive with right checksums, so that the unpickler sees the damage
            let pickle = SyntheticFiles.statePickle(weights, isStream: false)
            let storages = weights.names.indices.map {
                ("a/data/\($0)", Array(weights[weights.names[$0]]?.bytes ?? []))
            }
            counts = Self.run(pickle, splice: stream, seed: 4, rounds: rounds) { bytes in
                try Self.consume(TorchReader.read(SyntheticFiles.zip([("a/data.pkl", bytes)] + storages)))
            }
        case "caffe":
            let caffe = Self.smallCaffe
            #expect(try caffe.allSatisfy { try CaffeReader($0).layers.count == 2 })
            for (index, file) in caffe.enumerated() {
                let more = Self.run(file, splice: caffe[0], seed: 6 + UInt64(index), rounds: rounds) { bytes in
                    try CaffeReader(bytes).layers.flatMap(\.blobs).reduce(0) { $0 + ($1.floats()?.count ?? 0) }
                }
                #expect(more.refused > 500 && more.accepted > 0 && more.other == 0, "\(more)")
            }
            return
        default:
            #expect(try SafeTensors.read(safe).count == 4)
            counts = Self.run(safe, splice: stream, seed: 5, rounds: rounds) { try Self.consume(SafeTensors.read($0)) }
        }
        #expect(counts.other == 0)
        #expect(counts.refused > 500, "mutations must reach the checks: \(counts)")
        #expect(counts.accepted > 0, "mutations must not all be fatal: \(counts)")
    }

    @Test("Every truncation of the small files")
    func truncations() {
        let files = [
            Self.smallTFLite, SyntheticFiles.torchStream(Self.smallWeights), SyntheticFiles.torchZip(Self.smallWeights),
            SafeTensors.write(Self.smallWeights),
        ]
        for file in files + Self.smallCaffe {
            for length in 0..<file.count {
                if Self.attempt({ try Self.consume(ModelImporter.read(Array(file[..<length])).weights) }) != false {
                    Issue.record("\(length) of \(file.count) bytes were not refused")
                }
            }
        }
    }

    @Test(
        "The published files", .enabled(if: Shared.exists("weights"), "needs ../shared/weights"),
        arguments: [
            "M-LSD_512_tiny_fp32.tflite", "M-LSD_320_large_fp16.tflite", "retinaface_mobilenet0.25_1mb.pth",
            "sci_medium.pt",
        ])
    func published(file: String) throws {
        let original = try Shared.bytes("weights/\(file)")
        let counts = Self.run(original, splice: original, seed: 9, rounds: 30) { bytes in
            if file.hasSuffix("tflite") { return try TFLiteReader(bytes).convolutions.count }
            return try TorchReader.read(bytes).count
        }
        #expect(counts.other == 0)
        #expect(counts.accepted + counts.refused == 30)
    }
}
