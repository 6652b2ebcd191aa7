// SPDX-License-Identifier: Apache-2.0
public import Annotations
public import Networks

/// Where a picture lies inside a network's input, and the way back from network pixels to source pixels.
///
/// ```
///   network input (here letterboxed, top left)        source picture
///   +------------------+---+  scaleX, scaleY          +----------------+
///   | content          | 0 |  ------------------->    |                |
///   +------------------+   |                          +----------------+
///   | 0                    |
///   +----------------------+
/// ```
/// - Note: Units: network pixels for the content's position and size, source pixels per network pixel for the scales.
public struct Placement: Sendable, Hashable {
    /// Where the picture goes when it leaves room in the network's input.
    public enum Alignment: Sendable, Hashable {
        /// All padding right and below: network coordinates need no offset.
        case topLeft
        /// Padding on both sides, the odd pixel right and below.
        case centre
    }

    /// Left edge of the picture in the network's input.
    public let x: Int
    /// Top edge of the picture in the network's input.
    public let y: Int
    /// Width of the picture in the network's input.
    public let width: Int
    /// Height of the picture in the network's input.
    public let height: Int
    /// Source pixels per network pixel, across.
    public let scaleX: Float
    /// Source pixels per network pixel, down.
    public let scaleY: Float

    /// Places a picture in an input of `size`.
    ///
    /// Letterboxing rounds the shorter side to whole pixels and keeps at least one; the scales are the exact ratios of
    /// the sizes, so that they may differ by that rounding.
    public init(
        sourceWidth: Int, sourceHeight: Int, in size: InputSize, fit: InputNormalisation.Fit,
        alignment: Alignment = .topLeft
    ) {
        precondition(sourceWidth > 0 && sourceHeight > 0 && size.width > 0 && size.height > 0, "sizes are positive")
        switch fit {
        case .stretch:
            width = size.width
            height = size.height
        case .letterbox:
            let scale = min(
                Double(size.width) / Double(sourceWidth), Double(size.height) / Double(sourceHeight))
            width = min(size.width, max(1, Int((Double(sourceWidth) * scale).rounded())))
            height = min(size.height, max(1, Int((Double(sourceHeight) * scale).rounded())))
        }
        switch alignment {
        case .topLeft:
            x = 0
            y = 0
        case .centre:
            x = (size.width - width) / 2
            y = (size.height - height) / 2
        }
        scaleX = Float(sourceWidth) / Float(width)
        scaleY = Float(sourceHeight) / Float(height)
    }

    /// The source position of a position in the network's input.
    public func source(x networkX: Float, y networkY: Float) -> Point {
        Point(x: (networkX - Float(x)) * scaleX, y: (networkY - Float(y)) * scaleY)
    }
}
