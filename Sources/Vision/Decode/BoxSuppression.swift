// SPDX-License-Identifier: Apache-2.0
internal import Annotations

/// A box a network proposes, in source pixels.
struct ScoredBox {
    let box: Box
    /// The whole pixels it covers.
    let covered: Box
    let score: Float
    /// The row or cell it came from.
    let index: Int32

    /// Nil for corners that are not finite, or so far apart that the area is not.
    init?(left: Float, top: Float, right: Float, bottom: Float, score: Float, index: Int32) {
        box = Box(x: left, y: top, width: right - left, height: bottom - top)
        covered = box.countingEdges
        guard covered.area.isFinite, left.isFinite, top.isFinite else { return nil }
        self.score = score
        self.index = index
    }
}

/// Greedy suppression: of boxes offered best first, those stay that no better one covers.
///
/// Owns its memory: allocates when made and never again.
final class BoxSuppression {
    /// Boxes kept so far, best first.
    private(set) var count = 0
    private let iouThreshold: Float
    private let kept: UnsafeMutableBufferPointer<ScoredBox>

    /// Keeps at most `limit` boxes; two whose IoU is above `iouThreshold` are one.
    init(limit: Int, iouThreshold: Float) {
        self.iouThreshold = iouThreshold
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
            if box.covered.iou(kept[position].covered) > iouThreshold { return }
            position &+= 1
        }
        kept.initializeElement(at: count, to: box)
        count &+= 1
    }
}
