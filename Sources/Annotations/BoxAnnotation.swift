// SPDX-License-Identifier: Apache-2.0

/// An annotation with a bounding box and a score.
///
/// The defaults map and carry the box, draw it with the name above it, write `box` and `score`, and cover the box.
public protocol BoxAnnotation: Annotation {
    /// Where it is, in pixels.
    var box: Box { get set }
    /// Confidence, 0...1.
    var score: Float { get }
    /// What people call it.
    var name: String { get }
    /// Points of it that have a meaning of their own; none by default.
    var landmarks: [Point] { get }
    /// What it is drawn in; the colour of its node by default.
    var color: AnnotationColor { get }
}

extension BoxAnnotation {
    /// None.
    @inlinable
    public var landmarks: [Point] { [] }

    /// The colour of its node.
    @inlinable
    public var color: AnnotationColor { .node }

    /// The same in other coordinates.
    @inlinable
    public func mapped(by map: PictureMap) -> Self {
        var copy = self
        copy.box = map(box)
        return copy
    }

    /// Where it is after `motion`.
    @inlinable
    public func carried(by motion: any MotionField) -> Self {
        var copy = self
        copy.box = box.moved(by: motion.motion(inside: box))
        return copy
    }

    /// Draws what one node found.
    @inlinable
    public static func draw(_ items: [Self], on canvas: any AnnotationCanvas) {
        for item in items {
            canvas.box(item.box, item.color)
            // On small boxes smaller dots, so that what is in them stays visible.
            canvas.points(item.landmarks, largestRadius: item.box.width / 32)
            canvas.label(item.name, score: item.score, at: item.box, item.color)
        }
    }

    /// Writes the fields of its record.
    @inlinable
    public func write(to record: inout JSONWriter) { writeBox(to: &record) }

    /// Writes `box` and `score`, for records that add to them.
    @inlinable
    public func writeBox(to record: inout JSONWriter) {
        record.field("box", box)
        record.field("score", Double(score), decimals: 4)
    }

    /// Calls `body` with every part of the picture that it covers.
    @inlinable
    public func forEachRegion(_ body: (AnnotationRegion) -> Void) { body(.box(box, name: name)) }

    /// Calls `body` with its box.
    @inlinable
    public func forEachBox(_ body: (_ box: Box, _ score: Float, _ name: String) -> Void) { body(box, score, name) }
}
