// SPDX-License-Identifier: Apache-2.0
package import Annotations
package import Inference
package import Networks

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// RetinaFace's decoding: boxes and landmarks relative to anchors, then greedy suppression of overlapping boxes.
///
/// - Note: Shape: `loc` `[1, A, 4]`, `conf` `[1, A, 2]` (background, face), `landms` `[1, A, 10]`.
/// - Note: Source: the reference's detection script; areas count whole pixels (`x2 - x1 + 1`) of the source picture.
package final class FaceDecoder: OutputDecoder {
    /// A square in network pixels.
    struct Anchor: Equatable {
        var x: Float
        var y: Float
        var side: Float
    }

    /// What counts as a face.
    package let options: BoxSelection
    private let indices: (location: Int, confidence: Int, landmarks: Int)
    private let anchors: UnsafeMutableBufferPointer<Anchor>
    private let best: TopK
    private let suppression: BoxSuppression

    /// Prepares for a model with `outputs`, built at an input of `size` for `family`'s anchors.
    ///
    /// - Throws: `VisionError.Code.outputs`.
    package init(
        outputs: [TensorInfo], size: InputSize, family: RetinaFace.Family, options: BoxSelection = .retinaFace
    ) throws(VisionError) {
        let made = Self.anchors(size: size, family: family)
        indices = (
            try outputs.position(of: "loc", shape: [1, made.count, 4]),
            try outputs.position(of: "conf", shape: [1, made.count, 2]),
            try outputs.position(of: "landms", shape: [1, made.count, 10])
        )
        self.options = options
        anchors = .allocate(capacity: made.count)
        _ = anchors.initialize(from: made)
        best = options.best(of: made.count)
        suppression = BoxSuppression(limit: min(options.limit, best.capacity), iouThreshold: options.iouThreshold)
    }

    deinit { anchors.deallocate() }

    /// The anchors in the order of the output's rows: strides, rows, columns, sizes.
    static func anchors(size: InputSize, family: RetinaFace.Family) -> [Anchor] {
        var anchors: [Anchor] = []
        for (stride, sides) in zip(RetinaFace.strides, family.anchorSizes) {
            for row in 0..<(size.height + stride - 1) / stride {
                for column in 0..<(size.width + stride - 1) / stride {
                    for side in sides {
                        anchors.append(
                            Anchor(
                                x: (Float(column) + 0.5) * Float(stride), y: (Float(row) + 0.5) * Float(stride),
                                side: Float(side)))
                    }
                }
            }
        }
        return anchors
    }

    /// The faces, best first; boxes may reach outside the picture.
    ///
    /// Boxes that are not finite are no faces.
    package func decode(_ outputs: [TensorBuffer], placement: Placement) -> [Face] {
        guard let location = outputs[indices.location].floats.baseAddress,
            let confidence = outputs[indices.confidence].floats.baseAddress,
            let landmarks = outputs[indices.landmarks].floats.baseAddress
        else { return [] }
        return decode(location: location, confidence: confidence, landmarks: landmarks, placement: placement)
    }

    func decode(
        location: UnsafePointer<Float>, confidence: UnsafePointer<Float>, landmarks: UnsafePointer<Float>,
        placement: Placement
    ) -> [Face] {
        best.removeAll()
        let threshold = options.scoreThreshold
        for row in 0..<anchors.count {
            let score = confidence[2 &* row &+ 1]
            if score > threshold { best.offer(score, row) }
        }
        best.sort()
        suppression.removeAll()
        for position in 0..<best.count where !suppression.isFull {
            if let box = box(location, best[position], placement) { suppression.offer(box) }
        }
        var faces: [Face] = []
        faces.reserveCapacity(suppression.count)
        for position in 0..<suppression.count {
            let box = suppression[position]
            let row = Int(box.index)
            faces.append(Face(box, landmarks: points(landmarks + 10 * row, anchors[row], placement)))
        }
        return faces
    }

    private func box(_ location: UnsafePointer<Float>, _ entry: TopK.Entry, _ placement: Placement) -> ScoredBox? {
        let anchor = anchors[Int(entry.index)]
        let values = location + 4 * Int(entry.index)
        let x = anchor.x + values[0] * RetinaFace.variances.centre * anchor.side
        let y = anchor.y + values[1] * RetinaFace.variances.centre * anchor.side
        let width = anchor.side * expf(values[2] * RetinaFace.variances.size)
        let height = anchor.side * expf(values[3] * RetinaFace.variances.size)
        let corner = placement.source(x: x - width / 2, y: y - height / 2)
        return ScoredBox(
            left: corner.x, top: corner.y, right: corner.x + width * placement.scaleX,
            bottom: corner.y + height * placement.scaleY, score: entry.score, index: entry.index)
    }

    /// The five landmarks, or none when one of them is not finite.
    private func points(_ values: UnsafePointer<Float>, _ anchor: Anchor, _ placement: Placement) -> [Point] {
        for index in 0..<10 where !(values[index] * anchor.side).isFinite { return [] }
        return [Point](unsafeUninitializedCapacity: 5) { points, count in
            for index in 0..<5 {
                let x = anchor.x + values[2 * index] * RetinaFace.variances.centre * anchor.side
                let y = anchor.y + values[2 * index + 1] * RetinaFace.variances.centre * anchor.side
                points.initializeElement(at: index, to: placement.source(x: x, y: y))
            }
            count = 5
        }
    }
}

extension Face {
    init(_ box: ScoredBox, landmarks: [Point] = []) {
        self.init(box: box.box, score: box.score, landmarks: landmarks)
    }
}
