// SPDX-License-Identifier: Apache-2.0
internal import Annotations

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Boxes of several maps, or several sizes of one picture, until one suppression joins them.
///
/// Their scores are logits, which tell apart what would round to 1 as probabilities.
///
/// Owns its memory: a round allocates only the faces it returns.
final class FaceCandidates {
    private let boxes: UnsafeMutableBufferPointer<ScoredBox>
    private var count = 0
    private let order: TopK
    private let suppression: BoxSuppression

    /// Room for `capacity` boxes, of which at most `limit` become faces.
    init(capacity: Int, limit: Int, iouThreshold: Float) {
        boxes = .allocate(capacity: max(0, capacity))
        order = TopK(capacity: capacity)
        suppression = BoxSuppression(limit: min(limit, capacity), iouThreshold: iouThreshold)
    }

    deinit { boxes.deallocate() }

    func removeAll() { count = 0 }

    /// Takes a box in; those beyond the capacity are left out.
    func add(_ box: ScoredBox) {
        guard count < boxes.count else { return }
        boxes.initializeElement(at: count, to: box)
        count &+= 1
    }

    /// The faces among the boxes added since `removeAll`, best first; of equal scores the earlier box is better.
    func faces() -> [Face] {
        order.removeAll()
        for index in 0..<count { order.offer(boxes[index].score, index) }
        order.sort()
        suppression.removeAll()
        for position in 0..<order.count where !suppression.isFull {
            suppression.offer(boxes[Int(order[position].index)])
        }
        var faces: [Face] = []
        faces.reserveCapacity(suppression.count)
        for position in 0..<suppression.count {
            var face = Face(suppression[position])
            face.score = 1 / (1 + expf(-face.score))
            faces.append(face)
        }
        return faces
    }
}
