// SPDX-License-Identifier: Apache-2.0

/// Where a picture's pixels are in the source frame: `source = picture * scale + offset`.
///
/// Results keep the source's coordinates whatever happens to the picture on the way; who detects or draws maps.
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

    /// Maps a rectangle.
    public func callAsFunction(_ rect: Box) -> Box {
        Box(
            x: rect.x * scaleX + offsetX, y: rect.y * scaleY + offsetY, width: rect.width * scaleX,
            height: rect.height * scaleY)
    }

    /// Maps all coordinates of a result.
    public func callAsFunction(_ result: FrameResult) -> FrameResult {
        switch result {
        case .lines(let lines):
            .lines(lines.map { LineSegment(from: self($0.from), to: self($0.to), score: $0.score) })
        case .faces(let faces):
            .faces(
                faces.map { face in
                    Face(box: self(face.box), score: face.score, landmarks: face.landmarks.map { self($0) })
                })
        case .objects(let objects):
            .objects(
                objects.map { Detection(box: self($0.box), score: $0.score, label: $0.label, name: $0.name) })
        case .tensors: result
        case .segmentation(let map): .segmentation(map.moved(to: self(map.region)))
        }
    }
}
