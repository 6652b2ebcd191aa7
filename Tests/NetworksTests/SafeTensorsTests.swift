// SPDX-License-Identifier: Apache-2.0
import Foundation
import Networks
import TestSupport
import Testing

@Suite("Safetensors")
struct SafeTensorsTests {
    private func file(_ header: String, data: Int = 0) -> [UInt8] {
        withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) } + Array(header.utf8)
            + [UInt8](repeating: 0, count: data)
    }

    @Test("What is written reads back: types, shapes, metadata, odd names")
    func roundTrip() throws {
        var generator = SeededGenerator(seed: 3)
        var weights = Weights()
        let floats = Tensor(shape: [2, 3], floats: generator.floats(6))
        weights["b.weight"] = floats
        weights["a \"quoted\" \\ \u{1} \u{1F600} ü"] = Tensor(shape: [], floats: [2.5])
        weights["half"] = floats.converted(to: .f16)
        weights["counter"] = Tensor(shape: [1], type: .i64, bytes: [1, 0, 0, 0, 0, 0, 0, 0])
        weights["empty"] = Tensor(shape: [0, 3], floats: [])
        weights.metadata = ["network": "mlsd", "note": "two\nlines\t\"x\""]
        #expect(weights.count == 5)
        let bytes = SafeTensors.write(weights)
        let read = try SafeTensors.read(bytes)
        #expect(Set(read.names) == Set(weights.names))
        #expect(read.metadata == weights.metadata)
        for name in weights.names {
            #expect(read[name]?.shape == weights[name]?.shape)
            #expect(read[name]?.type == weights[name]?.type)
            #expect(read[name].map { Array($0.bytes) } == weights[name].map { Array($0.bytes) })
        }
        #expect(SafeTensors.write(read) == bytes)
        #expect(bytes[0] % 8 == 0)
    }

    @Test("A file on disk round-trips, and a missing one is a clear error")
    func files() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        var weights = Weights()
        weights["w"] = Tensor(shape: [3], floats: [1, 2, 3])
        let path = folder.appendingPathComponent("w.safetensors").path
        try SafeTensors.write(weights, path: path)
        #expect(try SafeTensors.read(path: path)["w"]?.floats() == [1, 2, 3])
        #expect { try SafeTensors.read(path: folder.path) } throws: {
            ($0 as? NetworkError)?.detail == "is not a regular file"
        }
        #expect { try SafeTensors.read(path: path + "x") } throws: { ($0 as? NetworkError)?.code == .file }
        #expect { try SafeTensors.read(path: "/dev/zero") } throws: { ($0 as? NetworkError)?.code == .file }
    }

    @Test("The metadata alone comes without the tensors, and is as strict")
    func metadataAlone() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        var weights = Weights()
        weights["w"] = Tensor(shape: [3], floats: [1, 2, 3])
        weights.metadata = ["network": "mlsd"]
        let bytes = SafeTensors.write(weights)
        let file = folder.appendingPathComponent("w.safetensors")
        try Data(bytes).write(to: file)
        #expect(try SafeTensors.metadata(path: file.path) == weights.metadata)
        for length in 0..<bytes.count {
            try Data(bytes[..<length]).write(to: file)
            #expect(throws: NetworkError.self, "\(length) of \(bytes.count) bytes") {
                try SafeTensors.metadata(path: file.path)
            }
        }
        #expect { try SafeTensors.metadata(path: folder.path) } throws: { ($0 as? NetworkError)?.code == .file }
    }

    @Test(
        "Damaged headers are refused",
        arguments: [
            "", "[]", "{", "{}x", "{\"a\":1}", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,5]}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4000]}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[9223372036854775807],\"data_offsets\":[0,4]}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,4]}}",
            "{\"a\":{\"dtype\":\"F4\",\"shape\":[1],\"data_offsets\":[0,4]}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                + "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                + "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[2,6]}}",
            "{\"__metadata__\":{\"a\":1}}", "{\"__metadata__\":[]}", "{\"\\ud800\":1}", "{\"a\\q\":1}",
            String(repeating: "{\"a\":", count: 100_000), String(repeating: "[", count: 100_000),
        ])
    func damaged(header: String) {
        #expect { try SafeTensors.read(file(header, data: 8)) } throws: { error in
            let code = (error as? NetworkError)?.code
            return code == .format || code == .unsupported
        }
    }

    @Test("A header longer than the file is refused", arguments: [UInt64.max, 1 << 63, 1 << 40, 100])
    func headerLength(length: UInt64) {
        let bytes = withUnsafeBytes(of: length.littleEndian) { Array($0) } + Array("{}".utf8)
        #expect(throws: NetworkError.self) { try SafeTensors.read(bytes) }
    }

    @Test("Half precision agrees with the processor's for every value and for ties")
    func halves() throws {
        for pattern in UInt16.min...UInt16.max {
            let half = Float16(bitPattern: pattern)
            let tensor = try #require(
                Tensor(shape: [1], type: .f16, bytes: [UInt8(pattern & 255), UInt8(pattern >> 8)]))
            let value = try #require(tensor.floats()?.first)
            if half.isNaN {
                if !value.isNaN { Issue.record("\(pattern) is not a number") }
            } else if value != Float(half) || value.sign != Float(half).sign {
                Issue.record("\(pattern): \(value)")
            }
        }
        var generator = SeededGenerator(seed: 5)
        var values = generator.floats(4000, in: -70000...70000) + generator.floats(4000, in: -1e-4...1e-4)
        values += [
            0, -0.0, 65504, 65519.9, 65520, 65536, .infinity, -.infinity, 0x1p-24, 0x1p-25, 0x1.8p-24, 2049, 2051, 1e-9,
        ]
        let halves = try #require(Tensor(shape: [values.count], floats: values).converted(to: .f16)?.floats())
        for (value, half) in zip(values, halves) where Float(Float16(value)) != half {
            Issue.record("\(value) became \(half), expected \(Float(Float16(value)))")
        }
        #expect(try #require(Tensor(shape: [1], floats: [.nan]).converted(to: .f16)?.floats()?[0]).isNaN)
    }
}
