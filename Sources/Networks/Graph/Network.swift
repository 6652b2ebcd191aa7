// SPDX-License-Identifier: Apache-2.0

/// A trained tensor that a layer reads.
public struct Parameter: Sendable, Hashable {
    /// What the numbers are for; running statistics are stored but not trained.
    public enum Role: Sendable, Hashable { case weight, bias, scale, shift, mean, variance }

    /// The tensor's key in the weights: the layer's path and the role's usual name.
    public let name: String
    /// The shape as stored in the weights.
    public let shape: [Int]
    /// What the numbers are for.
    public let role: Role
    /// The stored rows (first axis) the layer really uses; nil means all.
    ///
    /// Pruned heads keep whole files loadable.
    public let rows: Range<Int>?
    /// How the numbers are stored.
    public var storage = Storage.floats

    /// How numbers are stored.
    public enum Storage: Sendable, Hashable {
        /// Any floating-point format.
        case floats
        /// 8-bit integers; the layer's last parameter scales each row.
        case int8
    }

    /// Whether training changes it by gradient; batch-norm statistics are not.
    public var isTrainable: Bool { role != .mean && role != .variance }
    /// The shape the layer sees.
    public var usedShape: [Int] { rows.map { [$0.count] + shape.dropFirst() } ?? shape }
}

/// One node of a network: an operation, what it reads, and what it makes.
public struct Layer: Sendable, Hashable {
    /// Where the layer sits (`body.stage1.0.0`); unique within the network.
    public let path: String
    /// What the layer computes.
    public let operation: LayerOperation
    /// Indices into `Network.shapes`.
    public let inputs: [Int]
    /// Indices into `Network.shapes`, one per result.
    public let outputs: [Int]
    /// The trained tensors it reads, in the order ONNX takes them.
    public let parameters: [Parameter]
}

/// A named input or output of a network.
public struct Port: Sendable, Hashable {
    /// The name engines and callers use.
    public let name: String
    /// Index into `Network.shapes`.
    public let value: Int
    /// Static shape, NCHW for images; float32.
    public let shape: [Int]
}

/// A network built at one input size: layers in execution order, named ports, and the trained tensors it needs.
///
/// - Note: Thread-safety: an immutable value.
public struct Network: Sendable, Hashable {
    /// The architecture's name in the catalogue.
    public let name: String
    /// The architecture's variant in the catalogue.
    public let variant: String
    /// Named inputs, in the order they were declared.
    public let inputs: [Port]
    /// Named outputs, in the order they were declared.
    public let outputs: [Port]
    /// All layers; each reads only what earlier ones made.
    public let layers: [Layer]
    /// The shape of every value, by the index that layers and ports use.
    public let shapes: [[Int]]

    /// Everything the weights must hold, in layer order.
    public var parameters: [Parameter] { layers.flatMap(\.parameters) }

    /// Trainable numbers as stored; running statistics excluded.
    public var parameterCount: Int {
        parameters.filter(\.isTrainable).reduce(0) { $0 + $1.shape.reduce(1, *) }
    }

    /// Multiply-accumulates of one inference, convolutions and matrix products only.
    public var multiplyAccumulates: Int { layers.reduce(0) { $0 + multiplyAccumulates(of: $1) } }

    /// Multiply-accumulates of one layer.
    public func multiplyAccumulates(of layer: Layer) -> Int {
        layer.operation.multiplyAccumulates(input: shapes[layer.inputs[0]], output: shapes[layer.outputs[0]])
    }

    /// A table of the layers with shapes, parameters and MACs; the same text for the same network, always.
    public var summary: String {
        var rows = [["layer", "kind", "output", "parameters", "MACs"]]
        for port in inputs { rows.append([port.name, "input", dimensions(port.shape), "", ""]) }
        for layer in layers {
            let trained = layer.parameters.filter(\.isTrainable).reduce(0) { $0 + $1.shape.reduce(1, *) }
            let cost = multiplyAccumulates(of: layer)
            rows.append([
                layer.path, layer.operation.kind,
                layer.outputs.map { dimensions(shapes[$0]) }.joined(separator: " "),
                trained == 0 ? "" : grouped(trained), cost == 0 ? "" : grouped(cost),
            ])
        }
        let widths = (0..<5).map { column in rows.map { $0[column].count }.max() ?? 0 }
        var text = "\(name) \(variant)\n"
        for row in rows {
            var line = ""
            for (column, cell) in row.enumerated() {
                let space = String(repeating: " ", count: widths[column] - cell.count)
                line += (column < 3 ? cell + space : space + cell) + "  "
            }
            while line.last == " " { line.removeLast() }
            text += line + "\n"
        }
        for port in outputs { text += "output \(port.name) \(dimensions(port.shape))\n" }
        text += "\(grouped(parameterCount)) parameters, \(grouped(multiplyAccumulates)) MACs\n"
        return text
    }
}

/// Digits in groups of three: `1,531,984`.
func grouped(_ number: Int) -> String {
    var text = ""
    for (index, digit) in String(number).reversed().enumerated() {
        if index > 0, index % 3 == 0, digit != "-" { text.append(",") }
        text.append(digit)
    }
    return String(text.reversed())
}
