// SPDX-License-Identifier: Apache-2.0

/// An axis-aligned rectangle in pixels of the source frame.
public struct Box: Sendable, Hashable {
    /// Left edge.
    public var x: Float
    /// Top edge.
    public var y: Float
    /// Extent across.
    public var width: Float
    /// Extent down.
    public var height: Float

    /// Makes a rectangle from its left top corner and its extent.
    public init(x: Float, y: Float, width: Float, height: Float) {
        self.x = x
        self.y = y
        self.width = width
        self.height = height
    }
}
