// SPDX-License-Identifier: Apache-2.0

/// Where a picture's pixels are in the source frame: `source = picture * scale + offset`.
///
/// Annotations keep the source's coordinates whatever happens to the picture on the way; who detects or draws maps.
public struct PictureMap: Sendable, Hashable {
    /// Source pixels per picture pixel, across.
    public var scaleX: Float
    /// Source pixels per picture pixel, down.
    public var scaleY: Float
    /// Source position of the picture's left edge.
    public var offsetX: Float
    /// Source position of the picture's top edge.
    public var offsetY: Float

    /// Makes a map from its parts.
    public init(scaleX: Float, scaleY: Float, offsetX: Float, offsetY: Float) {
        self.scaleX = scaleX
        self.scaleY = scaleY
        self.offsetX = offsetX
        self.offsetY = offsetY
    }

    /// The picture is the source frame.
    public static let identity = PictureMap(scaleX: 1, scaleY: 1, offsetX: 0, offsetY: 0)

    /// Whether nothing is moved.
    public var isIdentity: Bool { self == .identity }

    /// This map after one that leads from a newer picture to this one's picture.
    public func composed(with newer: PictureMap) -> PictureMap {
        PictureMap(
            scaleX: scaleX * newer.scaleX, scaleY: scaleY * newer.scaleY,
            offsetX: offsetX + scaleX * newer.offsetX, offsetY: offsetY + scaleY * newer.offsetY)
    }

    /// The way back, from the source frame to the picture.
    public var inverse: PictureMap {
        PictureMap(scaleX: 1 / scaleX, scaleY: 1 / scaleY, offsetX: -offsetX / scaleX, offsetY: -offsetY / scaleY)
    }

    /// Maps a point.
    public func callAsFunction(_ point: Point) -> Point {
        Point(x: point.x * scaleX + offsetX, y: point.y * scaleY + offsetY)
    }

    /// Maps a box.
    public func callAsFunction(_ box: Box) -> Box {
        Box(
            x: box.x * scaleX + offsetX, y: box.y * scaleY + offsetY, width: box.width * scaleX,
            height: box.height * scaleY)
    }
}
