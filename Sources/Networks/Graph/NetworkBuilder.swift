// SPDX-License-Identifier: Apache-2.0

/// A tensor flowing through a network under construction.
public struct Value: Sendable, Hashable {
    let index: Int
    /// Static extents.
    public let shape: [Int]

    /// Channels of an NCHW value.
    public var channels: Int { shape.count > 1 ? shape[1] : 1 }
    /// Rows of an NCHW value.
    public var height: Int { shape.count == 4 ? shape[2] : 1 }
    /// Columns of an NCHW value.
    public var width: Int { shape.count == 4 ? shape[3] : 1 }
}

/// Assembles a `Network` layer by layer, inferring and checking every shape as it goes.
///
/// Paths are the checkpoint's own module names, so that a layer's tensors are `path.weight`, `path.bias` and so on.
///
/// - Note: Thread-safety: confined to the function that builds.
public final class NetworkBuilder {
    private let name: String
    private let variant: String
    private var shapes: [[Int]] = []
    private var layers: [Layer] = []
    private var paths: Set<String> = []
    private var inputs: [Port] = []
    private var outputs: [Port] = []

    /// Starts an empty network.
    public init(name: String, variant: String) {
        self.name = name
        self.variant = variant
    }

    /// Declares an input of the network.
    public func input(_ name: String, shape: [Int]) throws(NetworkError) -> Value {
        guard !shape.isEmpty, shape.allSatisfy({ $0 > 0 }), elementCount(shape) != nil else {
            throw NetworkError(.shape, path: name, "impossible input shape \(shape)")
        }
        try claim(name)
        let value = add(shape)
        inputs.append(Port(name: name, value: value.index, shape: shape))
        return value
    }

    /// Names a value as an output of the network; outputs keep the order of the calls.
    public func output(_ name: String, _ value: Value) throws(NetworkError) {
        guard !outputs.contains(where: { $0.name == name || $0.value == value.index }),
            !inputs.contains(where: { $0.name == name || $0.value == value.index })
        else { throw NetworkError(.shape, path: name, "is already an input or output") }
        outputs.append(Port(name: name, value: value.index, shape: value.shape))
    }

    /// The finished network.
    public func build() -> Network {
        Network(name: name, variant: variant, inputs: inputs, outputs: outputs, layers: layers, shapes: shapes)
    }

    // MARK: - Layers without trained numbers

    /// Appends any operation that makes one value.
    public func apply(_ path: String, _ operation: LayerOperation, _ values: Value...) throws(NetworkError) -> Value {
        try append(path, operation, values, [])[0]
    }

    /// Joins values along an axis, channels by default.
    public func concat(_ path: String, _ values: [Value], axis: Int = 1) throws(NetworkError) -> Value {
        guard !values.isEmpty else { throw NetworkError(.shape, path: path, "nothing to join") }
        return try append(path, .concat(axis: axis), values, [])[0]
    }

    /// Adds two values elementwise.
    public func add(_ path: String, _ a: Value, _ b: Value) throws(NetworkError) -> Value {
        try append(path, .add, [a, b], [])[0]
    }

    /// Resizes to an explicit size; returns the value itself when it already has that size.
    public func resize(
        _ path: String, _ x: Value, _ resampling: Resampling, height: Int, width: Int
    ) throws(NetworkError) -> Value {
        if x.height == height, x.width == width { return x }
        return try apply(path, .resize(resampling, height: height, width: width), x)
    }

    /// The largest values along an axis and their indices.
    public func topK(
        _ path: String, _ x: Value, count: Int, axis: Int
    ) throws(NetworkError) -> (values: Value, indices: Value) {
        let made = try append(path, .topK(count: count, axis: axis), [x], [])
        return (made[0], made[1])
    }

    /// Cuts one axis into pieces.
    public func split(_ path: String, _ x: Value, axis: Int, sizes: [Int]) throws(NetworkError) -> [Value] {
        try append(path, .split(axis: axis, sizes: sizes), [x], [])
    }

    // MARK: - Layers with trained numbers

    /// Appends a convolution; padding defaults to the one that keeps the size at stride 1.
    ///
    /// - Parameters:
    ///   - inputChannels: what the checkpoint expects; taken from `x` when nil.
    ///   - rows: the stored output channels to keep (a pruned head); nil keeps all `outputChannels`.
    public func convolution(
        _ path: String, _ x: Value, inputChannels: Int? = nil, outputChannels: Int, kernel: Int = 1, stride: Int = 1,
        padding: Padding? = nil, dilation: Int = 1, groups: Int = 1, bias: Bool = false, rows: Range<Int>? = nil
    ) throws(NetworkError) -> Value {
        if let rows, rows.isEmpty || rows.lowerBound < 0 || rows.upperBound > outputChannels || groups != 1 {
            throw NetworkError(.shape, path: path, "cannot keep rows \(rows) of \(outputChannels) in \(groups) groups")
        }
        let operation = Convolution(
            inputChannels: inputChannels ?? x.channels, outputChannels: rows?.count ?? outputChannels, kernel: kernel,
            stride: stride, padding: padding ?? .same(kernel: kernel, dilation: dilation), dilation: dilation,
            groups: groups, hasBias: bias)
        guard groups > 0 else { throw NetworkError(.shape, path: path, "\(groups) groups") }
        var parameters = [
            Parameter(
                name: path + ".weight", shape: [outputChannels, operation.inputChannels / groups, kernel, kernel],
                role: .weight, rows: rows)
        ]
        if bias { parameters.append(Parameter(name: path + ".bias", shape: [outputChannels], role: .bias, rows: rows)) }
        return try append(path, .convolution(operation), [x], parameters)[0]
    }

    /// Appends a transposed convolution.
    public func transposedConvolution(
        _ path: String, _ x: Value, outputChannels: Int, kernel: Int, stride: Int, padding: Padding = .none,
        outputPadding: Int = 0, groups: Int = 1, bias: Bool = false
    ) throws(NetworkError) -> Value {
        guard groups > 0 else { throw NetworkError(.shape, path: path, "\(groups) groups") }
        let operation = TransposedConvolution(
            inputChannels: x.channels, outputChannels: outputChannels, kernel: kernel, stride: stride,
            padding: padding, outputPadding: outputPadding, groups: groups, hasBias: bias)
        var parameters = [
            Parameter(
                name: path + ".weight", shape: [x.channels, outputChannels / groups, kernel, kernel], role: .weight,
                rows: nil)
        ]
        if bias { parameters.append(Parameter(name: path + ".bias", shape: [outputChannels], role: .bias, rows: nil)) }
        return try append(path, .transposedConvolution(operation), [x], parameters)[0]
    }

    /// Appends an inference-time batch normalisation.
    public func batchNorm(_ path: String, _ x: Value, epsilon: Float = 1e-5) throws(NetworkError) -> Value {
        let roles: [(String, Parameter.Role)] = [
            ("weight", .scale), ("bias", .shift), ("running_mean", .mean), ("running_var", .variance),
        ]
        let parameters = roles.map {
            Parameter(name: "\(path).\($0.0)", shape: [x.channels], role: $0.1, rows: nil)
        }
        return try append(path, .batchNorm(epsilon: epsilon), [x], parameters)[0]
    }

    /// Appends a matrix product along the last axis.
    public func linear(_ path: String, _ x: Value, outputs: Int, bias: Bool = false) throws(NetworkError) -> Value {
        let operation = Linear(inputs: x.shape.last ?? 1, outputs: outputs, hasBias: bias)
        var parameters = [
            Parameter(name: path + ".weight", shape: [outputs, operation.inputs], role: .weight, rows: nil)
        ]
        if bias { parameters.append(Parameter(name: path + ".bias", shape: [outputs], role: .bias, rows: nil)) }
        return try append(path, .linear(operation), [x], parameters)[0]
    }

    /// Appends a normalisation of the last axis.
    public func layerNorm(_ path: String, _ x: Value, epsilon: Float = 1e-5) throws(NetworkError) -> Value {
        let shape = [x.shape.last ?? 1]
        let parameters = [
            Parameter(name: path + ".weight", shape: shape, role: .scale, rows: nil),
            Parameter(name: path + ".bias", shape: shape, role: .shift, rows: nil),
        ]
        return try append(path, .layerNorm(epsilon: epsilon), [x], parameters)[0]
    }

    /// Multiplies the last axis by a trained vector, whose key is the path itself.
    public func scale(_ path: String, _ x: Value) throws(NetworkError) -> Value {
        let parameter = Parameter(name: path, shape: [x.shape.last ?? 1], role: .scale, rows: nil)
        return try append("\(path).scaled", .scale, [x], [parameter])[0]
    }

    // MARK: - Private

    private func append(
        _ path: String, _ operation: LayerOperation, _ values: [Value], _ parameters: [Parameter]
    ) throws(NetworkError) -> [Value] {
        try claim(path)
        let made: [[Int]]
        do {
            made = try operation.outputShapes(values.map(\.shape))
        } catch {
            throw NetworkError(error.code, path: path, error.detail)
        }
        let results = made.map { add($0) }
        layers.append(
            Layer(
                path: path, operation: operation, inputs: values.map(\.index), outputs: results.map(\.index),
                parameters: parameters))
        return results
    }

    private func claim(_ path: String) throws(NetworkError) {
        guard paths.insert(path).inserted else { throw NetworkError(.shape, path: path, "two layers of this name") }
    }

    private func add(_ shape: [Int]) -> Value {
        shapes.append(shape)
        return Value(index: shapes.count - 1, shape: shape)
    }
}
