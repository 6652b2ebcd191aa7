// SPDX-License-Identifier: Apache-2.0

/// How a network is brought to 8 bits: ranges of the values, and which blocks stay in floating point.
///
/// Weights need nothing: their scales follow from their numbers.
///
/// - Note: Thread-safety: a value.
public struct Quantisation: Sendable, Hashable, Codable {
    /// Ranges of what convolutions read, by the path of the layer, or the name of the input, that makes it.
    ///
    /// A convolution that reads a value without a range stays in floating point.
    public var ranges: [String: ValueRange]
    /// Blocks whose convolutions stay in floating point: paths of layers, or the first components of paths.
    public var floatBlocks: Set<String>

    /// Everything with a range is 8 bits unless its block is named.
    public init(ranges: [String: ValueRange], floatBlocks: Set<String> = []) {
        self.ranges = ranges
        self.floatBlocks = floatBlocks
    }

    /// Whether the layer of this path stays in floating point.
    public func keepsFloat(_ path: String) -> Bool {
        floatBlocks.contains { path == $0 || path.hasPrefix($0 + ".") }
    }
}

extension Network {
    /// The same network with 8-bit convolutions where `quantisation` has ranges for what they read.
    ///
    /// ```
    ///  value -> quantise -> dequantise -> convolution of int8 weights -> value in floating point
    /// ```
    /// An engine computes such a chain in integers. The pair stands behind the value once, for all who read it; a value
    /// that no 8-bit convolution reads keeps its floats, and so do the network's outputs. Weights become int8 with one
    /// scale per output channel (`path.weight_scale`); biases stay floats. Apply it to a folded network: see `folded`.
    public func quantised(using quantisation: Quantisation) -> Network {
        var names: [Int: String] = [:]
        for port in inputs { names[port.value] = port.name }
        for layer in layers where layer.outputs.count == 1 { names[layer.outputs[0]] = layer.path }
        func range(_ value: Int) -> ValueRange? {
            names[value].flatMap { quantisation.ranges[$0] }.flatMap { $0.isSound ? $0 : nil }
        }
        let isQuantised = layers.map { layer in
            guard case .convolution = layer.operation, !layer.parameters.contains(where: { $0.storage == .int8 }) else {
                return false
            }
            return range(layer.inputs[0]) != nil && !quantisation.keepsFloat(layer.path)
        }
        let read = Set(zip(layers, isQuantised).filter { $0.1 }.map { $0.0.inputs[0] })

        var shapes = self.shapes
        var made: [Layer] = []
        var replaced: [Int: Int] = [:]
        func quantise(_ value: Int) {
            guard read.contains(value), let name = names[value], let range = range(value) else { return }
            let quantiser = Quantiser(range)
            let (integers, floats) = (shapes.count, shapes.count + 1)
            shapes += [shapes[value], shapes[value]]
            made.append(
                Layer(
                    path: name + ".quantised", operation: .quantise(quantiser), inputs: [value], outputs: [integers],
                    parameters: []))
            made.append(
                Layer(
                    path: name + ".dequantised", operation: .dequantise(quantiser), inputs: [integers],
                    outputs: [floats], parameters: []))
            replaced[value] = floats
        }
        for port in inputs { quantise(port.value) }
        for (layer, isQuantised) in zip(layers, isQuantised) {
            made.append(
                Layer(
                    path: layer.path, operation: layer.operation, inputs: layer.inputs.map { replaced[$0] ?? $0 },
                    outputs: layer.outputs, parameters: isQuantised ? layer.int8Parameters : layer.parameters))
            for value in layer.outputs { quantise(value) }
        }
        return Network(name: name, variant: variant, inputs: inputs, outputs: outputs, layers: made, shapes: shapes)
    }

    /// The weights that this network, a quantised one, needs, from those of the network it was made of.
    ///
    /// A kernel's scale is its largest magnitude over 127, for each output channel: `q = round(w / scale)`.
    ///
    /// - Throws: `NetworkError.Code.weights` naming a tensor that is missing or of another shape.
    public func quantising(_ weights: Weights) throws(NetworkError) -> Weights {
        var result = Weights()
        result.metadata = weights.metadata
        let scales = Set(layers.compactMap(\.weightScale?.name))
        for layer in layers {
            for parameter in layer.parameters where !scales.contains(parameter.name) {
                guard let tensor = weights[parameter.name], tensor.shape == parameter.shape,
                    let numbers = tensor.floats()
                else { throw NetworkError(.weights, path: parameter.name, "is missing or of another shape") }
                guard parameter.storage == .int8, let scale = layer.weightScale else {
                    result[parameter.name] = tensor
                    continue
                }
                let rows = QuantisedRows(numbers, count: parameter.shape[0])
                result[parameter.name] = Tensor(shape: parameter.shape, integers: rows.integers)
                result[scale.name] = Tensor(shape: scale.shape, floats: rows.scales)
            }
        }
        return result
    }
}

/// A kernel in 8 bits: signed, one scale for each output channel.
struct QuantisedRows {
    private(set) var integers: [Int8] = []
    private(set) var scales: [Float] = []

    /// Quantises `count` rows of equal length.
    init(_ numbers: [Float], count: Int) {
        let length = numbers.count / max(1, count)
        integers.reserveCapacity(numbers.count)
        for row in 0..<count {
            let part = numbers[row * length..<(row + 1) * length]
            let largest = part.reduce(Float(0)) { max($0, abs($1)) }
            let scale = largest / 127
            scales.append(scale.isFinite && scale > .leastNormalMagnitude ? scale : 1)
            for number in part {
                let level = (number / scales[row]).rounded(.toNearestOrEven)
                integers.append(level.isNaN ? 0 : Int8(min(max(level, -127), 127)))
            }
        }
    }

    /// What the integers stand for.
    var floats: [Float] {
        let length = integers.count / max(1, scales.count)
        return integers.indices.map { Float(integers[$0]) * scales[$0 / max(1, length)] }
    }
}

extension Layer {
    /// The scales of an int8 kernel; nil for layers in floating point.
    var weightScale: Parameter? {
        parameters.contains { $0.storage == .int8 } ? parameters.last : nil
    }

    /// The parameters with the kernel in int8, its scales last.
    fileprivate var int8Parameters: [Parameter] {
        var result = parameters
        result[0].storage = .int8
        result.append(
            Parameter(
                name: result[0].name + "_scale", shape: [result[0].shape[0]], role: .scale, rows: result[0].rows))
        return result
    }
}
