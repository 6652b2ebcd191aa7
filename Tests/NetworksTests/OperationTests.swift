// SPDX-License-Identifier: Apache-2.0
import Networks
import Testing

@Suite("Operations")
struct OperationTests {
    /// Shapes worked out by hand.
    @Test(
        "Shapes are inferred",
        arguments: [
            (LayerOperation.maxPool(Pooling(kernel: 3, stride: 2)), [1, 4, 8, 9], [1, 4, 3, 4]),
            (.maxPool(Pooling(kernel: 3, stride: 2, roundsUp: true)), [1, 4, 8, 9], [1, 4, 4, 4]),
            (.maxPool(Pooling(kernel: 2, stride: 2, roundsUp: true)), [1, 4, 7, 7], [1, 4, 4, 4]),
            // The last ceiling window would start in the padding: dropped.
            (.maxPool(Pooling(kernel: 2, stride: 2, padding: .all(1), roundsUp: true)), [1, 1, 3, 3], [1, 1, 2, 2]),
            (.averagePool(Pooling(kernel: 5, stride: 2, padding: .all(2))), [1, 8, 16, 15], [1, 8, 8, 8]),
            (.globalAveragePool, [1, 8, 16, 15], [1, 8, 1, 1]),
            (.slice(axis: 1, range: 2..<5), [1, 8, 3, 3], [1, 3, 3, 3]),
            (.transpose([0, 2, 3, 1]), [1, 8, 3, 5], [1, 3, 5, 8]),
            (.reshape([1, -1, 4]), [1, 3, 5, 8], [1, 30, 4]),
            (.resize(.bilinear, height: 7, width: 9), [1, 2, 3, 4], [1, 2, 7, 9]),
            (.softmax(axis: 2), [1, 30, 2], [1, 30, 2]),
            (.affine(scale: [1, 2], offset: [0, 0]), [1, 2, 3, 3], [1, 2, 3, 3]),
            (.spaceToDepth(block: 4), [1, 3, 8, 12], [1, 48, 2, 3]),
            (.depthToSpace(block: 2), [1, 8, 3, 5], [1, 2, 6, 10]),
            (.clip(low: 0, high: 1), [1, 2, 3, 3], [1, 2, 3, 3]), (.complement, [1, 7], [1, 7]),
        ])
    func shapes(operation: LayerOperation, input: [Int], expected: [Int]) throws {
        let builder = NetworkBuilder(name: "n", variant: "v")
        let value = try builder.apply("layer", operation, builder.input("x", shape: input))
        #expect(value.shape == expected)
    }

    @Test("Convolutions: padding on chosen sides, dilation, groups, transposed")
    func convolutionShapes() throws {
        let b = NetworkBuilder(name: "n", variant: "v")
        let x = try b.input("x", shape: [1, 8, 10, 11])
        let corner = Padding(bottom: 1, right: 1)
        #expect(
            try b.convolution("a", x, outputChannels: 6, kernel: 3, stride: 2, padding: corner).shape == [1, 6, 5, 5])
        #expect(try b.convolution("b", x, outputChannels: 6, kernel: 3, dilation: 5).shape == [1, 6, 10, 11])
        #expect(try b.convolution("c", x, outputChannels: 8, kernel: 3, groups: 8).shape == [1, 8, 10, 11])
        #expect(
            try b.transposedConvolution("d", x, outputChannels: 4, kernel: 4, stride: 2, padding: .all(1)).shape
                == [1, 4, 20, 22])
        #expect(
            try b.transposedConvolution(
                "e", x, outputChannels: 4, kernel: 3, stride: 2, padding: .all(1), outputPadding: 1
            )
            .shape == [1, 4, 20, 22])
        #expect(b.build().parameters.first { $0.name == "c.weight" }?.shape == [8, 1, 3, 3])
        #expect(b.build().parameters.first { $0.name == "d.weight" }?.shape == [8, 4, 4, 4])
        #expect(b.build().layers[4].parameters.count == 1)
    }

    @Test("Errors name the layer and say what was expected")
    func errors() throws {
        func message(_ body: (NetworkBuilder, Value) throws -> Void) -> String {
            do {
                let builder = NetworkBuilder(name: "n", variant: "v")
                try body(builder, builder.input("x", shape: [1, 64, 8, 8]))
                return "no error"
            } catch {
                return "\(error)"
            }
        }
        #expect(
            message { b, x in
                _ = try b.convolution("backbone.stage3.block1.conv2", x, inputChannels: 96, outputChannels: 8)
            } == "backbone.stage3.block1.conv2: expected 96 channels, got 64")
        #expect(
            message { b, x in
                let y = try b.apply("half", .maxPool(Pooling(kernel: 2, stride: 2)), x)
                _ = try b.add("sum", x, y)
            } == "sum: cannot combine 1x64x8x8 and 1x64x4x4")
        #expect(
            message { b, x in
                let y = try b.apply("half", .maxPool(Pooling(kernel: 2, stride: 2)), x)
                _ = try b.concat("join", [x, y])
            } == "join: cannot join 1x64x8x8 and 1x64x4x4 along axis 1")
        #expect(
            message { b, x in
                _ = try b.apply("r", .relu, x); _ = try b.apply("r", .relu, x)
            } == "r: two layers of this name")
        #expect(
            message { b, x in _ = try b.apply("s", .reshape([1, 3, -1]), x) }
                == "s: cannot reshape 1x64x8x8 to [1, 3, -1]")
        #expect(
            message { b, x in _ = try b.apply("p", .maxPool(Pooling(kernel: 9, stride: 1)), x) }
                == "p: a window of 9 does not fit 8")
        #expect(
            message { b, x in _ = try b.convolution("g", x, outputChannels: 6, groups: 4) }
                == "g: 4 groups do not divide 64 and 6 channels")
        #expect(
            message { b, x in _ = try b.apply("t", .transpose([0, 1, 1, 2]), x) }
                == "t: [0, 1, 1, 2] does not reorder the axes of 1x64x8x8")
        #expect(
            message { b, x in _ = try b.split("s", x, axis: 1, sizes: [60, 3]) } == "s: cannot cut 64 into [60, 3]")
        #expect(
            message { b, x in _ = try b.apply("d", .spaceToDepth(block: 3), x) }
                == "d: 8x8 is not made of squares of 3")
        #expect(
            message { b, x in _ = try b.apply("d", .depthToSpace(block: 3), x) }
                == "d: 64 channels do not fill squares of 3")
        #expect(
            message { b, x in
                _ = try b.apply("h", .bidirectionalScan(axis: 2), x, b.linear("l", x, outputs: 4))
            } == "h: cannot scan 1x64x8x8 and 1x64x8x4 together")
        #expect(message { b, x in _ = try b.topK("k", x, count: 65, axis: 1) } == "k: cannot take the top 65 of 64")
        #expect(message { b, x in try b.output("x", b.apply("r", .relu, x)) } == "x: is already an input or output")
    }

    /// Values worked out by hand; they pin the executor that other tests lean on.
    @Test("The reference executor computes what the definitions say")
    func executor() throws {
        func run(
            _ shape: [Int], _ x: [Float], _ weights: [String: Tensor] = [:],
            _ body: (NetworkBuilder, Value) throws -> Value
        ) throws -> [Float] {
            let b = NetworkBuilder(name: "n", variant: "v")
            try b.output("y", body(b, b.input("x", shape: shape)))
            var all = Weights()
            for (name, tensor) in weights { all[name] = tensor }
            return try #require(ReferenceExecutor(network: b.build(), weights: all).run(["x": x])["y"])
        }
        let three: [Float] = [1, 2, 3, 4, 5, 6, 7, 8, 9]
        let ones = Tensor(shape: [1, 1, 3, 3], floats: [Float](repeating: 1, count: 9))
        let sums = try run([1, 1, 3, 3], three, ["c.weight": ones]) { b, x in
            try b.convolution(
                "c", x, outputChannels: 1, kernel: 3, stride: 2, padding: Padding(bottom: 2, right: 2))
        }
        let windows: [Float] = [45, 9 + 6 + 3, 7 + 8 + 9, 9]
        #expect(sums == windows)
        #expect(
            try run([1, 1, 2, 2], [1, 2, 3, 4], ["c.weight": ones]) { b, x in
                try b.transposedConvolution("c", x, outputChannels: 1, kernel: 3, stride: 1, padding: .all(1))
            } == [10, 10, 10, 10])
        #expect(
            try run([1, 1, 1, 2], [0, 4]) { b, x in try b.resize("r", x, .bilinear, height: 1, width: 4) } == [
                0, 1, 3, 4,
            ])
        #expect(
            try run([1, 1, 1, 2], [0, 3]) { b, x in try b.resize("r", x, .bilinearAlignedCorners, height: 1, width: 4) }
                == [0, 1, 2, 3])
        #expect(
            try run([1, 1, 1, 3], [1, 2, 3]) { b, x in try b.resize("r", x, .nearest, height: 1, width: 5) }
                == [1, 1, 2, 2, 3])
        #expect(
            try run([1, 1, 3, 3], three) { b, x in
                try b.apply("p", .maxPool(Pooling(kernel: 2, stride: 2, roundsUp: true)), x)
            } == [5, 6, 8, 9])
        #expect(
            try run([1, 1, 2, 2], [1, 2, 3, 4]) { b, x in
                try b.apply("p", .averagePool(Pooling(kernel: 3, stride: 2, padding: .all(1), countsPadding: false)), x)
            } == [2.5])
        #expect(
            try run([1, 2, 1, 2], [1, 2, 3, 4]) { b, x in try b.apply("t", .transpose([0, 3, 2, 1]), x) } == [
                1, 3, 2, 4,
            ])
        #expect(try run([1, 2, 1, 1], [0, 0]) { b, x in try b.apply("s", .softmax(axis: 1), x) } == [0.5, 0.5])
        let eight: [Float] = [0, 1, 2, 3, 4, 5, 6, 7]
        // Two channels of one square each become eight, channel before row before column.
        #expect(try run([1, 2, 2, 2], eight) { b, x in try b.apply("d", .spaceToDepth(block: 2), x) } == eight)
        #expect(
            try run([1, 1, 2, 4], eight) { b, x in try b.apply("d", .spaceToDepth(block: 2), x) }
                == [0, 2, 1, 3, 4, 6, 5, 7])
        #expect(
            try run([1, 4, 1, 2], eight) { b, x in try b.apply("d", .depthToSpace(block: 2), x) }
                == [0, 2, 1, 3, 4, 6, 5, 7])
        let matrix = Tensor(shape: [2, 3], floats: [1, 2, 3, -1, 0, 1])
        #expect(
            try run([1, 3], [1, 10, 100], ["l.weight": matrix, "l.bias": Tensor(shape: [2], floats: [0, 1])]) { b, x in
                try b.linear("l", x, outputs: 2, bias: true)
            } == [321, 100])
        // States from the left 1, 2.5, 4.25; from the right 2.75, 3.5, 3; both added.
        let both = try run([1, 1, 3], [1, 2, 3]) { b, x in
            let half = try b.apply("c", .clip(low: 0.5, high: 0.5), x)
            return try b.apply("h", .bidirectionalScan(axis: 2), half, x)
        }
        let states: [Float] = [1 + 2.75, 2.5 + 3.5, 4.25 + 3]
        #expect(both == states)
        #expect(
            try run([1, 2, 1, 1], [2, 3]) { b, x in try b.apply("n", .affine(scale: [2, 3], offset: [1, -1]), x) }
                == [5, 8])
    }
}
