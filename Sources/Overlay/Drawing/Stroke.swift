// SPDX-License-Identifier: Apache-2.0
public import Annotations

/// A dark (or other) rim around what is drawn, so that it shows on any background.
public struct Halo: Sendable, Hashable {
    /// Colour of the rim; a translucent black by default.
    public var color: Color
    /// How far the rim reaches beyond the shape, in pixels.
    public var width: Float

    /// Makes a rim.
    public init(color: Color = Color(red: 0, green: 0, blue: 0, alpha: 140), width: Float = 1) {
        self.color = color
        self.width = width
    }
}

/// How lines and outlines are drawn.
public struct Stroke: Sendable, Hashable {
    /// Shape of a line's ends.
    public enum Cap: Sendable {
        /// Cut off square at the end point.
        case butt
        /// A half disc around the end point.
        case round
    }

    /// Colour of the line.
    public var color: Color
    /// Width in pixels, any positive fraction up to 256.
    public var width: Float
    /// Shape of the ends.
    public var cap: Cap
    /// Rim around it; nil is none.
    public var halo: Halo?

    /// Describes a stroke.
    public init(color: Color, width: Float, cap: Cap = .round, halo: Halo? = nil) {
        self.color = color
        self.width = width
        self.cap = cap
        self.halo = halo
    }
}
