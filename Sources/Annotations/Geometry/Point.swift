// SPDX-License-Identifier: Apache-2.0

/// A point, or how far something moved, in pixels of the source frame, origin top left, y down.
public struct Point: Sendable, Hashable {
    /// Across.
    public var x: Float
    /// Down.
    public var y: Float

    /// Makes a point.
    @inlinable
    public init(x: Float, y: Float) {
        self.x = x
        self.y = y
    }

    /// The point moved by `motion`.
    @inlinable
    public func moved(by motion: Point) -> Point { Point(x: x + motion.x, y: y + motion.y) }
}
