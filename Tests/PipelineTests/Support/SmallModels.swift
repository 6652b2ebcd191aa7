// SPDX-License-Identifier: Apache-2.0
import Foundation
import Networks

@testable import Pipeline

/// ONNX files for the tests, made by the product's own builder.
enum SmallModels {
    /// Gives `rows` whatever the picture is: a convolution of zeros over all of it, whose bias they are.
    static func constant(rows: [[Float]], width: Int = 32, height: Int = 32) throws -> [UInt8] {
        let numbers = rows.flatMap { $0 }
        let b = NetworkBuilder(name: "constant", variant: "test")
        var x = try b.input("picture", shape: [1, 3, height, width])
        x = try b.apply("mean", .globalAveragePool, x)
        x = try b.convolution("rows", x, outputChannels: numbers.count, bias: true)
        x = try b.apply("table", .reshape([1, rows.count, numbers.count / rows.count]), x)
        try b.output("boxes", x)
        var weights = Weights()
        weights["rows.weight"] = Tensor(
            shape: [numbers.count, 3, 1, 1], floats: [Float](repeating: 0, count: numbers.count * 3))
        weights["rows.bias"] = Tensor(shape: [numbers.count], floats: numbers)
        return try b.build().onnx(weights: weights)
    }

    /// Two classes on a grid of 4 by 2: the left column of cells is the first, the rest the second.
    static func halves(width: Int = 32, height: Int = 32) throws -> [UInt8] {
        let b = NetworkBuilder(name: "halves", variant: "test")
        var x = try b.input("picture", shape: [1, 3, height, width])
        x = try b.convolution("scores", b.apply("mean", .globalAveragePool, x), outputChannels: 16, bias: true)
        try b.output("classes", b.apply("grid", .reshape([1, 2, 2, 4]), x))
        var weights = Weights()
        weights["scores.weight"] = Tensor(shape: [16, 3, 1, 1], floats: [Float](repeating: 0, count: 48))
        weights["scores.bias"] = Tensor(
            shape: [16], floats: (0..<16).map { ($0 % 4 == 0) == ($0 < 8) ? 1 : 0 })
        return try b.build().onnx(weights: weights)
    }

    /// Gives the mean of each colour of its input.
    static func means(width: Int = 32, height: Int = 32) throws -> [UInt8] {
        let b = NetworkBuilder(name: "means", variant: "test")
        let x = try b.input("picture", shape: [1, 3, height, width])
        try b.output("means", b.apply("pool", .globalAveragePool, x))
        return try b.build().onnx(weights: Weights())
    }

    /// The same for colours last, `[1, height, width, 3]`.
    static func meansOfPixels(width: Int = 32, height: Int = 32) throws -> [UInt8] {
        let b = NetworkBuilder(name: "means", variant: "test")
        let x = try b.input("picture", shape: [1, height, width, 3])
        try b.output("means", b.apply("pool", .globalAveragePool, b.apply("planes", .transpose([0, 3, 1, 2]), x)))
        return try b.build().onnx(weights: Weights())
    }

    /// The model with the input's size left open: the extents of the declared input become names.
    static func open(_ model: [UInt8], width: Int = 32, height: Int = 32) -> [UInt8] {
        // dim { dim_value: N } is 0A 02 08 N; dim { dim_param: "n" } is 0A 03 12 01 6E: one byte longer, so that every
        // enclosing length would change. A size of 0 says the same in as many bytes, and readers take it as open.
        var bytes = model
        let pattern: [UInt8] = [
            0x0A, 0x02, 0x08, 0x01, 0x0A, 0x02, 0x08, 0x03, 0x0A, 0x02, 0x08, UInt8(height), 0x0A, 0x02, 0x08,
            UInt8(width),
        ]
        for start in 0..<(bytes.count - pattern.count) where Array(bytes[start..<(start + pattern.count)]) == pattern {
            bytes[start + 11] = 0
            bytes[start + 15] = 0
        }
        return bytes
    }
}
