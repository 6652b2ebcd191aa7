// SPDX-License-Identifier: Apache-2.0

extension Network {
    /// The ONNX model of this network with its weights inside, ready for an engine.
    ///
    /// Batch normalisations are folded; weights that already are (the TFLite releases) are taken as they come. The
    /// same network and weights give the same bytes, always.
    ///
    /// - Parameter metadata: written into the model for readers; engines ignore it.
    /// - Throws: `NetworkError.Code.weights` with a report of what is missing or of another shape.
    public func onnx(weights: Weights, metadata: [String: String] = [:]) throws(NetworkError) -> [UInt8] {
        let folded = self.folded
        let direct = folded.check(weights)
        if direct.isComplete { return try folded.onnxAsIs(weights: weights, metadata: metadata) }
        let report = check(weights)
        guard report.isComplete else {
            let closer = report.matched >= direct.matched ? report : direct
            throw NetworkError(.weights, closer.description)
        }
        return try folded.onnxAsIs(weights: folding(weights), metadata: metadata)
    }

    /// The ONNX model with the layers exactly as they are, batch normalisations included.
    ///
    /// - Throws: `NetworkError.Code.weights` with a report of what is missing or of another shape.
    public func onnxAsIs(weights: Weights, metadata: [String: String] = [:]) throws(NetworkError) -> [UInt8] {
        let report = check(weights)
        guard report.isComplete else { throw NetworkError(.weights, report.description) }
        var emitter = ONNXEmitter(self)
        for layer in layers {
            for parameter in layer.parameters {
                guard let tensor = weights[parameter.name]?.converted(to: .f32) else {
                    throw NetworkError(.weights, path: parameter.name, "is not floating point")
                }
                emitter.add(parameter, tensor)
            }
        }
        for layer in layers { emitter.emit(layer) }
        return emitter.finish(metadata)
    }
}

/// Turns layers into ONNX nodes, one layer at a time, under the layers' own paths.
private struct ONNXEmitter {
    private let network: Network
    private var graph: ONNXGraph
    private var names: [Int: String] = [:]

    init(_ network: Network) {
        self.network = network
        graph = ONNXGraph(name: "\(network.name)-\(network.variant)")
        for layer in network.layers {
            for (index, value) in layer.outputs.enumerated() {
                names[value] = layer.outputs.count == 1 ? layer.path : "\(layer.path):\(index)"
            }
        }
        for port in network.inputs + network.outputs { names[port.value] = port.name }
    }

    mutating func add(_ parameter: Parameter, _ tensor: Tensor) {
        guard let rows = parameter.rows else {
            return graph.floats(parameter.name, shape: parameter.shape, bytes: tensor.bytes)
        }
        let row = tensor.bytes.count / max(parameter.shape[0], 1)
        let start = tensor.bytes.startIndex
        graph.floats(
            parameter.name, shape: parameter.usedShape,
            bytes: tensor.bytes[(start + rows.lowerBound * row)..<(start + rows.upperBound * row)])
    }

    mutating func finish(_ metadata: [String: String]) -> [UInt8] {
        for port in network.inputs { graph.input(port.name, shape: port.shape) }
        for port in network.outputs {
            let producer = network.layers.first { $0.outputs.contains(port.value) }
            let isIndex = producer.map { $0.outputs.count == 2 && $0.outputs[1] == port.value } ?? false
            graph.output(port.name, shape: port.shape, isInteger: isIndex)
        }
        return graph.model(metadata: metadata)
    }

    mutating func emit(_ layer: Layer) {
        let path = layer.path
        let inputs = layer.inputs.map(name)
        func node(
            _ type: String, _ more: [String] = [], _ attributes: KeyValuePairs<String, ONNXGraph.Attribute> = [:]
        ) {
            graph.node(type, name: path, inputs: inputs + more, outputs: layer.outputs.map(name), attributes)
        }
        let parameters = layer.parameters.map(\.name)
        switch layer.operation {
        case .convolution(let c):
            node(
                "Conv", parameters,
                [
                    "dilations": .integers([c.dilation, c.dilation]), "group": .integer(c.groups),
                    "kernel_shape": .integers([c.kernel, c.kernel]), "pads": c.padding.attribute,
                    "strides": .integers([c.stride, c.stride]),
                ])
        case .transposedConvolution(let c):
            node(
                "ConvTranspose", parameters,
                [
                    "group": .integer(c.groups), "kernel_shape": .integers([c.kernel, c.kernel]),
                    "output_padding": .integers([c.outputPadding, c.outputPadding]), "pads": c.padding.attribute,
                    "strides": .integers([c.stride, c.stride]),
                ])
        case .bilinearDeconvolution:
            let channels = network.shapes[layer.inputs[0]][1]
            let kernels = [[Float]](repeating: LayerOperation.bilinearKernel, count: channels)
            graph.floats("\(path).kernel", shape: [channels, 1, 4, 4], kernels.flatMap { $0 })
            node(
                "ConvTranspose", ["\(path).kernel"],
                [
                    "group": .integer(channels), "kernel_shape": .integers([4, 4]), "pads": .integers([1, 1, 1, 1]),
                    "strides": .integers([2, 2]),
                ])
        case .batchNorm(let epsilon): node("BatchNormalization", parameters, ["epsilon": .float(epsilon)])
        case .relu: node("Relu")
        case .relu6:
            graph.floats("constant.0", shape: [], [0])
            graph.floats("constant.6", shape: [], [6])
            node("Clip", ["constant.0", "constant.6"])
        case .leakyRelu(let slope): node("LeakyRelu", [], ["alpha": .float(slope)])
        case .sigmoid: node("Sigmoid")
        case .tanh: node("Tanh")
        case .softmax(let axis): node("Softmax", [], ["axis": .integer(axis)])
        case .add: node("Add")
        case .subtract: node("Sub")
        case .multiply: node("Mul")
        case .affine(let scale, let offset):
            graph.floats("\(path).scale", shape: [1, scale.count, 1, 1], scale)
            graph.floats("\(path).offset", shape: [1, offset.count, 1, 1], offset)
            graph.node("Mul", name: "\(path).mul", inputs: inputs + ["\(path).scale"], outputs: ["\(path).scaled"])
            graph.node(
                "Add", name: path, inputs: ["\(path).scaled", "\(path).offset"], outputs: layer.outputs.map(name))
        case .concat(let axis): node("Concat", [], ["axis": .integer(axis)])
        case .resize(let resampling, _, _):
            graph.integers("\(path).sizes", network.shapes[layer.outputs[0]])
            node("Resize", ["", "", "\(path).sizes"], resampling.attributes)
        case .maxPool(let p):
            node(
                "MaxPool", [],
                [
                    "ceil_mode": .integer(p.roundsUp ? 1 : 0), "kernel_shape": .integers([p.kernel, p.kernel]),
                    "pads": p.padding.attribute, "strides": .integers([p.stride, p.stride]),
                ])
        case .averagePool(let p):
            node(
                "AveragePool", [],
                [
                    "ceil_mode": .integer(p.roundsUp ? 1 : 0), "count_include_pad": .integer(p.countsPadding ? 1 : 0),
                    "kernel_shape": .integers([p.kernel, p.kernel]), "pads": p.padding.attribute,
                    "strides": .integers([p.stride, p.stride]),
                ])
        case .globalAveragePool: node("GlobalAveragePool")
        case .slice(let axis, let range):
            graph.integers("\(path).start", [range.lowerBound])
            graph.integers("\(path).end", [range.upperBound])
            graph.integers("constant.axis.\(axis)", [axis])
            node("Slice", ["\(path).start", "\(path).end", "constant.axis.\(axis)"])
        case .transpose(let order): node("Transpose", [], ["perm": .integers(order)])
        case .reshape:
            graph.integers("\(path).shape", network.shapes[layer.outputs[0]])
            node("Reshape", ["\(path).shape"])
        case .topK(let count, let axis):
            graph.integers("\(path).k", [count])
            node("TopK", ["\(path).k"], ["axis": .integer(axis), "largest": .integer(1), "sorted": .integer(1)])
        }
    }

    private func name(_ value: Int) -> String { names[value] ?? "value.\(value)" }
}

extension Padding {
    fileprivate var attribute: ONNXGraph.Attribute { .integers([top, left, bottom, right]) }
}

extension Resampling {
    fileprivate var attributes: KeyValuePairs<String, ONNXGraph.Attribute> {
        switch self {
        case .bilinear:
            ["coordinate_transformation_mode": .string("half_pixel"), "mode": .string("linear")]
        case .bilinearAlignedCorners:
            ["coordinate_transformation_mode": .string("align_corners"), "mode": .string("linear")]
        case .nearest:
            [
                "coordinate_transformation_mode": .string("asymmetric"), "mode": .string("nearest"),
                "nearest_mode": .string("floor"),
            ]
        }
    }
}
