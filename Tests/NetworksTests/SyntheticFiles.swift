// SPDX-License-Identifier: Apache-2.0
import Networks

/// Model files in the published formats, made of seeded numbers.
enum SyntheticFiles {
    // MARK: - TensorFlow Lite

    /// One convolution of a TFLite file, weights in the file's own layout.
    struct Step {
        var shape: [Int]
        var weight: [Float]
        var bias: [Float]
        var stride: Int
        var dilation: Int
        /// 0 none, 1 ReLU, 3 ReLU6.
        var activation: Int
        var isDepthwise: Bool
    }

    /// A TFLite file with these convolutions; `half` stores weights as f16 behind DEQUANTIZE operators.
    static func tflite(_ steps: [Step], inputShape: [Int], half: Bool = false) -> [UInt8] {
        typealias Field = FlatBufferBuilder.Field
        var tensors: [[Field]] = []
        var buffers: [[Field]] = [[.absent]]
        var operators: [[Field]] = []
        func tensor(_ shape: [Int], type: Int, buffer: Int, name: String) -> Int {
            tensors.append([
                .integers(shape), .number(type, bytes: 1), .number(buffer, bytes: 4), .blob(Array(name.utf8)),
            ])
            return tensors.count - 1
        }
        func constant(_ shape: [Int], _ values: [Float], name: String) -> Int {
            let full = Tensor(shape: shape, floats: values)
            let stored = half ? full.converted(to: .f16) ?? full : full
            buffers.append([.blob(Array(stored.bytes))])
            let index = tensor(shape, type: half ? 1 : 0, buffer: buffers.count - 1, name: name)
            guard half else { return index }
            let unpacked = tensor(shape, type: 0, buffer: 0, name: name + "_dequantize")
            operators.append([.number(2, bytes: 4), .integers([index]), .integers([unpacked])])
            return unpacked
        }
        var current = tensor(inputShape, type: 0, buffer: 0, name: "input")
        for (index, step) in steps.enumerated() {
            let weight = constant(step.shape, step.weight, name: "w\(index)")
            let bias = constant([step.bias.count], step.bias, name: "b\(index)")
            let output = tensor([1, 1, 1, step.bias.count], type: 0, buffer: 0, name: "o\(index)")
            let strides: [Field] = [.number(step.stride, bytes: 4), .number(step.stride, bytes: 4)]
            let dilations: [Field] = [.number(step.dilation, bytes: 4), .number(step.dilation, bytes: 4)]
            let activation: Field = .number(step.activation, bytes: 1)
            var options: [Field] = [.number(0, bytes: 1)] + strides
            if step.isDepthwise { options.append(.number(1, bytes: 4)) }
            options.append(activation)
            options += dilations
            operators.append([
                .number(step.isDepthwise ? 1 : 0, bytes: 4), .integers([current, weight, bias]), .integers([output]),
                .number(1, bytes: 1), .table(options),
            ])
            current = output
        }
        let codes: [[Field]] = [3, 4, 6].map { [.number($0, bytes: 1), .absent, .number(1, bytes: 4)] }
        let graph: [Field] = [.tables(tensors), .integers([0]), .integers([current]), .tables(operators)]
        return FlatBufferBuilder.file(
            identifier: "TFL3",
            root: [.number(3, bytes: 4), .tables(codes), .tables([graph]), .absent, .tables(buffers)])
    }

    /// The convolutions of a folded M-LSD with its weights, the way the published files hold them: output-last
    /// kernels, a fourth stem channel of zeros, activations fused.
    static func mlsdSteps(_ network: Network, _ weights: Weights) -> [Step] {
        var steps: [Step] = []
        for layer in network.layers {
            guard case .convolution(let c) = layer.operation, let old = weights[layer.path + ".weight"]?.floats(),
                let bias = weights[layer.path + ".bias"]?.floats()
            else { continue }
            let follower = network.layers.first { $0.inputs == layer.outputs }?.operation
            let isDepthwise = c.groups > 1
            let stored = steps.isEmpty ? 4 : c.inputChannels
            let area = c.kernel * c.kernel
            var weight: [Float] = []
            if isDepthwise {
                for i in 0..<area { for channel in 0..<c.outputChannels { weight.append(old[channel * area + i]) } }
            } else {
                for o in 0..<c.outputChannels {
                    for i in 0..<area {
                        for input in 0..<stored {
                            weight.append(input < c.inputChannels ? old[(o * c.inputChannels + input) * area + i] : 0)
                        }
                    }
                }
            }
            steps.append(
                Step(
                    shape: isDepthwise
                        ? [1, c.kernel, c.kernel, c.outputChannels] : [c.outputChannels, c.kernel, c.kernel, stored],
                    weight: weight, bias: bias, stride: c.stride, dilation: c.dilation,
                    activation: follower == .relu ? 1 : follower == .relu6 ? 3 : 0, isDepthwise: isDepthwise))
        }
        return steps
    }

    // MARK: - PyTorch

    /// Pickle instructions by name.
    struct Pickler {
        var bytes: [UInt8] = [0x80, 2]

        mutating func text(_ value: String) {
            bytes.append(UInt8(ascii: "X"))
            append(value.utf8.count, 4)
            bytes += Array(value.utf8)
        }

        mutating func integer(_ value: Int) {
            bytes.append(UInt8(ascii: "J"))
            append(value, 4)
        }

        mutating func global(_ module: String, _ name: String) { bytes += Array("c\(module)\n\(name)\n".utf8) }

        mutating func tuple(_ values: [Int]) {
            bytes.append(UInt8(ascii: "("))
            for value in values { integer(value) }
            bytes.append(UInt8(ascii: "t"))
        }

        mutating func raw(_ text: String) { bytes += Array(text.utf8) }

        mutating func tensor(_ tensor: Tensor, key: String, isStream: Bool, strides: [Int]? = nil) {
            global("torch._utils", "_rebuild_tensor_v2")
            raw("((")
            text("storage")
            global("torch", tensor.type == .i64 ? "LongStorage" : tensor.type == .f16 ? "HalfStorage" : "FloatStorage")
            text(key)
            text("cpu")
            integer(tensor.count)
            raw(isStream ? "NtQ" : "tQ")
            integer(0)
            tuple(tensor.shape)
            var standard: [Int] = []
            for axis in tensor.shape.indices { standard.append(tensor.shape[(axis + 1)...].reduce(1, *)) }
            tuple(strides ?? standard)
            bytes += [0x89]
            global("collections", "OrderedDict")
            raw(")RtR")
        }

        mutating func append(_ value: Int, _ width: Int) {
            for i in 0..<width { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * i))) }
        }
    }

    /// The state dictionary as a pickle, storages keyed by number in the order of names.
    static func statePickle(_ weights: Weights, isStream: Bool, prefix: String = "", wrapper: String? = nil) -> [UInt8]
    {
        var pickler = Pickler()
        if let wrapper {
            pickler.raw("}(")
            pickler.text("epoch")
            pickler.integer(7)
            pickler.text(wrapper)
        }
        pickler.global("collections", "OrderedDict")
        pickler.raw(")R(")
        for (index, name) in weights.names.enumerated() {
            guard let tensor = weights[name] else { continue }
            pickler.text(prefix + name)
            pickler.tensor(tensor, key: "\(index)", isStream: isStream)
        }
        pickler.raw(wrapper == nil ? "u." : "uu.")
        return pickler.bytes
    }

    /// The stream of pickles that PyTorch wrote before version 1.6.
    static func torchStream(_ weights: Weights, prefix: String = "", wrapper: String? = nil) -> [UInt8] {
        var file: [UInt8] = [0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E]
        file += [0x80, 2, UInt8(ascii: "M"), 0xE9, 0x03, 0x2E]
        var system = Pickler()
        system.raw("}(")
        system.text("little_endian")
        system.bytes.append(0x88)
        system.raw("u.")
        file += system.bytes + statePickle(weights, isStream: true, prefix: prefix, wrapper: wrapper)
        var keys = Pickler()
        keys.raw("](")
        for index in weights.names.indices { keys.text("\(index)") }
        keys.raw("e.")
        file += keys.bytes
        for name in weights.names {
            guard let tensor = weights[name] else { continue }
            var count = Pickler()
            count.append(tensor.count, 8)
            file += count.bytes.dropFirst(2) + Array(tensor.bytes)
        }
        return file
    }

    /// The zip archive that PyTorch writes since version 1.6.
    static func torchZip(_ weights: Weights, prefix: String = "", wrapper: String? = nil) -> [UInt8] {
        let pickle = statePickle(weights, isStream: false, prefix: prefix, wrapper: wrapper)
        var members = [("archive/data.pkl", pickle), ("archive/byteorder", Array("little".utf8))]
        for (index, name) in weights.names.enumerated() {
            members.append(("archive/data/\(index)", Array(weights[name]?.bytes ?? [])))
        }
        return zip(members)
    }

    static func zip(_ members: [(name: String, content: [UInt8])], method: Int = 0) -> [UInt8] {
        var file = Pickler(bytes: [])
        var directory = Pickler(bytes: [])
        for (name, content) in members {
            let offset = file.bytes.count
            let crc = Int(referenceCRC(content))
            file.append(0x0403_4B50, 4)
            for (value, width) in [
                (20, 2), (0, 2), (method, 2), (0, 4), (crc, 4), (content.count, 4), (content.count, 4),
            ] {
                file.append(value, width)
            }
            file.append(name.utf8.count, 2)
            file.append(3, 2)
            file.bytes += Array(name.utf8) + [0, 0, 0] + content
            directory.append(0x0201_4B50, 4)
            for (value, width) in [
                (20, 2), (20, 2), (0, 2), (method, 2), (0, 4), (crc, 4), (content.count, 4), (content.count, 4),
                (name.utf8.count, 2), (0, 2), (0, 2), (0, 8), (offset, 4),
            ] { directory.append(value, width) }
            directory.bytes += Array(name.utf8)
        }
        let start = file.bytes.count
        file.bytes += directory.bytes
        for (value, width) in [
            (0x0605_4B50, 4), (0, 4), (members.count, 2), (members.count, 2), (directory.bytes.count, 4), (start, 4),
            (0, 2),
        ] { file.append(value, width) }
        return file.bytes
    }

    /// Bit by bit, as the polynomial is defined.
    private static func referenceCRC(_ bytes: [UInt8]) -> UInt32 {
        var crc: UInt32 = ~0
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
        }
        return ~crc
    }
}
