// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Networks

/// On the tensors' names and shapes: whole files of this size take long to hash in a build for debugging.
@Suite("Import of DDRNet")
struct DDRNetImportTests {
    private func zeros(_ network: Network) -> Weights {
        var weights = Weights()
        for parameter in network.parameters {
            let count = parameter.shape.reduce(1, *)
            weights[parameter.name] = Tensor(
                shape: parameter.shape, type: .f16, bytes: [UInt8](repeating: 0, count: 2 * count)[...])
        }
        return weights
    }

    @Test("A checkpoint tells variant and classes, and leaves what only training uses", arguments: [19, 11])
    func checkpoint(classes: Int) throws {
        let network = try DDRNet(.slim23, classes: classes).network(at: InputSize(width: 64, height: 64))
        var file = zeros(network)
        let extra = ["seghead_extra.bn1.weight", "seghead_extra.conv2.bias", "loss.criterion.weight"]
        for name in extra { file[name] = Tensor(shape: [2], floats: [0, 1]) }
        file["conv1.1.num_batches_tracked"] = Tensor(shape: [], type: .i64, bytes: [9, 0, 0, 0, 0, 0, 0, 0])
        let origin = Dictionary(uniqueKeysWithValues: file.names.map { ($0, "model." + $0) })
        #expect(DDRNetImport.matches(file))

        let draft = try DDRNetImport.draft(file, origin, format: "PyTorch")
        #expect(draft.network == "ddrnet")
        #expect(draft.variant == "23-slim")
        #expect(!draft.isFolded)
        #expect(draft.ignored == extra.map { "model." + $0 })
        let built = try Architecture.find("ddrnet", "23-slim").build(for: draft.weights)
        let load = built.check(draft.weights)
        #expect(load.isComplete)
        #expect(load.unexpected.isEmpty)
        #expect(load.ignored == ["conv1.1.num_batches_tracked"])
        #expect(
            draft.mappings.first
                == .init(
                    source: "model.conv1.0.weight", target: "conv1.0.weight", shape: [32, 3, 3, 3], note: ""))

        file["spp.scale3.3.weight"] = nil
        #expect(built.check(file).missing == ["spp.scale3.3.weight"])
    }

    @Test("Checkpoints without a usable head are refused by name")
    func headless() throws {
        var file = Weights()
        for (name, shape) in [
            ("conv1.0.weight", [32, 3, 3, 3]), ("layer3_.0.conv1.weight", [64, 64, 3, 3]),
            ("final_layer.conv2.weight", [1, 64, 1, 1]),
        ] {
            file[name] = Tensor(shape: shape, floats: [Float](repeating: 0, count: shape.reduce(1, *)))
        }
        #expect(throws: NetworkError(.weights, path: "final_layer.conv2.weight", "a DDRNet without a usable head")) {
            try ModelImporter.read(SafeTensors.write(file))
        }
        file["final_layer.conv2.weight"] = nil
        file["linear.weight"] = Tensor(shape: [1], floats: [0])
        #expect {
            try ModelImporter.read(SafeTensors.write(file))
        } throws: { "\($0)".contains("trained to classify ImageNet") }
    }
}
