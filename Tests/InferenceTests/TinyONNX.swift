// SPDX-License-Identifier: Apache-2.0
import TestSupport

/// Just enough of ONNX' protobuf encoding to write one small model by hand.
struct TinyONNX {
    private var bytes: [UInt8] = []
    /// What was written.
    var content: [UInt8] { bytes }

    mutating func varint(_ field: Int, _ value: Int) {
        raw(UInt64(field << 3))
        raw(UInt64(bitPattern: Int64(value)))
    }

    mutating func data(_ field: Int, _ content: [UInt8]) {
        raw(UInt64(field << 3 | 2))
        raw(UInt64(content.count))
        bytes += content
    }

    mutating func text(_ field: Int, _ content: String) { data(field, Array(content.utf8)) }

    mutating func message(_ field: Int, _ build: (inout TinyONNX) -> Void) {
        var inner = TinyONNX()
        build(&inner)
        data(field, inner.bytes)
    }

    private mutating func raw(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    private mutating func value(_ field: Int, _ name: String, _ shape: [Int?]) {
        message(field) { info in
            info.text(1, name)
            info.message(2) { type in
                type.message(1) { tensor in
                    tensor.varint(1, 1)
                    tensor.message(2) { dims in
                        for size in shape {
                            dims.message(1) { dim in
                                if let size { dim.varint(1, size) } else { dim.text(2, "any") }
                            }
                        }
                    }
                }
            }
        }
    }

    /// `y = relu(conv3x3(x, w) + b)` with zero padding: `x [1, cin, h, w]`, `y [1, cout, h, w]`.
    ///
    /// With `repeats` the 3x3 convolution is applied again and again (cin must equal cout), to take a while.
    static func convolution(
        input: [Int?], channelsOut: Int, weights: [Float], bias: [Float], repeats: Int = 1
    ) -> [UInt8] {
        var model = TinyONNX()
        model.varint(1, 8)
        model.message(8) { opset in
            opset.text(1, "")
            opset.varint(2, 17)
        }
        model.message(7) { graph in
            for step in 0..<repeats {
                graph.message(1) { node in
                    node.text(1, step == 0 ? "x" : "r\(step)")
                    node.text(1, "w")
                    node.text(1, "b")
                    node.text(2, "c\(step)")
                    node.text(4, "Conv")
                    node.message(5) { attribute in
                        attribute.text(1, "pads")
                        for _ in 0..<4 { attribute.varint(8, 1) }
                        attribute.varint(20, 7)
                    }
                }
                graph.message(1) { node in
                    node.text(1, "c\(step)")
                    node.text(2, step == repeats - 1 ? "y" : "r\(step + 1)")
                    node.text(4, "Relu")
                }
            }
            graph.text(2, "tiny")
            graph.initializer("w", [channelsOut, weights.count / channelsOut / 9, 3, 3], weights)
            graph.initializer("b", [channelsOut], bias)
            graph.value(11, "x", input)
            graph.value(12, "y", [input[0], channelsOut, input[2], input[3]])
        }
        return model.bytes
    }

    private mutating func initializer(_ name: String, _ shape: [Int], _ values: [Float]) {
        message(5) { tensor in
            for size in shape { tensor.varint(1, size) }
            tensor.varint(2, 1)
            tensor.text(8, name)
            tensor.data(9, values.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian) { Array($0) } })
        }
    }
}

extension [Float] {
    static func random(_ count: Int, in range: ClosedRange<Float>, seed: UInt64) -> [Float] {
        var generator = SeededGenerator(seed: seed)
        return (0..<count).map { _ in Float.random(in: range, using: &generator) }
    }
}

/// The convolution of ``TinyONNX/convolution(input:channelsOut:weights:bias:repeats:)``, as plainly as can be.
func plainConvolution(
    _ x: [Float], channelsIn: Int, height: Int, width: Int, weights: [Float], bias: [Float]
) -> [Float] {
    var y = [Float](repeating: 0, count: bias.count * height * width)
    for out in 0..<bias.count {
        for row in 0..<height {
            for column in 0..<width {
                var sum = bias[out]
                for channel in 0..<channelsIn {
                    for dy in -1...1 {
                        for dx in -1...1 {
                            let (r, c) = (row + dy, column + dx)
                            guard r >= 0, r < height, c >= 0, c < width else { continue }
                            sum +=
                                x[(channel * height + r) * width + c]
                                * weights[((out * channelsIn + channel) * 3 + dy + 1) * 3 + dx + 1]
                        }
                    }
                }
                y[(out * height + row) * width + column] = max(0, sum)
            }
        }
    }
    return y
}
