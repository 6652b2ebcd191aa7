// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing

@testable import Networks

@Suite("Caffe models")
struct CaffeTests {
    private static func layer(_ name: String, _ shape: [Int], _ value: Float) -> SyntheticCaffe.Layer {
        let count = shape.reduce(1, *)
        return .init(
            name: name,
            blobs: [
                Tensor(shape: shape, floats: [Float](repeating: value, count: count)),
                Tensor(shape: [shape[0]], floats: [Float](repeating: -value, count: shape[0])),
            ])
    }

    @Test("Both forms of the format give the same layers", arguments: SyntheticCaffe.Form.allCases)
    func forms(form: SyntheticCaffe.Form) throws {
        var generator = SeededGenerator(seed: 3)
        let weight = Tensor(shape: [4, 3, 3, 2], floats: generator.floats(72))
        let bias = Tensor(shape: [4], floats: generator.floats(4))
        let file = SyntheticCaffe.file(
            [
                .init(name: "data", blobs: []), .init(name: "a@b", blobs: [weight, bias]),
                .init(name: "", blobs: [bias]),
            ],
            form: form)
        let layers = try CaffeReader(file).layers
        #expect(layers.map(\.name) == ["a@b", ""])
        #expect(layers.map { $0.blobs.map(\.shape) } == [[[4, 3, 3, 2], [4]], [[4]]])
        #expect(layers[0].blobs.map { $0.floats() } == [weight.floats(), bias.floats()])
    }

    @Test("Numbers in several packed runs are joined")
    func pieces() throws {
        let all = Tensor(shape: [3], floats: [1, 2, 3])
        let blob =
            SyntheticCaffe.bytes(5, Array(all.bytes.prefix(4))) + SyntheticCaffe.bytes(5, Array(all.bytes.dropFirst(4)))
            + SyntheticCaffe.bytes(7, SyntheticCaffe.number(1, 3))
        let file = SyntheticCaffe.bytes(100, SyntheticCaffe.text(1, "a") + SyntheticCaffe.bytes(7, blob))
        #expect(try CaffeReader(file).layers == [.init(name: "a", blobs: [all])])
    }

    /// The layers of the published network, as a training snapshot has them: copies and the fixed kernel in between.
    private static func ssh(_ network: Network) -> [SyntheticCaffe.Layer] {
        let kernel = [Float]([0.25, 0.75, 0.75, 0.25].flatMap { y in [0.25, 0.75, 0.75, 0.25].map { y * $0 } })
        var layers = [SyntheticCaffe.Layer(name: "input", blobs: [])]
        for (index, parameter) in network.parameters.filter({ $0.role == .weight }).enumerated() {
            let name = String(parameter.name.dropLast(".weight".count))
            layers.append(layer(name, parameter.shape, Float(index + 1)))
            if name.hasSuffix("7x7") { layers.append(layer(name, parameter.shape, 99)) }
            if name.hasSuffix("cls_score") { layers.append(layer("\(name)_ohem", parameter.shape, 99)) }
        }
        let kernels = [[Float]](repeating: kernel, count: 128).flatMap { $0 }
        layers.append(.init(name: "conv5_128_up", blobs: [Tensor(shape: [128, 1, 4, 4], floats: kernels)]))
        return layers
    }

    @Test("A snapshot of SSH becomes the network's weights, the first of repeated layers")
    func ssh() throws {
        let network = try SSH(.vgg16).network(at: InputSize(width: 64, height: 64))
        let file = SyntheticCaffe.file(Self.ssh(network))
        #expect(CaffeReader.matches(file))
        let draft = try SSHImport.draft(CaffeReader(file))
        #expect(draft.network == "ssh" && draft.variant == "vgg16")
        let report = network.check(draft.weights)
        #expect(report.isComplete && report.unexpected.isEmpty, "\(report)")
        for (index, parameter) in network.parameters.filter({ $0.role == .weight }).enumerated() {
            let values = draft.weights[parameter.name]?.bytes.prefix(4)
            #expect(values == Tensor(shape: [1], floats: [Float(index + 1)]).bytes, "\(parameter.name)")
        }
        #expect(draft.mappings.contains { $0.source == "m3@ssh_7x7-1[1]" && $0.target == "m3@ssh_7x7-1.bias" })
    }

    @Test("A trained upsampling or a layer without bias is refused by name")
    func sshProblems() throws {
        func message(_ layers: [SyntheticCaffe.Layer]) -> String {
            do {
                _ = try SSHImport.draft(CaffeReader(SyntheticCaffe.file(layers)))
                return "no error"
            } catch {
                return "\(error)"
            }
        }
        let kernels = Tensor(shape: [1, 1, 4, 4], floats: [Float](repeating: 0.25, count: 16))
        #expect(
            message([.init(name: "conv5_128_up", blobs: [kernels])])
                == "conv5_128_up: is not the fixed bilinear kernel")
        #expect(
            message([.init(name: "conv1_1", blobs: [kernels])])
                == "conv1_1: 1 blobs where a weight and a bias belong")
    }

    @Test("Other networks' caffemodels are refused by what they hold")
    func foreign() {
        let file = SyntheticCaffe.file([Self.layer("fc6", [2, 2], 1)])
        #expect(throws: NetworkError(.unsupported, "no known network has these layers: fc6 ... (1 in all)")) {
            try ModelImporter.read(file)
        }
    }

    @Test(
        "Impossible messages are refused",
        arguments: [
            ("blob without numbers", [3], [] as [Float], [] as [UInt8]),
            ("extent beyond reason", [Int.max], [1], []), ("product overflows", [Int.max, Int.max], [], []),
            ("nine axes", [1, 1, 1, 1, 1, 1, 1, 1, 1], [1], []),
        ])
    func impossible(name: String, shape: [Int], values: [Float], tail: [UInt8]) {
        let numbers = Tensor(shape: [values.count], floats: values)
        let blob =
            SyntheticCaffe.bytes(7, SyntheticCaffe.bytes(1, shape.flatMap { SyntheticCaffe.varint(UInt64($0)) }))
            + SyntheticCaffe.bytes(5, Array(numbers.bytes))
        let file = SyntheticCaffe.bytes(100, SyntheticCaffe.text(1, "a") + SyntheticCaffe.bytes(7, blob)) + tail
        #expect { try CaffeReader(file) } throws: { ($0 as? NetworkError)?.code == .format }
    }
}
