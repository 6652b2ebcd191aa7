// SPDX-License-Identifier: Apache-2.0
#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Runs a network with plain loops: what each kind of layer means, as code that engines are checked against.
///
/// - Note: Shape: batch 1 for images.
/// - Note: Thread-safety: an immutable value. Slow by design: about one second per thousand million MACs.
public struct ReferenceExecutor: Sendable {
    private let network: Network
    private let weights: Weights

    /// Takes the network as it is: `weights` must be the ones it names.
    public init(network: Network, weights: Weights) {
        self.network = network
        self.weights = weights
    }

    /// Output values by name, for input values by name; indices come as floats.
    ///
    /// - Throws: `NetworkError.Code.weights` or `.shape` naming a tensor or an input that is missing or of another size.
    public func run(_ inputs: [String: [Float]]) throws(NetworkError) -> [String: [Float]] {
        var values: [Int: [Float]] = [:]
        for port in network.inputs {
            guard let input = inputs[port.name], input.count == elementCount(port.shape) else {
                throw NetworkError(.shape, path: port.name, "an input of \(dimensions(port.shape)) is needed")
            }
            values[port.value] = input
        }
        for layer in network.layers {
            var parameters: [[Float]] = []
            for parameter in layer.parameters { parameters.append(try numbers(parameter)) }
            if layer.weightScale != nil { Self.dequantise(&parameters) }
            // A layer reads only what earlier ones made.
            let results = Self.evaluate(
                layer.operation, layer.inputs.map { values[$0] ?? [] }, layer.inputs.map { network.shapes[$0] },
                network.shapes[layer.outputs[0]], parameters)
            for (value, result) in zip(layer.outputs, results) { values[value] = result }
        }
        var outputs: [String: [Float]] = [:]
        for port in network.outputs { outputs[port.name] = values[port.value] }
        return outputs
    }

    private func numbers(_ parameter: Parameter) throws(NetworkError) -> [Float] {
        guard let tensor = weights[parameter.name], tensor.shape == parameter.shape,
            let all = parameter.storage == .int8 ? tensor.integers() : tensor.floats()
        else {
            throw NetworkError(.weights, path: parameter.name, "is missing or of another shape")
        }
        guard let rows = parameter.rows else { return all }
        let row = all.count / parameter.shape[0]
        return Array(all[(rows.lowerBound * row)..<(rows.upperBound * row)])
    }

    /// The kernel's integers times their row's scale; the scales, last in the list, have done their work then.
    private static func dequantise(_ parameters: inout [[Float]]) {
        let scales = parameters.removeLast()
        let row = parameters[0].count / scales.count
        for i in parameters[0].indices { parameters[0][i] *= scales[i / row] }
    }

    private static func evaluate(
        _ operation: LayerOperation, _ x: [[Float]], _ shapes: [[Int]], _ out: [Int], _ w: [[Float]]
    ) -> [[Float]] {
        let a = x[0]
        let s = shapes[0]
        let total = out.reduce(1, *)
        switch operation {
        case .convolution(let c): return [convolution(c, a, s, out, w)]
        case .transposedConvolution(let c): return [transposedConvolution(c, a, s, out, w)]
        case .bilinearDeconvolution: return [bilinearDeconvolution(a, s, out)]
        case .batchNorm(let epsilon):
            let area = s[2] * s[3]
            return [
                a.indices.map { (i: Int) -> Float in
                    let c = i / area % s[1]
                    let deviation = (w[3][c] + epsilon).squareRoot()
                    return (a[i] - w[2][c]) / deviation * w[0][c] + w[1][c]
                }
            ]
        case .relu: return [a.map { max($0, 0) }]
        case .relu6: return [a.map { min(max($0, 0), 6) }]
        case .leakyRelu(let slope): return [a.map { $0 < 0 ? $0 * slope : $0 }]
        case .sigmoid: return [a.map { 1 / (1 + exponential(-$0)) }]
        case .tanh: return [a.map { 1 - 2 / (exponential(2 * $0) + 1) }]
        case .softmax(let axis):
            var result = a
            for lane in lanes(s, axis) {
                let top = lane.map { a[$0] }.max() ?? 0
                let sum = lane.reduce(Float(0)) { $0 + exponential(a[$1] - top) }
                for i in lane { result[i] = exponential(a[i] - top) / sum }
            }
            return [result]
        case .add: return [combine(x, shapes, out, +)]
        case .subtract: return [combine(x, shapes, out, -)]
        case .multiply: return [combine(x, shapes, out, *)]
        case .affine(let scale, let offset):
            let area = s[2] * s[3]
            return [
                a.indices.map { (i: Int) -> Float in
                    let c = i / area % s[1]
                    return a[i] * scale[c] + offset[c]
                }
            ]
        case .concat(let axis):
            return [
                (0..<total).map { (i: Int) -> Float in
                    var index = unflatten(i, out)
                    var part = 0
                    while index[axis] >= shapes[part][axis] {
                        index[axis] -= shapes[part][axis]
                        part += 1
                    }
                    return x[part][flatten(index, shapes[part])]
                }
            ]
        case .resize(let mode, let height, let width): return [resize(mode, a, s, height, width)]
        case .maxPool(let p), .averagePool(let p):
            let isMax = if case .maxPool = operation { true } else { false }
            return [pool(p, isMax, a, s, out)]
        case .globalAveragePool:
            let area = s[2] * s[3]
            return [(0..<s[1]).map { (c: Int) -> Float in a[(c * area)..<((c + 1) * area)].reduce(0, +) / Float(area) }]
        case .slice(let axis, let range):
            return [
                (0..<total).map { (i: Int) -> Float in
                    var index = unflatten(i, out)
                    index[axis] += range.lowerBound
                    return a[flatten(index, s)]
                }
            ]
        case .transpose(let order):
            return [
                (0..<total).map { (i: Int) -> Float in
                    var index = [Int](repeating: 0, count: s.count)
                    for (position, extent) in zip(order, unflatten(i, out)) { index[position] = extent }
                    return a[flatten(index, s)]
                }
            ]
        case .reshape: return [a]
        case .topK(let count, let axis):
            var values = [Float](repeating: 0, count: total)
            var indices = values
            for (lane, target) in zip(lanes(s, axis), lanes(out, axis)) {
                let order = lane.indices.sorted { a[lane[$0]] == a[lane[$1]] ? $0 < $1 : a[lane[$0]] > a[lane[$1]] }
                for k in 0..<count {
                    values[target[k]] = a[lane[order[k]]]
                    indices[target[k]] = Float(order[k])
                }
            }
            return [values, indices]
        case .quantise(let q): return [a.map { q.quantised($0) }]
        case .dequantise(let q): return [a.map { q.dequantised($0) }]
        case .complement: return [a.map { 1 - $0 }]
        case .clip(let low, let high): return [a.map { min(max($0, low), high) }]
        case .linear(let l):
            return [
                (0..<total).map { (i: Int) -> Float in
                    let (row, output) = (i / l.outputs * l.inputs, i % l.outputs)
                    return (0..<l.inputs).reduce(w.count > 1 ? w[1][output] : 0) { (sum: Float, input: Int) -> Float in
                        sum + a[row + input] * w[0][output * l.inputs + input]
                    }
                }
            ]
        case .layerNorm(let epsilon):
            var result = a
            for lane in lanes(s, s.count - 1) {
                let mean = lane.reduce(Float(0)) { $0 + a[$1] } / Float(lane.count)
                let variance = lane.reduce(Float(0)) { $0 + (a[$1] - mean) * (a[$1] - mean) } / Float(lane.count)
                for (c, i) in lane.enumerated() {
                    result[i] = (a[i] - mean) / (variance + epsilon).squareRoot() * w[0][c] + w[1][c]
                }
            }
            return [result]
        case .scale: return [a.indices.map { a[$0] * w[0][$0 % w[0].count] }]
        case .split(let axis, let sizes):
            var start = 0
            return sizes.map { size in
                var shape = s
                shape[axis] = size
                defer { start += size }
                return (0..<shape.reduce(1, *)).map { (i: Int) -> Float in
                    var index = unflatten(i, shape)
                    index[axis] += start
                    return a[flatten(index, s)]
                }
            }
        case .spaceToDepth(let block):
            return [
                (0..<total).map { (i: Int) -> Float in
                    let index = unflatten(i, out)
                    let (channel, cell) = (index[1] / (block * block), index[1] % (block * block))
                    return a[
                        flatten(
                            [index[0], channel, index[2] * block + cell / block, index[3] * block + cell % block], s)]
                }
            ]
        case .depthToSpace(let block):
            return [
                (0..<total).map { (i: Int) -> Float in
                    let index = unflatten(i, out)
                    let channel = (index[1] * block + index[2] % block) * block + index[3] % block
                    return a[flatten([index[0], channel, index[2] / block, index[3] / block], s)]
                }
            ]
        case .bidirectionalScan(let axis):
            var result = [Double](repeating: 0, count: total)
            for lane in lanes(s, axis) {
                for order in [lane, lane.reversed()] {
                    var state = 0.0
                    for i in order {
                        state = Double(a[i]) * state + Double(x[1][i])
                        result[i] += state
                    }
                }
            }
            return [result.map { Float($0) }]
        }
    }

    /// Elementwise with extents of 1 repeating.
    private static func combine(
        _ x: [[Float]], _ shapes: [[Int]], _ out: [Int], _ function: (Float, Float) -> Float
    ) -> [Float] {
        func index(_ i: Int, _ shape: [Int]) -> Int {
            flatten(zip(unflatten(i, out), shape).map { $1 == 1 ? 0 : $0 }, shape)
        }
        return (0..<out.reduce(1, *)).map { (i: Int) -> Float in
            function(x[0][index(i, shapes[0])], x[1][index(i, shapes[1])])
        }
    }

    // MARK: - Windows

    private static func convolution(
        _ c: Convolution, _ x: [Float], _ s: [Int], _ out: [Int], _ w: [[Float]]
    ) -> [Float] {
        let perGroup = c.inputChannels / c.groups
        let outPerGroup = c.outputChannels / c.groups
        let k = c.kernel
        let columns = (0..<k).map { kx in
            // Output columns whose tap lies inside the image.
            let shift = kx * c.dilation - c.padding.left
            let first = max(0, (c.stride - 1 - shift) / c.stride)
            return (shift, first, min(out[3], max(first, (s[3] - 1 - shift + c.stride) / c.stride)))
        }
        var result = [Float](repeating: 0, count: out.reduce(1, *))
        x.withUnsafeBufferPointer { x in
            result.withUnsafeMutableBufferPointer { result in
                for o in 0..<c.outputChannels {
                    for oy in 0..<out[2] {
                        let row = UnsafeMutableBufferPointer(
                            rebasing: result[((o * out[2] + oy) * out[3])..<((o * out[2] + oy + 1) * out[3])])
                        row.update(repeating: w.count > 1 ? w[1][o] : 0)
                        for i in 0..<perGroup {
                            for ky in 0..<k {
                                let y = oy * c.stride + ky * c.dilation - c.padding.top
                                guard y >= 0, y < s[2] else { continue }
                                let line = ((o / outPerGroup * perGroup + i) * s[2] + y) * s[3]
                                let taps: Int = ((o * perGroup + i) * k + ky) * k
                                for (kx, (shift, first, end)) in columns.enumerated() {
                                    let factor = w[0][taps + kx]
                                    var column = first
                                    while column < end {
                                        let tap: Int = line &+ column &* c.stride &+ shift
                                        row[column] += x[tap] * factor
                                        column &+= 1
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        return result
    }

    private static func transposedConvolution(
        _ c: TransposedConvolution, _ x: [Float], _ s: [Int], _ out: [Int], _ w: [[Float]]
    ) -> [Float] {
        let inPerGroup = c.inputChannels / c.groups
        let outPerGroup = c.outputChannels / c.groups
        var result = [Float](repeating: 0, count: out.reduce(1, *))
        if w.count > 1 { for i in result.indices { result[i] = w[1][i / (out[2] * out[3])] } }
        for i in 0..<c.inputChannels {
            for o in 0..<outPerGroup {
                let channel = i / inPerGroup * outPerGroup + o
                for y in 0..<s[2] {
                    for xx in 0..<s[3] {
                        for ky in 0..<c.kernel {
                            for kx in 0..<c.kernel {
                                let oy = y * c.stride + ky - c.padding.top
                                let ox = xx * c.stride + kx - c.padding.left
                                guard oy >= 0, oy < out[2], ox >= 0, ox < out[3] else { continue }
                                let value: Float = x[(i * s[2] + y) * s[3] + xx]
                                let factor: Float = w[0][((i * outPerGroup + o) * c.kernel + ky) * c.kernel + kx]
                                result[(channel * out[2] + oy) * out[3] + ox] += value * factor
                            }
                        }
                    }
                }
            }
        }
        return result
    }

    private static func bilinearDeconvolution(_ x: [Float], _ s: [Int], _ out: [Int]) -> [Float] {
        let line: [Float] = [0.25, 0.75, 0.75, 0.25]
        var result = [Float](repeating: 0, count: out.reduce(1, *))
        for (i, value) in x.enumerated() {
            let (c, y, xx) = (i / (s[2] * s[3]), i / s[3] % s[2], i % s[3])
            for ky in 0..<4 where (0..<out[2]).contains(2 * y + ky - 1) {
                for kx in 0..<4 where (0..<out[3]).contains(2 * xx + kx - 1) {
                    result[(c * out[2] + 2 * y + ky - 1) * out[3] + 2 * xx + kx - 1] += value * line[ky] * line[kx]
                }
            }
        }
        return result
    }

    private static func pool(_ p: Pooling, _ isMax: Bool, _ x: [Float], _ s: [Int], _ out: [Int]) -> [Float] {
        (0..<out.reduce(1, *)).map { (i: Int) -> Float in
            let index = unflatten(i, out)
            var found: [Float] = []
            var positions = 0
            for ky in 0..<p.kernel {
                for kx in 0..<p.kernel {
                    let y = index[2] * p.stride + ky - p.padding.top
                    let xx = index[3] * p.stride + kx - p.padding.left
                    if y < s[2] + p.padding.bottom, xx < s[3] + p.padding.right { positions += 1 }
                    guard y >= 0, y < s[2], xx >= 0, xx < s[3] else { continue }
                    found.append(x[(index[1] * s[2] + y) * s[3] + xx])
                }
            }
            if isMax { return found.max() ?? -.infinity }
            return found.reduce(0, +) / Float(p.countsPadding ? positions : found.count)
        }
    }

    private static func resize(_ mode: Resampling, _ x: [Float], _ s: [Int], _ height: Int, _ width: Int) -> [Float] {
        func source(_ i: Int, _ from: Int, _ to: Int) -> Float {
            switch mode {
            case .bilinear: (Float(i) + 0.5) * Float(from) / Float(to) - 0.5
            case .bilinearAlignedCorners: to == 1 ? 0 : Float(i) * Float(from - 1) / Float(to - 1)
            case .nearest: Float(i * from / to)
            }
        }
        var result: [Float] = []
        for c in 0..<s[1] {
            for y in 0..<height {
                for xx in 0..<width {
                    let sy = min(max(source(y, s[2], height), 0), Float(s[2] - 1))
                    let sx = min(max(source(xx, s[3], width), 0), Float(s[3] - 1))
                    let (y0, x0) = (Int(sy), Int(sx))
                    let (y1, x1) = (min(y0 + 1, s[2] - 1), min(x0 + 1, s[3] - 1))
                    let (fy, fx) = (sy - Float(y0), sx - Float(x0))
                    func blend(_ row: Int) -> Float {
                        let start = (c * s[2] + row) * s[3]
                        return x[start + x0] * (1 - fx) + x[start + x1] * fx
                    }
                    result.append(blend(y0) * (1 - fy) + blend(y1) * fy)
                }
            }
        }
        return result
    }

    // MARK: - Indices

    private static func flatten(_ index: [Int], _ shape: [Int]) -> Int {
        zip(index, shape).reduce(0) { $0 * $1.1 + $1.0 }
    }

    private static func unflatten(_ flat: Int, _ shape: [Int]) -> [Int] {
        var rest = flat
        var index = shape
        for axis in shape.indices.reversed() {
            index[axis] = rest % shape[axis]
            rest /= shape[axis]
        }
        return index
    }

    /// The flat indices of every line of elements along an axis.
    private static func lanes(_ shape: [Int], _ axis: Int) -> [[Int]] {
        let inner = shape[(axis + 1)...].reduce(1, *)
        let outer = shape[..<axis].reduce(1, *)
        var result: [[Int]] = []
        for o in 0..<outer {
            for i in 0..<inner { result.append((0..<shape[axis]).map { (o * shape[axis] + $0) * inner + i }) }
        }
        return result
    }

    private static func exponential(_ x: Float) -> Float { Float(exp(Double(x))) }
}
