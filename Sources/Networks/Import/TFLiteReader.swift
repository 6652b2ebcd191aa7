// SPDX-License-Identifier: Apache-2.0

/// The convolutions of a TensorFlow Lite model in execution order, with their constant weights.
///
/// Files are untrusted: every reference and length is checked. Weights behind `DEQUANTIZE` (fp16 files) are followed
/// to the constant itself.
///
/// Source: tensorflow/lite/schema/schema.fbs; field numbers beside each call.
public struct TFLiteReader: Sendable {
    /// One CONV_2D or DEPTHWISE_CONV_2D.
    public struct Convolution: Sendable, Hashable {
        /// Whether every channel has its own kernel.
        public let isDepthwise: Bool
        /// `[out, kH, kW, in]`, or `[1, kH, kW, channels]` when depthwise.
        public let weight: Tensor
        /// One number per output channel.
        public let bias: Tensor?
        /// Pixels between windows, in both axes.
        public let stride: Int
        /// Pixels between the kernel's taps.
        public let dilation: Int
        /// The activation fused behind it.
        public let activation: Activation
        /// The weight tensor's name in the file.
        public let name: String
    }

    /// All convolutions in execution order.
    public let convolutions: [Convolution]
    /// The shape of the first input, NHWC.
    public let inputShape: [Int]

    private static let conv2D = 3
    private static let depthwiseConv2D = 4
    private static let dequantize = 6

    /// Reads a file's bytes; tensors share them.
    ///
    /// - Throws: `NetworkError` with code `.format` or `.unsupported`.
    public init(_ bytes: [UInt8]) throws(NetworkError) {
        let file = FlatBuffer(bytes: bytes)
        let model = try file.root(identifier: "TFL3")
        guard let graph = try file.tables(model, 2).first else {  // Model.subgraphs
            throw NetworkError(.format, "damaged TensorFlow Lite file: no graph")
        }
        let constants = try Constants(file, model, graph)
        var codes: [Int] = []
        for code in try file.tables(model, 1) {  // Model.operator_codes
            // Old files have only the 8-bit code; new ones repeat small codes there and put large ones in field 3.
            let old = Int(try file.scalar(code, 0, default: Int8(0)))
            codes.append(max(old, Int(try file.scalar(code, 3, default: Int32(0)))))
        }
        var unpacked: [Int: Int] = [:]
        var found: [Convolution] = []
        for step in try file.tables(graph, 3) {  // SubGraph.operators
            let index = Int(try file.scalar(step, 0, default: UInt32(0)))  // Operator.opcode_index
            guard codes.indices.contains(index) else {
                throw NetworkError(.format, "damaged TensorFlow Lite file: operator of kind \(index)")
            }
            switch codes[index] {
            case Self.dequantize:
                let outputs = try file.integers(step, 2)
                if let input = try file.integers(step, 1).first, let output = outputs.first { unpacked[output] = input }
            case Self.conv2D, Self.depthwiseConv2D:
                found.append(
                    try Self.convolution(
                        file, step, isDepthwise: codes[index] == Self.depthwiseConv2D, unpacked, constants))
            default: break
            }
        }
        convolutions = found
        inputShape =
            try file.integers(graph, 1).first.map { index throws(NetworkError) in
                try constants.shape(index)
            } ?? []
    }

    // MARK: - Private

    private static func convolution(
        _ file: FlatBuffer, _ step: FlatBuffer.Table, isDepthwise: Bool, _ unpacked: [Int: Int], _ constants: Constants
    ) throws(NetworkError) -> Convolution {
        let inputs = try file.integers(step, 1)
        guard inputs.count >= 2 else {
            throw NetworkError(.format, "damaged TensorFlow Lite file: a convolution without weights")
        }
        let name = try constants.name(inputs[1])
        func constant(_ index: Int) throws(NetworkError) -> Tensor { try constants.tensor(unpacked[index] ?? index) }
        var stride: [Int32] = [1, 1]
        var dilation: [Int32] = [1, 1]
        var code: Int8 = 0
        if let options = try file.table(step, 4) {  // Operator.builtin_options
            stride = [try file.scalar(options, 1, default: 1), try file.scalar(options, 2, default: 1)]
            code = try file.scalar(options, isDepthwise ? 4 : 3, default: Int8(0))
            let first = isDepthwise ? 5 : 4
            dilation = [try file.scalar(options, first, default: 1), try file.scalar(options, first + 1, default: 1)]
        }
        guard stride[0] == stride[1], dilation[0] == dilation[1], stride[0] > 0, dilation[0] > 0 else {
            throw NetworkError(.unsupported, path: name, "uneven strides or dilations")
        }
        let activation: Activation
        switch code {
        case 0: activation = .none
        case 1: activation = .relu
        case 3: activation = .relu6
        default: throw NetworkError(.unsupported, path: name, "fused activation \(code)")
        }
        return Convolution(
            isDepthwise: isDepthwise, weight: try constant(inputs[1]),
            bias: inputs.count > 2 && inputs[2] >= 0 ? try constant(inputs[2]) : nil, stride: Int(stride[0]),
            dilation: Int(dilation[0]), activation: activation, name: name)
    }

    /// The tensors of a graph that come with data.
    private struct Constants {
        private let file: FlatBuffer
        private let tensors: [FlatBuffer.Table]
        private let buffers: [FlatBuffer.Table]

        init(_ file: FlatBuffer, _ model: FlatBuffer.Table, _ graph: FlatBuffer.Table) throws(NetworkError) {
            self.file = file
            tensors = try file.tables(graph, 0)  // SubGraph.tensors
            buffers = try file.tables(model, 4)  // Model.buffers
        }

        func name(_ index: Int) throws(NetworkError) -> String {
            let text = try file.blob(entry(index), 3) ?? []
            return String(decoding: text.prefix(200), as: UTF8.self)
        }

        func shape(_ index: Int) throws(NetworkError) -> [Int] { try file.integers(entry(index), 0) }

        func tensor(_ index: Int) throws(NetworkError) -> Tensor {
            let table = try entry(index)
            let name = try name(index)
            let type: ElementType
            switch try file.scalar(table, 1, default: Int8(0)) {  // Tensor.type
            case 0: type = .f32
            case 1: type = .f16
            case let code: throw NetworkError(.unsupported, path: name, "weights in number format \(code)")
            }
            let buffer = Int(try file.scalar(table, 2, default: UInt32(0)))
            guard buffers.indices.contains(buffer), let bytes = try file.blob(buffers[buffer], 0) else {
                throw NetworkError(.format, path: name, "weights are not in the file")
            }
            guard let tensor = Tensor(shape: try shape(index), type: type, bytes: bytes) else {
                throw NetworkError(.format, path: name, "\(bytes.count) bytes for \(try shape(index)) \(type.rawValue)")
            }
            return tensor
        }

        private func entry(_ index: Int) throws(NetworkError) -> FlatBuffer.Table {
            guard tensors.indices.contains(index) else {
                throw NetworkError(.format, "damaged TensorFlow Lite file: tensor \(index) of \(tensors.count)")
            }
            return tensors[index]
        }
    }
}
