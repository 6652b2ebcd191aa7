// SPDX-License-Identifier: Apache-2.0

/// A box that is followed from frame to frame under one id.
public struct Track: Sendable, Hashable {
    /// Whether it is in sight.
    public enum State: String, Sendable, Hashable {
        /// It was found in the frame.
        case seen
        /// It was not; the box is where it is thought to be.
        case lost
    }

    /// From 1, never used again during a run.
    public var id: Int
    /// Bounding box.
    public var box: Box
    /// Confidence of the box seen last, 0...1.
    public var score: Float
    /// What it is: "face", or the class of an object.
    public var name: String
    /// Whether it is in sight.
    public var state: State
    /// Seconds since it was seen first.
    public var duration: Double
    /// Pixels a second of its middle.
    public var velocity: Point
    /// Where it was seen first, which was `duration` ago.
    public var start: Box
    /// Where its middle was, oldest first.
    public var trail: [Point]

    /// Makes a track.
    public init(
        id: Int, box: Box, score: Float, name: String, state: State = .seen, duration: Double = 0,
        velocity: Point = Point(x: 0, y: 0), start: Box? = nil, trail: [Point] = []
    ) {
        self.id = id
        self.box = box
        self.score = score
        self.name = name
        self.state = state
        self.duration = duration
        self.velocity = velocity
        self.start = start ?? box
        self.trail = trail
    }

    /// Pixels a second.
    public var speed: Float { (velocity.x * velocity.x + velocity.y * velocity.y).squareRoot() }
}

extension Track: BoxAnnotation {
    /// Recorded as "tracks"; drawn above the boxes that are followed.
    public static let kind = AnnotationKind("tracks", layer: DrawingLayer(level: 400), isColoredByNode: false)

    /// One colour a track.
    public var color: AnnotationColor { .palette(id) }

    /// The same in other coordinates.
    public func mapped(by map: PictureMap) -> Track {
        var track = self
        track.box = map(box)
        track.velocity = Point(x: velocity.x * map.scaleX, y: velocity.y * map.scaleY)
        track.start = map(start)
        track.trail = trail.map { map($0) }
        return track
    }

    /// Draws trails, and the boxes and ids of those in sight.
    public static func draw(_ items: [Track], on canvas: any AnnotationCanvas) {
        for track in items where !track.trail.isEmpty {
            let middle = Point(x: track.box.x + track.box.width / 2, y: track.box.y + track.box.height / 2)
            canvas.polyline(track.trail + [middle], isClosed: false, track.color)
        }
        for track in items where track.state == .seen {
            canvas.box(track.box, track.color)
            canvas.label("\(track.name) \(track.id)", score: track.score, at: track.box, track.color)
        }
    }

    /// Writes the fields of its record.
    public func write(to record: inout JSONWriter) {
        record.field("id", id)
        writeBox(to: &record)
        record.field("class", name)
        record.field("state", state.rawValue)
        record.field("duration", duration, decimals: 3)
        record.field("velocity", velocity)
        record.field("speed", Double(speed), decimals: 1)
    }
}
