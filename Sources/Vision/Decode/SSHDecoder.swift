// SPDX-License-Identifier: Apache-2.0
package import Annotations
package import Inference
package import Networks

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// SSH's decoding: the best boxes of each module relative to its anchors, then one suppression for all modules.
///
/// - Note: Shape: `mK.score` `[1, 4, h, w]` logits (two of background, two of face), `mK.box` `[1, 8, h, w]`, K = 1, 2, 3.
/// - Note: Source: the reference's proposal layer and test script: widths count whole pixels, no variances, boxes are
///   clipped to the picture.
package final class SSHDecoder: OutputDecoder {
    /// What counts as a face.
    package let options: BoxSelection
    private let modules: [Module]
    private let candidates: FaceCandidates

    /// Prepares for a model with `outputs`, built at an input of `size`.
    ///
    /// - Throws: `VisionError.Code.outputs`.
    package convenience init(
        outputs: [TensorInfo], size: InputSize, options: BoxSelection = .ssh
    ) throws(VisionError) {
        let candidates = FaceCandidates(
            capacity: SSH.strides.count * max(0, options.candidates), limit: options.limit,
            iouThreshold: options.iouThreshold)
        try self.init(outputs: outputs, size: size, options: options, modules: SSH.strides.count, into: candidates)
    }

    /// The finest `modules` of them, collecting into `candidates`, which other decoders may fill as well.
    init(
        outputs: [TensorInfo], size: InputSize, options: BoxSelection, modules: Int, into candidates: FaceCandidates
    ) throws(VisionError) {
        var made: [Module] = []
        for index in 0..<modules {
            made.append(try Module(index, outputs: outputs, size: size, options: options))
        }
        self.modules = made
        self.options = options
        self.candidates = candidates
    }

    /// The faces, best first, without landmarks; boxes lie inside the picture.
    ///
    /// Boxes that are not finite are no faces.
    package func decode(_ outputs: [TensorBuffer], placement: Placement) -> [Face] {
        candidates.removeAll()
        collect(outputs, placement: placement)
        return candidates.faces()
    }

    /// Adds the best boxes to the candidates.
    func collect(_ outputs: [TensorBuffer], placement: Placement) {
        for module in modules {
            guard let scores = outputs[module.scoreIndex].floats.baseAddress,
                let boxes = outputs[module.boxIndex].floats.baseAddress
            else { continue }
            module.collect(scores, boxes, placement, into: candidates)
        }
    }

    func decode(_ maps: [(scores: UnsafePointer<Float>, boxes: UnsafePointer<Float>)], placement: Placement) -> [Face] {
        candidates.removeAll()
        for (module, map) in zip(modules, maps) { module.collect(map.scores, map.boxes, placement, into: candidates) }
        return candidates.faces()
    }
}

/// One detection module's maps.
private final class Module {
    let scoreIndex: Int
    let boxIndex: Int
    private let rows: Int
    private let columns: Int
    private let stride: Int
    private let sides: [Int]
    private let best: TopK
    /// The least difference of the two logits that gives a score above the threshold.
    private let threshold: Float

    init(_ index: Int, outputs: [TensorInfo], size: InputSize, options: BoxSelection) throws(VisionError) {
        stride = SSH.strides[index]
        sides = SSH.anchorSizes[index]
        (rows, columns) = SSH.cells(at: size, stride: stride)
        scoreIndex = try outputs.position(of: "m\(index + 1).score", shape: [1, 4, rows, columns])
        boxIndex = try outputs.position(of: "m\(index + 1).box", shape: [1, 8, rows, columns])
        best = options.best(of: 2 * rows * columns)
        threshold = logf(options.scoreThreshold / (1 - options.scoreThreshold))
    }

    func collect(
        _ scores: UnsafePointer<Float>, _ boxes: UnsafePointer<Float>, _ placement: Placement,
        into candidates: FaceCandidates
    ) {
        let area = rows * columns
        best.removeAll()
        for anchor in 0..<2 {
            let background = scores + anchor * area
            let face = scores + (2 + anchor) * area
            for cell in 0..<area {
                let margin = face[cell] - background[cell]
                if margin > threshold { best.offer(margin, 2 &* cell &+ anchor) }
            }
        }
        best.sort()
        for position in 0..<best.count {
            if let box = box(boxes, best[position], placement) { candidates.add(box) }
        }
    }

    private func box(_ boxes: UnsafePointer<Float>, _ entry: TopK.Entry, _ placement: Placement) -> ScoredBox? {
        let (cell, anchor) = (Int(entry.index) / 2, Int(entry.index) % 2)
        let area = rows * columns
        let values = boxes + 4 * anchor * area + cell
        let side = Float(sides[anchor])
        let x = values[0] * side + Float(cell % columns * stride) + SSH.anchorCentre
        let y = values[area] * side + Float(cell / columns * stride) + SSH.anchorCentre
        let width = Self.exponential(values[2 * area]) * side
        let height = Self.exponential(values[3 * area]) * side
        let (left, top) = (Float(placement.x), Float(placement.y))
        let (right, bottom) = (left + Float(placement.width - 1), top + Float(placement.height - 1))
        // A NaN must not be clipped to a corner.
        guard (x + y + width + height).isFinite else { return nil }
        let from = placement.source(x: clip(x - width / 2, left, right), y: clip(y - height / 2, top, bottom))
        let to = placement.source(x: clip(x + width / 2, left, right), y: clip(y + height / 2, top, bottom))
        return ScoredBox(
            left: from.x, top: from.y, right: to.x, bottom: to.y, score: entry.score, index: entry.index)
    }

    /// As the reference has it: what would overflow becomes large, not infinite.
    private static func exponential(_ value: Float) -> Float { expf(value > 50 ? 5 : value) }

    private func clip(_ value: Float, _ low: Float, _ high: Float) -> Float { min(max(value, low), high) }
}
