// SPDX-License-Identifier: Apache-2.0

/// Something a node finds in a frame: a face, a line, the classes of all pixels.
///
/// A kind of annotation is one type in one file: it says here how it moves, looks and reads, and nothing else in the
/// product knows its name. ``BoxAnnotation`` brings defaults for whatever has a box.
///
/// Frames carry arrays of annotations, one per node; the calls that take an array are the ones made once per frame.
public protocol Annotation: Sendable {
    /// What all annotations of this type have in common.
    static var kind: AnnotationKind { get }

    /// The same annotation in other coordinates.
    func mapped(by map: PictureMap) -> Self

    /// The annotation where its subject is after `motion`; not called where the kind does not move.
    func carried(by motion: any MotionField) -> Self

    /// Draws what one node found, best first, in pixels of the canvas.
    static func draw(_ items: [Self], on canvas: any AnnotationCanvas)

    /// Writes the fields of the annotation's record into an object that is open.
    func write(to record: inout JSONWriter)

    /// Calls `body` with every part of the picture that the annotation covers; for cropping and redaction.
    func forEachRegion(_ body: (AnnotationRegion) -> Void)

    /// Calls `body` with its box, where it has one: place, confidence 0...1, what people call it.
    func forEachBox(_ body: (_ box: Box, _ score: Float, _ name: String) -> Void)

    /// `mapped(by:)` of all; the default calls it one by one.
    static func mapped(_ items: [Self], by map: PictureMap) -> [Self]

    /// `carried(by:)` of all; the default calls it one by one.
    static func carried(_ items: [Self], by motion: any MotionField) -> [Self]

    /// Writes an object per annotation; the default takes the fields from `write(to:)` and adds the age, in seconds,
    /// of annotations that were carried from an earlier frame.
    static func write(_ items: [Self], age: Double?, to record: inout JSONWriter)
}

extension Annotation {
    /// As it is: for annotations without a place.
    @inlinable
    public func carried(by motion: any MotionField) -> Self { self }

    /// None.
    @inlinable
    public func forEachRegion(_ body: (AnnotationRegion) -> Void) {}

    /// It has none.
    @inlinable
    public func forEachBox(_ body: (_ box: Box, _ score: Float, _ name: String) -> Void) {}

    /// `mapped(by:)` of all.
    @inlinable
    public static func mapped(_ items: [Self], by map: PictureMap) -> [Self] { items.map { $0.mapped(by: map) } }

    /// `carried(by:)` of all.
    @inlinable
    public static func carried(_ items: [Self], by motion: any MotionField) -> [Self] {
        items.map { $0.carried(by: motion) }
    }

    /// An object per annotation, with its age where it was carried.
    @inlinable
    public static func write(_ items: [Self], age: Double?, to record: inout JSONWriter) {
        for item in items {
            record.beginObject()
            item.write(to: &record)
            if let age {
                record.field("carried", true)
                record.field("age", age, decimals: 6)
            }
            record.endObject()
        }
    }
}

/// What all annotations of one type have in common.
public struct AnnotationKind: Sendable, Hashable {
    /// How a record holds the annotations of a frame.
    public enum Form: Sendable, Hashable {
        /// An array with those of all nodes, oldest node first.
        case list
        /// One object: the last one.
        case single
    }

    /// As in contracts (what a node adds, what it needs) and in records; lower case, plural for lists.
    public let name: String
    /// How a record holds them.
    public let form: Form
    /// What they are drawn above and below.
    public let layer: DrawingLayer
    /// Whether they are drawn in the colour of the node that found them, which then stands for the node elsewhere, too.
    public let isColoredByNode: Bool
    /// Whether they have a place in the picture that moves as the picture does.
    public let moves: Bool

    /// Describes a kind.
    public init(
        _ name: String, form: Form = .list, layer: DrawingLayer = .objects, isColoredByNode: Bool = true,
        moves: Bool = true
    ) {
        self.name = name
        self.form = form
        self.layer = layer
        self.isColoredByNode = isColoredByNode
        self.moves = moves
    }

    /// The order of kinds in a record: lists by name, then single objects by name.
    func precedesInRecord(_ other: AnnotationKind) -> Bool {
        form == other.form ? name < other.name : form == .list
    }
}
