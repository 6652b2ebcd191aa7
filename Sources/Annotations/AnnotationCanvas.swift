// SPDX-License-Identifier: Apache-2.0

/// What an annotation is drawn with.
///
/// Coordinates are pixels of the picture. Widths, fonts and the look of what was carried from an earlier frame are the
/// canvas's affair: boxes and lines are then drawn open. Labels come above all shapes, legends above the labels.
public protocol AnnotationCanvas: AnyObject {
    /// Draws the outline of a box.
    func box(_ box: Box, _ color: AnnotationColor)
    /// Draws straight lines, none of which hides its neighbour.
    func lines(_ segments: [LineSegment], _ color: AnnotationColor)
    /// Draws a line through all points; a closed one leads back to the first.
    func polyline(_ points: [Point], isClosed: Bool, _ color: AnnotationColor)
    /// Draws a dot at each point, with a radius of `largestRadius` pixels at most.
    func points(_ points: [Point], largestRadius: Float)
    /// Writes a text, and a score where there is one, on a plate at a box; the first label of a node is the topmost.
    func label(_ text: String, score: Float?, at box: Box, _ color: AnnotationColor)
    /// Blends the areas of a map, each in the colour of its class.
    func mask(_ map: ClassMap)
    /// Lists the classes of a map that were seen so far, beside their colours.
    func legend(_ map: ClassMap)
}

/// What an annotation is drawn in.
public enum AnnotationColor: Sendable, Hashable {
    /// The colour of the node that found it.
    case node
    /// A colour of the palette, which starts over at its end: one for each class, track or the like.
    case palette(Int)
    /// This one.
    case fixed(Color)
}

/// What is drawn below and above what; of one layer, the annotations of the earlier node are below.
public struct DrawingLayer: Sendable, Hashable, Comparable {
    /// The lowest is drawn first.
    public let level: Int

    /// A layer of one's own, between the known ones.
    public init(level: Int) { self.level = level }

    /// What covers the picture; level 0.
    public static let areas = DrawingLayer(level: 0)
    /// Lines and paths; level 100.
    public static let lines = DrawingLayer(level: 100)
    /// Boxes; level 200.
    public static let objects = DrawingLayer(level: 200)
    /// What is inside of objects; level 300.
    public static let details = DrawingLayer(level: 300)

    /// Whether the first is drawn before the second.
    public static func < (first: DrawingLayer, second: DrawingLayer) -> Bool { first.level < second.level }
}
