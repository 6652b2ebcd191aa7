// SPDX-License-Identifier: Apache-2.0

/// How a class map is blended into a picture.
public struct MaskStyle: Sendable, Hashable {
    /// Opacity inside an area, 0...1.
    public var fill: Float
    /// Opacity along the border of an area, 0...1.
    public var edge: Float
    /// Width of the border on each side, in pixels of the picture; not beyond one cell.
    public var edgeWidth: Int

    /// Makes a style.
    public init(fill: Float = 0.4, edge: Float = 0.9, edgeWidth: Int = 1) {
        self.fill = fill
        self.edge = edge
        self.edgeWidth = edgeWidth
    }
}
