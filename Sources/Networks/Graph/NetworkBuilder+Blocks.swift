// SPDX-License-Identifier: Apache-2.0

/// The non-linearity behind a convolution.
public enum Activation: Sendable, Hashable {
    case none, relu, relu6
    case leakyRelu(slope: Float)

    var operation: LayerOperation? {
        switch self {
        case .none: nil
        case .relu: .relu
        case .relu6: .relu6
        case .leakyRelu(let slope): .leakyRelu(slope: slope)
        }
    }
}

extension NetworkBuilder {
    /// Appends a non-linearity; returns the value itself for `.none`.
    public func activate(_ path: String, _ x: Value, _ activation: Activation) throws(NetworkError) -> Value {
        guard let operation = activation.operation else { return x }
        return try apply(path, operation, x)
    }

    /// `x * sigmoid(x)`.
    public func silu(_ path: String, _ x: Value) throws(NetworkError) -> Value {
        try apply(path, .multiply, x, apply("\(path).gate", .sigmoid, x))
    }

    /// Convolution without bias, batch normalisation, non-linearity: `path.first`, `path.first+1` and `path.first+2`,
    /// the way PyTorch numbers the members of a `Sequential`.
    public func convolutionBlock(
        _ path: String, first: Int = 0, _ x: Value, inputChannels: Int? = nil, outputChannels: Int, kernel: Int = 1,
        stride: Int = 1, padding: Padding? = nil, dilation: Int = 1, groups: Int = 1, epsilon: Float = 1e-5,
        _ activation: Activation
    ) throws(NetworkError) -> Value {
        var y = try convolution(
            "\(path).\(first)", x, inputChannels: inputChannels, outputChannels: outputChannels, kernel: kernel,
            stride: stride, padding: padding, dilation: dilation, groups: groups)
        y = try batchNorm("\(path).\(first + 1)", y, epsilon: epsilon)
        return try activate("\(path).\(first + 2)", y, activation)
    }
}
