// SPDX-License-Identifier: Apache-2.0

/// A face: its box and, where the network gives them, five landmarks.
public struct Face: Sendable, Hashable {
    /// Bounding box.
    public var box: Box
    /// Confidence, 0...1.
    public var score: Float
    /// Left eye, right eye, nose, left and right mouth corner as seen in the picture; or empty.
    public var landmarks: [Point]

    /// Makes a face.
    public init(box: Box, score: Float, landmarks: [Point] = []) {
        self.box = box
        self.score = score
        self.landmarks = landmarks
    }
}

extension Face: BoxAnnotation {
    /// Recorded as "faces".
    public static let kind = AnnotationKind("faces", layer: .details)

    /// "face".
    public var name: String { "face" }

    /// The same in other coordinates.
    public func mapped(by map: PictureMap) -> Face {
        Face(box: map(box), score: score, landmarks: landmarks.map { map($0) })
    }

    /// Where it is after `motion`.
    public func carried(by motion: any MotionField) -> Face {
        let motion = motion.motion(inside: box)
        return Face(box: box.moved(by: motion), score: score, landmarks: landmarks.map { $0.moved(by: motion) })
    }

    /// Writes the fields of its record.
    public func write(to record: inout JSONWriter) {
        writeBox(to: &record)
        if !landmarks.isEmpty { record.field("landmarks", landmarks) }
    }
}
