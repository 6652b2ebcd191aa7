// SPDX-License-Identifier: Apache-2.0

/// An axis-aligned bounding box in pixels of the source frame, origin top left, y down; may reach beyond the frame.
public struct Box: Sendable, Hashable {
    /// Left edge.
    public var x: Float
    /// Top edge.
    public var y: Float
    /// Extent across.
    public var width: Float
    /// Extent down.
    public var height: Float

    /// Makes a box from its left top corner and its extent.
    @inlinable
    public init(x: Float, y: Float, width: Float, height: Float) {
        self.x = x
        self.y = y
        self.width = width
        self.height = height
    }

    /// The box from pixel to pixel, both of which belong to it: a pixel wider and higher than their distance.
    ///
    /// The convention of PASCAL VOC, which the evaluation of WIDER FACE and the suppression of RetinaFace and SSH kept.
    @inlinable
    public var countingEdges: Box { Box(x: x, y: y, width: width + 1, height: height + 1) }

    /// The box moved by `motion`.
    @inlinable
    public func moved(by motion: Point) -> Box {
        Box(x: x + motion.x, y: y + motion.y, width: width, height: height)
    }

    /// In square pixels.
    @inlinable
    public var area: Float { width * height }

    /// What both boxes cover; nil where they do not overlap.
    @inlinable
    public func intersection(_ other: Box) -> Box? {
        let (left, top) = (max(x, other.x), max(y, other.y))
        let shared = Box(
            x: left, y: top, width: min(x + width, other.x + other.width) - left,
            height: min(y + height, other.y + other.height) - top)
        return shared.width > 0 && shared.height > 0 ? shared : nil
    }

    /// Intersection over union, 0...1: the area both boxes cover over the area that either of them covers.
    @inlinable @inline(__always)
    public func iou(_ other: Box) -> Float {
        guard let shared = intersection(other)?.area else { return 0 }
        return shared / (area + other.area - shared)
    }
}
