// SPDX-License-Identifier: Apache-2.0

extension LayerOperation {
    /// The shapes this operation makes of its inputs' shapes.
    ///
    /// - Throws: `NetworkError.Code.shape` without a path; the builder adds the layer's.
    func outputShapes(_ inputs: [[Int]]) throws(NetworkError) -> [[Int]] {
        try checkArity(inputs.count)
        let x = inputs[0]
        switch self {
        case .convolution(let c):
            let (n, h, w) = try image(x, channels: c.inputChannels)
            try check(
                c.groups > 0 && c.inputChannels % c.groups == 0 && c.outputChannels % c.groups == 0,
                "\(c.groups) groups do not divide \(c.inputChannels) and \(c.outputChannels) channels")
            return [
                [
                    n, c.outputChannels,
                    try window(h, c.kernel, c.stride, c.padding.top, c.padding.bottom, c.dilation, roundsUp: false),
                    try window(w, c.kernel, c.stride, c.padding.left, c.padding.right, c.dilation, roundsUp: false),
                ]
            ]
        case .transposedConvolution(let c):
            let (n, h, w) = try image(x, channels: c.inputChannels)
            try check(
                c.groups > 0 && c.inputChannels % c.groups == 0 && c.outputChannels % c.groups == 0,
                "\(c.groups) groups do not divide \(c.inputChannels) and \(c.outputChannels) channels")
            let height = (h - 1) * c.stride + c.kernel + c.outputPadding - c.padding.top - c.padding.bottom
            let width = (w - 1) * c.stride + c.kernel + c.outputPadding - c.padding.left - c.padding.right
            try check(height > 0 && width > 0, "padding leaves no output")
            return [[n, c.outputChannels, height, width]]
        case .bilinearDeconvolution:
            let (n, h, w) = try image(x, channels: nil)
            return [[n, x[1], 2 * h, 2 * w]]
        case .batchNorm, .globalAveragePool:
            let (n, _, _) = try image(x, channels: nil)
            return self == .globalAveragePool ? [[n, x[1], 1, 1]] : [x]
        case .relu, .relu6, .leakyRelu, .sigmoid, .tanh, .complement, .clip, .layerNorm, .scale,
            .quantise, .dequantise:
            return [x]
        case .softmax(let axis):
            try check(x.indices.contains(axis), "no axis \(axis) in \(dimensions(x))")
            return [x]
        case .add, .subtract, .multiply:
            return [try broadcast(x, inputs[1])]
        case .affine(let scale, let offset):
            let (_, _, _) = try image(x, channels: scale.count)
            try check(scale.count == offset.count, "\(scale.count) scales but \(offset.count) offsets")
            return [x]
        case .concat(let axis):
            return [try concatenated(inputs, axis: axis)]
        case .resize(_, let height, let width):
            let (n, _, _) = try image(x, channels: nil)
            try check(height > 0 && width > 0, "cannot resize to \(width)x\(height)")
            return [[n, x[1], height, width]]
        case .maxPool(let p), .averagePool(let p):
            let (n, h, w) = try image(x, channels: nil)
            return [
                [
                    n, x[1],
                    try window(h, p.kernel, p.stride, p.padding.top, p.padding.bottom, 1, roundsUp: p.roundsUp),
                    try window(w, p.kernel, p.stride, p.padding.left, p.padding.right, 1, roundsUp: p.roundsUp),
                ]
            ]
        case .slice(let axis, let range):
            try check(x.indices.contains(axis), "no axis \(axis) in \(dimensions(x))")
            try check(
                range.lowerBound >= 0 && range.upperBound <= x[axis] && !range.isEmpty,
                "cannot keep \(range.lowerBound)..<\(range.upperBound) of \(x[axis])")
            var shape = x
            shape[axis] = range.count
            return [shape]
        case .transpose(let order):
            try check(order.sorted() == Array(x.indices), "\(order) does not reorder the axes of \(dimensions(x))")
            return [order.map { x[$0] }]
        case .reshape(let target):
            return [try reshaped(x, to: target)]
        case .topK(let count, let axis):
            try check(x.indices.contains(axis), "no axis \(axis) in \(dimensions(x))")
            try check(count > 0 && count <= x[axis], "cannot take the top \(count) of \(x[axis])")
            var shape = x
            shape[axis] = count
            return [shape, shape]
        case .linear(let l):
            try check(x.last == l.inputs, "expected \(l.inputs) along the last axis, got \(dimensions(x))")
            return [x.dropLast() + [l.outputs]]
        case .split(let axis, let sizes):
            try check(x.indices.contains(axis), "no axis \(axis) in \(dimensions(x))")
            try check(
                sizes.allSatisfy { $0 > 0 } && sizes.reduce(0, +) == x[axis], "cannot cut \(x[axis]) into \(sizes)")
            return sizes.map { size in
                var shape = x
                shape[axis] = size
                return shape
            }
        case .spaceToDepth(let block):
            let (n, h, w) = try image(x, channels: nil)
            try check(block > 0 && h % block == 0 && w % block == 0, "\(w)x\(h) is not made of squares of \(block)")
            return [[n, x[1] * block * block, h / block, w / block]]
        case .depthToSpace(let block):
            let (n, h, w) = try image(x, channels: nil)
            try check(block > 0 && x[1] % (block * block) == 0, "\(x[1]) channels do not fill squares of \(block)")
            return [[n, x[1] / (block * block), h * block, w * block]]
        case .bidirectionalScan(let axis):
            try check(x.indices.contains(axis), "no axis \(axis) in \(dimensions(x))")
            try check(x == inputs[1], "cannot scan \(dimensions(x)) and \(dimensions(inputs[1])) together")
            return [x]
        }
    }

    /// Multiply-accumulates of convolutions and matrix products; everything else counts as free, as in the papers.
    func multiplyAccumulates(input: [Int], output: [Int]) -> Int {
        switch self {
        case .convolution(let c):
            return output.reduce(1, *) * (c.inputChannels / c.groups) * c.kernel * c.kernel
        case .transposedConvolution(let c):
            return input.reduce(1, *) * (c.outputChannels / c.groups) * c.kernel * c.kernel
        case .bilinearDeconvolution: return input.reduce(1, *) * Self.bilinearKernel.count
        case .linear(let l): return output.reduce(1, *) * l.inputs
        default: return 0
        }
    }

    // MARK: - Checks

    private func checkArity(_ count: Int) throws(NetworkError) {
        let expected: ClosedRange<Int>
        switch self {
        case .add, .subtract, .multiply, .bidirectionalScan: expected = 2...2
        case .concat: expected = 1...Int.max
        default: expected = 1...1
        }
        try check(expected.contains(count), "expected \(expected.lowerBound) inputs, got \(count)")
    }

    private func check(_ condition: Bool, _ detail: @autoclosure () -> String) throws(NetworkError) {
        guard condition else { throw NetworkError(.shape, detail()) }
    }

    private func image(_ shape: [Int], channels: Int?) throws(NetworkError) -> (n: Int, h: Int, w: Int) {
        try check(shape.count == 4, "expected N x C x H x W, got \(dimensions(shape))")
        if let channels { try check(shape[1] == channels, "expected \(channels) channels, got \(shape[1])") }
        return (shape[0], shape[2], shape[3])
    }

    private func window(
        _ extent: Int, _ kernel: Int, _ stride: Int, _ before: Int, _ after: Int, _ dilation: Int, roundsUp: Bool
    ) throws(NetworkError) -> Int {
        try check(kernel > 0 && stride > 0 && dilation > 0 && before >= 0 && after >= 0, "impossible window")
        let span = extent + before + after - (dilation * (kernel - 1) + 1)
        try check(span >= 0, "a window of \(dilation * (kernel - 1) + 1) does not fit \(extent + before + after)")
        guard roundsUp else { return span / stride + 1 }
        let count = (span + stride - 1) / stride + 1
        // A window that would start in the padding behind the image does not exist.
        return (count - 1) * stride >= extent + before ? count - 1 : count
    }

    private func broadcast(_ a: [Int], _ b: [Int]) throws(NetworkError) -> [Int] {
        try check(a.count == b.count, "cannot combine \(dimensions(a)) and \(dimensions(b))")
        var shape: [Int] = []
        for (left, right) in zip(a, b) {
            try check(left == right || left == 1 || right == 1, "cannot combine \(dimensions(a)) and \(dimensions(b))")
            shape.append(max(left, right))
        }
        return shape
    }

    private func concatenated(_ inputs: [[Int]], axis: Int) throws(NetworkError) -> [Int] {
        var shape = inputs[0]
        try check(shape.indices.contains(axis), "no axis \(axis) in \(dimensions(shape))")
        for other in inputs.dropFirst() {
            try check(
                other.count == shape.count && shape.indices.allSatisfy { $0 == axis || shape[$0] == other[$0] },
                "cannot join \(dimensions(inputs[0])) and \(dimensions(other)) along axis \(axis)")
            shape[axis] += other[axis]
        }
        return shape
    }

    private func reshaped(_ shape: [Int], to target: [Int]) throws(NetworkError) -> [Int] {
        let total = shape.reduce(1, *)
        let known = target.filter { $0 != -1 }
        try check(target.count - known.count <= 1 && known.allSatisfy { $0 > 0 }, "cannot reshape to \(target)")
        let product = known.reduce(1, *)
        try check(
            known.count == target.count ? product == total : total % product == 0,
            "cannot reshape \(dimensions(shape)) to \(target)")
        return target.map { $0 == -1 ? total / product : $0 }
    }
}
