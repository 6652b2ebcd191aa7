// SPDX-License-Identifier: Apache-2.0
import Networks
import Testing

@Suite("ONNX emission")
struct ONNXTests {
    @Test("The same graph and weights always give the same bytes, those of the golden digest")
    func golden() throws {
        let network = try samplerNetwork()
        let weights = syntheticWeights(for: network)
        let bytes = try network.onnx(weights: weights)
        let again = try samplerNetwork().onnx(weights: weights)
        #expect(bytes == again)
        #expect(SHA256.hexDigest(bytes) == "4191e859db6c93e0e70769337d23f5e3ee40aaa5ffa47cd227db22c821c4120a")
    }

    @Test("The summary is the golden text")
    func summary() throws {
        let b = NetworkBuilder(name: "small", variant: "one")
        var x = try b.input("image", shape: [1, 3, 8, 8])
        x = try b.convolutionBlock("stem", x, outputChannels: 4, kernel: 3, stride: 2, .relu)
        x = try b.convolutionBlock("body", x, outputChannels: 4, kernel: 3, groups: 4, .none)
        try b.output("logits", b.convolution("head", x, outputChannels: 1000, bias: true))
        #expect(
            b.build().summary == """
                small one
                layer   kind         output      parameters    MACs
                image   input        1x3x8x8
                stem.0  conv 3x3 s2  1x4x4x4            108   1,728
                stem.1  batchnorm    1x4x4x4              8
                stem.2  relu         1x4x4x4
                body.0  dwconv 3x3   1x4x4x4             36     576
                body.1  batchnorm    1x4x4x4              8
                head    conv 1x1     1x1000x4x4       5,000  64,000
                output logits 1x1000x4x4
                5,160 parameters, 66,304 MACs

                """)
    }

    @Test("Nodes, initialisers and ports are those of the graph")
    func structure() throws {
        let network = try RetinaFace(.leaky).network(at: InputSize(width: 64, height: 32))
        let model = try Message(network.onnx(weights: syntheticWeights(for: network)))
        #expect(model.integer(1) == 8)
        #expect(model.messages(8).map { $0.integer(2) } == [17])
        let graph = try #require(model.messages(7).first)
        let nodes = graph.messages(1)
        #expect(nodes.map { $0.text(3) } == network.folded.layers.map(\.path))
        let kinds = nodes.reduce(into: [String: Int]()) { $0[$1.text(4), default: 0] += 1 }
        #expect(
            kinds == [
                "Conv": 27 + 5 + 15 + 9, "LeakyRelu": 38, "Relu": 3, "Resize": 2, "Add": 2, "Concat": 6, "Transpose": 9,
                "Reshape": 9, "Softmax": 1,
            ])
        let initialisers = graph.messages(5)
        let names = Set(initialisers.map { $0.text(8) })
        #expect(names.count == initialisers.count)
        for parameter in network.folded.parameters { #expect(names.contains(parameter.name)) }
        // Every input of every node is made before it is read.
        var made = names.union(graph.messages(11).map { $0.text(1) }).union([""])
        for node in nodes {
            for input in node.texts(1) { #expect(made.contains(input), "\(node.text(3)) reads \(input)") }
            made.formUnion(node.texts(2))
        }
        #expect(graph.messages(12).map { $0.text(1) } == ["loc", "conf", "landms"])
        #expect(graph.messages(12).allSatisfy { made.contains($0.text(1)) })
    }

    @Test("A model for training keeps batch normalisations and every head; folded weights stay folded")
    func training() throws {
        let entry = try Architecture.find("mlsd", "tiny")
        let size = InputSize(width: 32, height: 32)
        let weights = try entry.build(at: size).initialWeights(seed: 1)
        let graph = try #require(Message(entry.trainingONNX(at: size, weights: weights)).messages(7).first)
        #expect(graph.messages(12).map { $0.text(1) } == ["logits"])
        let network = try MLSD(.tiny, head: .full).network(at: size)
        let kinds = graph.messages(1).map { $0.text(4) }
        #expect(kinds.count { $0 == "BatchNormalization" } == network.layers.count { $0.operation.kind == "batchnorm" })
        let names = Set(graph.messages(5).map { $0.text(8) })
        #expect(network.parameters.allSatisfy { names.contains($0.name) })

        let folded = try network.folding(weights)
        let teacher = try #require(Message(entry.trainingONNX(at: size, weights: folded)).messages(7).first)
        #expect(!teacher.messages(1).contains { $0.text(4) == "BatchNormalization" })
        #expect(teacher.messages(12).map { $0.text(1) } == ["logits"])
        #expect(throws: NetworkError.self) { try entry.trainingONNX(at: size, weights: Weights()) }
    }

    @Test("A pruned head emits only the rows it uses")
    func pruned() throws {
        let network = try MLSD(.tiny).network(at: InputSize(width: 32, height: 32))
        let weights = syntheticWeights(for: network)
        let graph = try #require(Message(network.onnx(weights: weights)).messages(7).first)
        let head = try #require(graph.messages(5).first { $0.text(8) == "block16.conv3.weight" })
        let stored = try #require(weights["block16.conv3.weight"])
        #expect(head.blob(9) == Array(stored.bytes[(7 * 64 * 4)..<(12 * 64 * 4)]))
        let bias = try #require(graph.messages(5).first { $0.text(8) == "block16.conv3.bias" })
        #expect(bias.blob(9).count == 5 * 4)
    }

    @Test("Folded and unfolded weights emit the same model, half precision is widened")
    func foldedWeights() throws {
        let network = try MLSD(.tiny).network(at: InputSize(width: 32, height: 32))
        let weights = syntheticWeights(for: network)
        let folded = try network.folding(weights)
        #expect(try network.onnx(weights: weights) == network.onnx(weights: folded))
        let half = folded.converted(to: .f16)
        #expect(try network.onnx(weights: half) == network.onnx(weights: half.converted(to: .f32)))
        #expect(throws: NetworkError.self) { try network.onnx(weights: Weights()) }
    }
}

/// A protobuf message taken apart without knowing its schema.
struct Message {
    private var integers: [Int: Int] = [:]
    private var blobs: [Int: [ArraySlice<UInt8>]] = [:]

    init(_ bytes: [UInt8]) throws { try self.init(bytes[...]) }

    private init(_ bytes: ArraySlice<UInt8>) throws {
        struct Truncated: Error {}
        var rest = bytes
        func varint() throws -> Int {
            var value = 0
            var shift = 0
            while let byte = rest.popFirst() {
                value |= Int(byte & 0x7F) << shift
                shift += 7
                if byte < 0x80 { return value }
            }
            throw Truncated()
        }
        while !rest.isEmpty {
            let key = try varint()
            switch key & 7 {
            case 0: integers[key >> 3] = try varint()
            case 2:
                let count = try varint()
                guard count <= rest.count else { throw Truncated() }
                blobs[key >> 3, default: []].append(rest.prefix(count))
                rest.removeFirst(count)
            case 5: rest.removeFirst(4)
            default: throw Truncated()
            }
        }
    }

    func integer(_ field: Int) -> Int? { integers[field] }
    func blob(_ field: Int) -> [UInt8] { Array(blobs[field]?.first ?? []) }
    func text(_ field: Int) -> String { String(decoding: blob(field), as: UTF8.self) }
    func texts(_ field: Int) -> [String] { (blobs[field] ?? []).map { String(decoding: $0, as: UTF8.self) } }
    func messages(_ field: Int) -> [Message] { (blobs[field] ?? []).compactMap { try? Message($0) } }
}
