// SPDX-License-Identifier: Apache-2.0

/// A straight line segment.
///
/// Ends may lie outside the frame.
public struct LineSegment: Sendable, Hashable {
    /// One end.
    public var from: Point
    /// The other end.
    public var to: Point
    /// Confidence, 0...1.
    public var score: Float

    /// Makes a segment.
    public init(from: Point, to: Point, score: Float) {
        self.from = from
        self.to = to
        self.score = score
    }
}

extension LineSegment: Annotation {
    /// Recorded as "lines".
    public static let kind = AnnotationKind("lines", layer: .lines)

    /// The same in other coordinates.
    public func mapped(by map: PictureMap) -> LineSegment {
        LineSegment(from: map(from), to: map(to), score: score)
    }

    /// Each end goes with the half of the line next to it.
    public func carried(by motion: any MotionField) -> LineSegment {
        let middle = Point(x: (from.x + to.x) / 2, y: (from.y + to.y) / 2)
        return LineSegment(
            from: from.moved(by: motion.motion(from: from, to: middle)),
            to: to.moved(by: motion.motion(from: to, to: middle)), score: score)
    }

    /// Draws what one node found.
    public static func draw(_ lines: [LineSegment], on canvas: any AnnotationCanvas) { canvas.lines(lines, .node) }

    /// Writes the fields of its record.
    public func write(to record: inout JSONWriter) {
        record.field("from", from)
        record.field("to", to)
        record.field("score", Double(score), decimals: 4)
    }
}
