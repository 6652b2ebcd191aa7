// SPDX-License-Identifier: Apache-2.0
import Networks
import Testing

@Suite("What a weights file records")
struct RecordTests {
    private func weights(of architecture: Architecture) throws -> Weights {
        try architecture.build(at: architecture.sizes.nearest(to: InputSize(width: 64, height: 64))[0])
            .initialWeights(seed: 3)
    }

    @Test(
        "Counts, sizes, provenance, licence and checksum of every architecture survive a file",
        arguments: 0..<Architecture.all.count)
    func record(index: Int) throws {
        let architecture = Architecture.all[index]
        var weights = Weights()
        weights["some.weight"] = Tensor(shape: [2], floats: [1, 2])
        weights.metadata["provenance"] = "made here"
        let bytes = SafeTensors.write(try weights.recorded(for: architecture))
        let read = try SafeTensors.read(bytes)
        let network = try architecture.build()
        #expect(read.metadata["network"] == architecture.network)
        #expect(read.metadata["variant"] == architecture.variant)
        #expect(read.metadata["parameters"] == String(network.parameterCount))
        #expect(
            read.metadata["multiply_accumulates"] == "\(network.multiplyAccumulates) at \(architecture.defaultSize)")
        #expect(read.metadata["input_sizes"] == architecture.sizes.description)
        #expect(read.metadata["provenance"] == "made here")
        #expect(read.metadata["licence"] == "unknown")
        #expect(read.isIntact == true)
    }

    @Test("The checksum notices one changed bit, another shape, type or name, and nothing else")
    func checksum() throws {
        var weights = Weights()
        weights["a"] = Tensor(shape: [2, 2], floats: [1, 2, 3, 4])
        weights["b"] = Tensor(shape: [1], floats: [0])
        let sum = weights.checksum
        // Worked out once with another implementation: sha256 over "name type shape sha256(bytes)" lines.
        #expect(sum == "sha256:ffc64ddfd5f3d1732adc06c2100aa52a7352e8b3c74828429e1632a4cbeba3cc")
        var other = Weights()
        other["b"] = weights["b"]
        other["a"] = weights["a"]
        other.metadata["note"] = "x"
        #expect(other.checksum == sum)
        let changes: [(String, Tensor)] = [
            ("a", Tensor(shape: [2, 2], floats: [1, 2, 3, Float(4).nextUp])),
            ("a", Tensor(shape: [4], floats: [1, 2, 3, 4])), ("b", Tensor(shape: [1], floats: [-0.0])),
            ("c", Tensor(shape: [1], floats: [0])),
        ]
        for (name, tensor) in changes {
            var changed = weights
            changed[name] = tensor
            #expect(changed.checksum != sum)
        }
        #expect(weights.isIntact == nil)
        weights.metadata["checksum"] = sum
        #expect(weights.isIntact == true)
        weights["b"] = Tensor(shape: [1], floats: [1])
        #expect(weights.isIntact == false)
    }

    @Test("An import records licence and origin of a known release, and says what it does not know")
    func importing() throws {
        let architecture = try Architecture.find("mlsd", "tiny")
        let result = try ModelImporter.read(SafeTensors.write(weights(of: architecture)))
        #expect(result.weights.isIntact == true)
        #expect(result.weights.metadata["licence"] == "unknown")
        #expect(result.weights.metadata["provenance"] == "random, seed 3")
        #expect(result.weights.metadata["parameters"] == "619280")
    }

    @Test("The ONNX model carries the metadata, and is otherwise the same")
    func onnx() throws {
        let architecture = try Architecture.find("mlsd", "tiny")
        let size = InputSize(width: 32, height: 32)
        let weights = try weights(of: architecture)
        let plain = try architecture.onnx(at: size, weights: weights)
        let described = try architecture.onnx(at: size, weights: weights, metadata: ["b": "2", "a": "1"])
        #expect(Array(described.prefix(plain.count)) == plain)
        let properties = try Message(described).messages(14).map { [$0.text(1), $0.text(2)] }
        #expect(properties == [["a", "1"], ["b", "2"]])
    }
}
