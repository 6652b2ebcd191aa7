// SPDX-License-Identifier: Apache-2.0
internal import Inference

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Compares an output of a network with a reference's, and finds which usual mistake turns one into the other.
struct OutputParity {
    private static let tolerance = 1e-2
    let info: TensorInfo
    let values: [Float]
    /// The other outputs of the same shape, by name.
    let others: [(name: String, values: [Float])]

    func stage(_ reference: (shape: [Int], values: [Float])) -> ParityReport.Stage {
        let name = "output \(info.name)"
        let (theirs, shape) = (reference.values, reference.shape)
        if theirs.count == values.count, Self.squeezed(shape) == Self.squeezed(info.shape) {
            let apart = Self.difference(theirs, values)
            if apart <= Self.tolerance { return .init(name, agrees: true, Self.text(apart)) }
            return .init(name, agrees: false, Self.text(apart), causes: causes(theirs, shape))
        }
        let text = "the reference is \(shape), the node's \(info.shape)"
        return .init(name, agrees: false, text, causes: shapeCauses(theirs, shape))
    }

    private func causes(_ theirs: [Float], _ shape: [Int]) -> [String] {
        var causes = permutations(theirs, shape)
        func agrees(_ a: [Float], _ b: [Float]) -> Bool { Self.difference(a, b) <= Self.tolerance }
        if let other = others.first(where: { agrees(theirs, $0.values) }) {
            causes.append("exchanged outputs: the reference has what the model calls \(other.name)")
        }
        if agrees(theirs.map(Self.logistic), values) {
            causes.append(
                "missing activation: the reference has logits, the node what the logistic function makes of them")
        } else if agrees(theirs, values.map(Self.logistic)) {
            causes.append("activation twice: the reference has the logistic function of the node's numbers")
        }
        if causes.isEmpty, let ratio = Self.ratio(theirs, values), agrees(theirs.map { $0 * Float(ratio) }, values) {
            causes.append("scale: the node's numbers are \(brief(ratio)) times the reference's")
        }
        let none = "none of the usual mistakes explains it: other weights, or another graph (vpipe models verify)"
        return causes.isEmpty ? [none] : causes
    }

    private func shapeCauses(_ theirs: [Float], _ shape: [Int]) -> [String] {
        if theirs.count == values.count {
            let found = permutations(theirs, shape)
            return found.isEmpty ? ["other axes, and not a permutation of the node's"] : found
        }
        let (a, b) = (shape, info.shape)
        if a.count == 4, b.count == 4, a[1] == b[1], a[2] > 0, a[3] > 0 {
            let (down, across) = (Double(b[2]) / Double(a[2]), Double(b[3]) / Double(a[3]))
            if abs(down - across) < 0.05 * down {
                return ["wrong stride: the reference's map has \(brief(1 / down)) times the node's rows and columns"]
            }
        }
        return ["another number of rows: another input size, other anchors, or another model"]
    }

    /// Orders of the axes in which the reference is the node's output.
    private func permutations(_ theirs: [Float], _ shape: [Int]) -> [String] {
        let (from, to) = (Self.squeezed(shape), Self.squeezed(info.shape))
        guard from.count == to.count, (2...4).contains(from.count) else { return [] }
        for order in Self.orders(from.count) where order != Array(from.indices) && order.map({ from[$0] }) == to {
            if Self.difference(Self.transposed(theirs, from, order), values) <= Self.tolerance {
                return ["transposed axes: the reference's \(from) becomes the node's \(to) in the order \(order)"]
            }
        }
        // Moved by reshaping alone: the same numbers in the same order under another shape.
        if from != to, Self.difference(theirs, values) <= Self.tolerance {
            return ["transposed axes: the same numbers in the same order under another shape"]
        }
        return []
    }

    // MARK: - Arithmetic

    /// The largest difference over the largest number of the reference.
    private static func difference(_ a: [Float], _ b: [Float]) -> Double {
        guard a.count == b.count else { return .infinity }
        var (gap, scale): (Float, Float) = (0, 0)
        for (x, y) in zip(a, b) {
            guard x.isFinite, y.isFinite else { return .infinity }
            gap = max(gap, abs(x - y))
            scale = max(scale, abs(x))
        }
        return gap == 0 ? 0 : scale == 0 ? .infinity : Double(gap / scale)
    }

    private static func logistic(_ x: Float) -> Float { 1 / (1 + expf(-x)) }

    /// The factor between two tensors, from their largest numbers.
    private static func ratio(_ a: [Float], _ b: [Float]) -> Double? {
        let (top, other) = (a.reduce(0) { max($0, abs($1)) }, b.reduce(0) { max($0, abs($1)) })
        return top > 0 && other > 0 ? Double(other / top) : nil
    }

    private static func squeezed(_ shape: [Int]) -> [Int] { shape.filter { $0 != 1 } }

    private static func orders(_ count: Int) -> [[Int]] {
        guard count > 0 else { return [[]] }
        return orders(count - 1).flatMap { order in (0..<count).map { Array(order[..<$0]) + [count - 1] + order[$0...] }
        }
    }

    private static func transposed(_ values: [Float], _ shape: [Int], _ order: [Int]) -> [Float] {
        var strides = [Int](repeating: 1, count: shape.count)
        for axis in shape.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] * shape[axis + 1] }
        let target = order.map { shape[$0] }
        return values.indices.map { flat in
            var (rest, source) = (flat, 0)
            for axis in target.indices.reversed() {
                source += rest % target[axis] * strides[order[axis]]
                rest /= target[axis]
            }
            return values[source]
        }
    }

    private static func text(_ apart: Double) -> String { "largest relative difference \(brief(apart))" }
}
