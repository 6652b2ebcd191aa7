// SPDX-License-Identifier: Apache-2.0

/// A point in pixels of the source frame, origin top left, y down.
public struct Point: Sendable, Hashable {
    /// Across.
    public var x: Float
    /// Down.
    public var y: Float

    /// Makes a point.
    public init(x: Float, y: Float) {
        self.x = x
        self.y = y
    }
}
