// SPDX-License-Identifier: Apache-2.0

/// An object of some class: its box and what it is.
public struct Detection: Sendable, Hashable {
    /// Bounding box.
    public var box: Box
    /// Confidence, 0...1.
    public var score: Float
    /// Index of the class.
    public var label: Int
    /// What people call the class; the index as text where it has no name.
    public var name: String

    /// Makes a detection.
    public init(box: Box, score: Float, label: Int, name: String) {
        self.box = box
        self.score = score
        self.label = label
        self.name = name
    }
}

extension Detection: BoxAnnotation {
    /// Recorded as "objects".
    public static let kind = AnnotationKind("objects", isColoredByNode: false)

    /// One colour a class.
    public var color: AnnotationColor { .palette(label) }

    /// Writes the fields of its record.
    public func write(to record: inout JSONWriter) {
        writeBox(to: &record)
        record.field("label", label)
        record.field("class", name)
    }
}
