// SPDX-License-Identifier: Apache-2.0
import Networks

/// One of every operation, small.
func samplerNetwork() throws -> Network {
    let b = NetworkBuilder(name: "sampler", variant: "all")
    var x = try b.input("image", shape: [1, 3, 9, 8])
    x = try b.apply("norm", .affine(scale: [1, 2, 0.5], offset: [0, -1, 1]), x)
    x = try b.convolutionBlock(
        "stem", x, outputChannels: 8, kernel: 3, stride: 2, padding: Padding(bottom: 1, right: 1), .relu6)
    let skip = try b.convolutionBlock(
        "wide", x, outputChannels: 8, kernel: 3, dilation: 2, groups: 4, .leakyRelu(slope: 0.1))
    x = try b.apply("pool", .maxPool(Pooling(kernel: 3, stride: 2, roundsUp: true)), skip)
    x = try b.transposedConvolution("up", x, outputChannels: 8, kernel: 4, stride: 2, padding: .all(1), bias: true)
    x = try b.resize("fit", x, .bilinear, height: 4, width: 4)
    x = try b.concat("join", [x, b.add("sum", skip, skip)])
    let mean = try b.apply(
        "mean", .averagePool(Pooling(kernel: 3, stride: 1, padding: .all(1), countsPadding: false)), x)
    x = try b.apply("difference", .subtract, x, mean)
    let gate = try b.apply(
        "gate", .sigmoid, b.convolution("squeeze", b.apply("global", .globalAveragePool, x), outputChannels: 16))
    x = try b.apply("gated", .multiply, x, gate)
    x = try b.apply("tanh", .tanh, x)
    x = try b.resize("aligned", x, .bilinearAlignedCorners, height: 7, width: 5)
    x = try b.resize("nearest", x, .nearest, height: 5, width: 9)
    x = try b.batchNorm("late", x, epsilon: 1e-3)
    let head = try b.convolution("head", x, outputChannels: 6, bias: true, rows: 2..<5)
    try b.output("map", b.apply("kept", .slice(axis: 1, range: 1..<3), head))
    let rows = try b.apply("rows", .reshape([1, -1, 3]), b.apply("last", .transpose([0, 2, 3, 1]), head))
    let scores = try b.apply("scores", .softmax(axis: 2), rows)
    let top = try b.topK("top", scores, count: 4, axis: 1)
    try b.output("best", top.values)
    try b.output("where", top.indices)
    return b.build()
}
