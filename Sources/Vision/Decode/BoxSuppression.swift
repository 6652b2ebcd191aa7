// SPDX-License-Identifier: Apache-2.0

/// A box a network proposes, in source pixels.
struct ScoredBox {
    let left: Float
    let top: Float
    let right: Float
    let bottom: Float
    /// Whole pixels covered: both edges count.
    let area: Float
    let score: Float
    /// The row or cell it came from.
    let index: Int32

    /// Nil for corners that are not finite, or so far apart that the area is not.
    init?(left: Float, top: Float, right: Float, bottom: Float, score: Float, index: Int32) {
        area = (right - left + 1) * (bottom - top + 1)
        guard area.isFinite, left.isFinite, top.isFinite else { return nil }
        self.left = left
        self.top = top
        self.right = right
        self.bottom = bottom
        self.score = score
        self.index = index
    }

    /// Intersection over union, counting whole pixels.
    @inline(__always)
    func overlap(_ other: ScoredBox) -> Float {
        let width = min(right, other.right) - max(left, other.left) + 1
        let height = min(bottom, other.bottom) - max(top, other.top) + 1
        guard width > 0, height > 0 else { return 0 }
        let shared = width * height
        return shared / (area + other.area - shared)
    }
}

/// Greedy suppression: of boxes offered best first, those stay that no better one covers.
///
/// Owns its memory: allocates when made and never again.
final class BoxSuppression {
    /// Boxes kept so far, best first.
    private(set) var count = 0
    private let threshold: Float
    private let kept: UnsafeMutableBufferPointer<ScoredBox>

    /// Keeps at most `limit` boxes; two that overlap by more than `threshold` are one.
    init(limit: Int, threshold: Float) {
        self.threshold = threshold
        kept = .allocate(capacity: max(0, limit))
    }

    deinit { kept.deallocate() }

    /// Whether no more boxes are taken.
    var isFull: Bool { count == kept.count }

    /// The box at `position`.
    subscript(position: Int) -> ScoredBox { kept[position] }

    func removeAll() { count = 0 }

    /// Keeps a box that none of the better ones covers, while there is room.
    func offer(_ box: ScoredBox) {
        guard !isFull else { return }
        var position = 0
        while position < count {
            if box.overlap(kept[position]) > threshold { return }
            position &+= 1
        }
        kept.initializeElement(at: count, to: box)
        count &+= 1
    }
}
