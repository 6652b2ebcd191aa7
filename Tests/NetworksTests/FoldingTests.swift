// SPDX-License-Identifier: Apache-2.0
import Networks
import TestSupport
import Testing

@Suite("Batch-norm folding")
struct FoldingTests {
    private func compare(_ network: Network, seed: UInt64, tolerance: Float) throws {
        let weights = syntheticWeights(for: network, seed: seed)
        var generator = SeededGenerator(seed: seed &+ 1)
        var inputs: [String: [Float]] = [:]
        for port in network.inputs { inputs[port.name] = generator.floats(port.shape.reduce(1, *)) }
        let plain = try ReferenceExecutor(network: network, weights: weights).run(inputs)
        let folded = network.folded
        let foldedWeights = try network.folding(weights)
        #expect(folded.check(foldedWeights).isComplete)
        #expect(folded.check(foldedWeights).unexpected.isEmpty)
        let result = try ReferenceExecutor(network: folded, weights: foldedWeights).run(inputs)
        #expect(result.keys.sorted() == plain.keys.sorted())
        for (name, values) in plain {
            let other = try #require(result[name])
            let largest = values.map(abs).max() ?? 0
            let difference = zip(values, other).map { abs($0 - $1) }.max() ?? .infinity
            #expect(difference <= tolerance * max(1, largest), "\(name) differs by \(difference) of \(largest)")
            #expect(largest > 0)
        }
    }

    @Test("Outputs stay the same for every kind of convolution", arguments: [1, 2, 3] as [UInt64])
    func kinds(seed: UInt64) throws {
        let b = NetworkBuilder(name: "n", variant: "v")
        var x = try b.input("x", shape: [1, 6, 9, 7])
        x = try b.convolutionBlock("a", x, outputChannels: 8, kernel: 3, stride: 2, .relu6)
        x = try b.convolutionBlock("b", x, outputChannels: 8, kernel: 3, groups: 8, .leakyRelu(slope: 0.1))
        x = try b.convolutionBlock("g", x, outputChannels: 12, kernel: 3, groups: 4, .none)
        x = try b.convolution("c.0", x, outputChannels: 6, bias: true)
        x = try b.batchNorm("c.1", x, epsilon: 1e-3)
        x = try b.transposedConvolution("d.0", x, outputChannels: 6, kernel: 4, stride: 2, padding: .all(1), groups: 2)
        x = try b.batchNorm("d.1", x)
        try b.output("y", b.apply("d.2", .relu, x))
        let network = b.build()
        #expect(!network.folded.layers.contains { if case .batchNorm = $0.operation { true } else { false } })
        try compare(network, seed: seed, tolerance: 1e-5)
    }

    @Test("A normalisation stays where the convolution has other readers or is an output")
    func notFoldable() throws {
        let b = NetworkBuilder(name: "n", variant: "v")
        let x = try b.input("x", shape: [1, 3, 5, 5])
        let shared = try b.convolution("a.0", x, outputChannels: 3)
        let left = try b.batchNorm("a.1", shared)
        let pooled = try b.apply("pool", .maxPool(Pooling(kernel: 2, stride: 1)), left)
        let after = try b.batchNorm("pool.1", pooled)
        let seen = try b.convolution("c.0", after, outputChannels: 2)
        try b.output("raw", seen)
        try b.output("y", b.batchNorm("c.1", seen))
        try b.output("sum", b.add("sum", shared, left))
        let network = b.build()
        #expect(network.folded == network)
        try compare(network, seed: 4, tolerance: 0)
    }

    @Test("Whole networks keep their outputs")
    func networks() throws {
        let size = InputSize(width: 32, height: 32)
        try compare(MLSD(.tiny).network(at: size), seed: 11, tolerance: 1e-4)
        try compare(RetinaFace(.leaky, normalisesInput: true).network(at: size), seed: 12, tolerance: 1e-4)
    }

    @Test("Weights that do not fit are refused before folding")
    func incomplete() throws {
        let network = try RetinaFace(.relu).network(at: InputSize(width: 32, height: 32))
        var weights = syntheticWeights(for: network)
        weights["fpn.merge1.1.running_var"] = nil
        weights["fpn.merge2.0.weight"] = Tensor(shape: [64, 64, 1, 1], floats: [Float](repeating: 0, count: 4096))
        weights["extra"] = Tensor(shape: [1], floats: [0])
        #expect {
            try network.folding(weights)
        } throws: { error in
            "\(error)" == """
                retinaface mobilenet0.25: 251 of 253 tensors fit
                  fpn.merge2.0.weight: expected 64x64x3x3 floats, got 64x64x1x1 f32
                  missing: fpn.merge1.1.running_var
                  unexpected: extra
                """
        }
    }
}
