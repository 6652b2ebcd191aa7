// SPDX-License-Identifier: Apache-2.0

/// The annotations that one node found in one frame: an array of some kind.
///
/// `any AnnotationList` holds the array itself, without a box around it, whatever its elements are.
public protocol AnnotationList: Sendable {
    /// What the elements are.
    var kind: AnnotationKind { get }
    /// How many there are.
    var count: Int { get }
    /// Whether there are none.
    var isEmpty: Bool { get }
    /// The elements; nil where they are of another type.
    func items<A: Annotation>(_ type: A.Type) -> [A]?
    /// Whether the elements have boxes.
    var hasBoxes: Bool { get }
    /// The elements as what has a box; nil where they have none.
    var boxes: [any BoxAnnotation]? { get }
    /// The same annotations in other coordinates.
    func mapped(by map: PictureMap) -> Self
    /// The annotations where their subjects are after `motion`; kinds that do not move come back as they are.
    func carried(by motion: any MotionField) -> Self
    /// Draws them in pixels of the canvas.
    func draw(on canvas: any AnnotationCanvas)
    /// Writes an object per annotation.
    ///
    /// - Parameter age: seconds since the frame they were found in, where it was an earlier one.
    func write(to record: inout JSONWriter, age: Double?)
    /// Calls `body` with every part of the picture that they cover.
    func forEachRegion(_ body: (AnnotationRegion) -> Void)
    /// Calls `body` with the box of each, in order: place, confidence 0...1, what people call it.
    func forEachBox(_ body: (_ box: Box, _ score: Float, _ name: String) -> Void)
}

extension Array: AnnotationList where Element: Annotation {
    /// What the elements are.
    public var kind: AnnotationKind { Element.kind }

    /// The elements; nil where they are of another type.
    public func items<A: Annotation>(_ type: A.Type) -> [A]? {
        // The same type, so the same array; the cast alone would look at every element.
        Element.self == A.self ? unsafeBitCast(self, to: [A].self) : nil
    }

    /// Whether the elements have boxes.
    public var hasBoxes: Bool { Element.self is any BoxAnnotation.Type }

    /// The elements as what has a box; nil where they have none.
    public var boxes: [any BoxAnnotation]? {
        hasBoxes ? compactMap { $0 as? any BoxAnnotation } : nil
    }

    /// The same annotations in other coordinates.
    public func mapped(by map: PictureMap) -> [Element] { Element.mapped(self, by: map) }

    /// The annotations where their subjects are after `motion`.
    public func carried(by motion: any MotionField) -> [Element] {
        isEmpty || !Element.kind.moves ? self : Element.carried(self, by: motion)
    }

    /// Draws them in pixels of the canvas.
    public func draw(on canvas: any AnnotationCanvas) { Element.draw(self, on: canvas) }

    /// Writes an object per annotation.
    public func write(to record: inout JSONWriter, age: Double?) { Element.write(self, age: age, to: &record) }

    /// Calls `body` with every part of the picture that they cover.
    public func forEachRegion(_ body: (AnnotationRegion) -> Void) {
        for item in self { item.forEachRegion(body) }
    }

    /// Calls `body` with the box of each, in order.
    public func forEachBox(_ body: (_ box: Box, _ score: Float, _ name: String) -> Void) {
        for item in self { item.forEachBox(body) }
    }
}
