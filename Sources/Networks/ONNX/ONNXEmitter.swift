// SPDX-License-Identifier: Apache-2.0

extension Network {
    /// The ONNX model of this network with its weights inside, ready for an engine.
    ///
    /// Batch normalisations are folded; weights that already are (the TFLite releases) are taken as they come. Weights
    /// with a quantisation make a network of 8-bit convolutions. The same network and weights give the same bytes, always.
    ///
    /// - Parameter metadata: written into the model for readers; engines ignore it.
    /// - Throws: `NetworkError.Code.weights` with a report of what is missing or of another shape.
    public func onnx(weights: Weights, metadata: [String: String] = [:]) throws(NetworkError) -> [UInt8] {
        let (folded, numbers) = try foldedModel(weights)
        guard let quantisation = weights.quantisation else {
            return try folded.onnxAsIs(weights: numbers, metadata: metadata)
        }
        let quantised = folded.quantised(using: quantisation)
        return try quantised.onnxAsIs(weights: quantised.quantising(numbers), metadata: metadata)
    }

    /// The folded network and its weights, from weights that are folded already or not yet.
    ///
    /// - Throws: `NetworkError.Code.weights` with a report of what is missing or of another shape.
    public func foldedModel(_ weights: Weights) throws(NetworkError) -> (network: Network, weights: Weights) {
        let folded = self.folded
        let direct = folded.check(weights)
        if direct.isComplete { return (folded, weights) }
        let report = check(weights)
        guard report.isComplete else {
            let closer = report.matched >= direct.matched ? report : direct
            throw NetworkError(.weights, closer.description)
        }
        return (folded, try folding(weights))
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
                let stored = weights[parameter.name]
                guard let tensor = parameter.storage == .int8 ? stored : stored?.converted(to: .f32) else {
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
        var bytes = tensor.bytes
        if let rows = parameter.rows {
            let row = bytes.count / max(parameter.shape[0], 1)
            let start = bytes.startIndex
            bytes = bytes[(start + rows.lowerBound * row)..<(start + rows.upperBound * row)]
        }
        switch parameter.storage {
        case .floats: graph.floats(parameter.name, shape: parameter.usedShape, bytes: bytes)
        case .int8: graph.int8(parameter.name, shape: parameter.usedShape, bytes: bytes)
        }
    }

    mutating func finish(_ metadata: [String: String]) -> [UInt8] {
        for port in network.inputs { graph.input(port.name, shape: port.shape) }
        for port in network.outputs {
            let producer = network.layers.first { $0.outputs.contains(port.value) }
            let isIndex =
                if case .topK? = producer?.operation { producer?.outputs.last == port.value } else { false }
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
        let parameters = trained(layer)
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
        case .quantise(let q): node("QuantizeLinear", step(q))
        case .dequantise(let q): node("DequantizeLinear", step(q))
        case .complement:
            graph.floats("constant.1", shape: [], [1])
            graph.node("Sub", name: path, inputs: ["constant.1"] + inputs, outputs: layer.outputs.map(name))
        case .clip(let low, let high):
            graph.floats("constant.\(low)", shape: [], [low])
            graph.floats("constant.\(high)", shape: [], [high])
            node("Clip", ["constant.\(low)", "constant.\(high)"])
        case .linear(let l): emitLinear(layer, l)
        case .layerNorm(let epsilon):
            node("LayerNormalization", parameters, ["axis": .integer(-1), "epsilon": .float(epsilon)])
        case .scale: node("Mul", parameters)
        case .split(let axis, let sizes):
            graph.integers("\(path).sizes", sizes)
            node("Split", ["\(path).sizes"], ["axis": .integer(axis)])
        case .spaceToDepth(let block): emitSpaceToDepth(layer, block)
        case .depthToSpace(let block):
            node("DepthToSpace", [], ["blocksize": .integer(block), "mode": .string("CRD")])
        case .bidirectionalScan(let axis): emitScan(layer, axis: axis)
        }
    }

    // MARK: - 8 bits

    /// Names of the trained constants a node reads; an int8 kernel is brought back to floats by a node of its own.
    private mutating func trained(_ layer: Layer) -> [String] {
        guard let scale = layer.weightScale else { return layer.parameters.map(\.name) }
        let kernel = layer.parameters[0].name
        graph.node(
            "DequantizeLinear", name: "\(kernel)_dequantised", inputs: [kernel, scale.name],
            outputs: ["\(kernel)_dequantised"], ["axis": .integer(0)])
        return ["\(kernel)_dequantised"] + layer.parameters.dropFirst().dropLast().map(\.name)
    }

    /// Names of a scale and of the integer that stands for zero.
    private mutating func step(_ quantiser: Quantiser) -> [String] {
        let zero = "constant.zero.\(quantiser.zeroPoint)"
        graph.floats("constant.\(quantiser.scale)", shape: [], [quantiser.scale])
        graph.uint8(zero, shape: [], bytes: [quantiser.zeroPoint])
        return ["constant.\(quantiser.scale)", zero]
    }

    // MARK: - Operations of several nodes

    /// ONNX multiplies by `[in, out]`; engines fold the transposition of a constant.
    private mutating func emitLinear(_ layer: Layer, _ l: Linear) {
        let path = layer.path
        let (transposed, product) = ("\(path).transposed", l.hasBias ? "\(path).product" : name(layer.outputs[0]))
        graph.node(
            "Transpose", name: transposed, inputs: [layer.parameters[0].name], outputs: [transposed],
            ["perm": .integers([1, 0])])
        graph.node("MatMul", name: "\(path).product", inputs: [name(layer.inputs[0]), transposed], outputs: [product])
        guard l.hasBias else { return }
        graph.node(
            "Add", name: path, inputs: [product, layer.parameters[1].name], outputs: [name(layer.outputs[0])])
    }

    /// By way of six axes: ONNX' own operation orders the channels differently, and is no faster on OpenVINO.
    private mutating func emitSpaceToDepth(_ layer: Layer, _ block: Int) {
        let path = layer.path
        let s = network.shapes[layer.inputs[0]]
        graph.integers("\(path).cells", [s[0], s[1], s[2] / block, block, s[3] / block, block])
        graph.integers("\(path).shape", network.shapes[layer.outputs[0]])
        graph.node(
            "Reshape", name: "\(path).cut", inputs: [name(layer.inputs[0]), "\(path).cells"],
            outputs: ["\(path).cut"])
        graph.node(
            "Transpose", name: "\(path).turn", inputs: ["\(path).cut"], outputs: ["\(path).turn"],
            ["perm": .integers([0, 1, 3, 5, 2, 4])])
        graph.node(
            "Reshape", name: path, inputs: ["\(path).turn", "\(path).shape"], outputs: [name(layer.outputs[0])])
    }

    /// Unrolled step by step: the Scan operator is wrong on OpenVINO 2026.4 (the state is not fed back) and slower.
    private mutating func emitScan(_ layer: Layer, axis: Int) {
        let path = layer.path
        let length = network.shapes[layer.inputs[0]][axis]
        graph.integers("constant.ones.\(length)", [Int](repeating: 1, count: length))
        func pieces(_ kind: String) -> [String] { (0..<length).map { "\(path).\(kind).\($0)" } }
        let (decays, drives) = (pieces("decay"), pieces("drive"))
        for (input, parts) in zip(layer.inputs, [decays, drives]) {
            graph.node(
                "Split", name: parts[0] + ".split", inputs: [name(input), "constant.ones.\(length)"], outputs: parts,
                ["axis": .integer(axis)])
        }
        let ways = [("forward", Array(0..<length)), ("backward", Array((0..<length).reversed()))]
        for (way, order) in ways {
            var states = drives
            for (before, step) in zip(order, order.dropFirst()) {
                let state = "\(path).\(way).\(step)"
                graph.node(
                    "Mul", name: state + ".kept", inputs: [decays[step], states[before]], outputs: [state + ".kept"])
                graph.node("Add", name: state, inputs: [state + ".kept", drives[step]], outputs: [state])
                states[step] = state
            }
            graph.node(
                "Concat", name: "\(path).\(way)", inputs: states, outputs: ["\(path).\(way)"],
                ["axis": .integer(axis)])
        }
        graph.node(
            "Add", name: path, inputs: ["\(path).forward", "\(path).backward"], outputs: [name(layer.outputs[0])])
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
