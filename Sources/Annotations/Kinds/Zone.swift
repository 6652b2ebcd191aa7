// SPDX-License-Identifier: Apache-2.0

/// A line or an area by name, and who crossed it or is in it.
public struct Zone: Sendable, Hashable {
    /// What is looked at.
    public enum Shape: Sendable, Hashable {
        /// From one point to another; who looks along it has "in" on the right.
        case line(from: Point, to: Point)
        /// An area within three points or more.
        case polygon([Point])
    }

    /// Which way something went.
    public enum Direction: String, Sendable, Hashable {
        /// Into an area; over a line from its left side to its right.
        case `in`
        /// The other way.
        case out
    }

    /// How many of a class.
    public struct Tally: Sendable, Hashable {
        /// What they are.
        public var name: String
        /// How many went in since the start of the run.
        public var entered = 0
        /// How many went out since the start of the run.
        public var left = 0

        /// None so far.
        public init(name: String) { self.name = name }
    }

    /// Something that is in an area.
    public struct Visit: Sendable, Hashable {
        /// The track's id.
        public var track: Int
        /// What it is.
        public var name: String
        /// Seconds that it has been there.
        public var dwell: Double

        /// Describes a visit.
        public init(track: Int, name: String, dwell: Double) {
            self.track = track
            self.name = name
            self.dwell = dwell
        }
    }

    /// Something that went in or out.
    public struct Passage: Sendable, Hashable {
        /// The track's id.
        public var track: Int
        /// What it is.
        public var name: String
        /// Which way it went.
        public var direction: Direction
        /// When it did, in seconds of the stream: some time before the frame that tells of it.
        public var time: Double

        /// Describes a passage.
        public init(track: Int, name: String, direction: Direction, time: Double) {
            self.track = track
            self.name = name
            self.direction = direction
            self.time = time
        }
    }

    /// As the pipeline calls it.
    public var name: String
    /// Which of the node's zones it is, from 0: its colour.
    public var number: Int
    /// In pixels of the source frame.
    public var shape: Shape
    /// By class, in the order of their first passage.
    public var tallies: [Tally] = []
    /// Who is in the area; empty for lines.
    public var inside: [Visit] = []
    /// Who went in or out, told with the frame that makes it sure.
    public var passages: [Passage] = []

    /// Makes a zone that nobody passed so far.
    public init(name: String, number: Int, shape: Shape) {
        self.name = name
        self.number = number
        self.shape = shape
    }

    /// How many went in since the start of the run.
    public var entered: Int { tallies.reduce(0) { $0 + $1.entered } }
    /// How many went out since the start of the run.
    public var left: Int { tallies.reduce(0) { $0 + $1.left } }
    /// How many are in the area.
    public var occupancy: Int { inside.count }
    /// Whether it has an inside.
    public var isArea: Bool { if case .polygon = shape { true } else { false } }
    /// The corners of its outline.
    public var points: [Point] {
        switch shape {
        case .line(let from, let to): [from, to]
        case .polygon(let points): points
        }
    }
}

extension Zone: Annotation {
    /// Recorded as "zones".
    public static let kind = AnnotationKind(
        "zones", layer: DrawingLayer(level: 150), isColoredByNode: false, moves: false)

    /// The same in other coordinates.
    public func mapped(by map: PictureMap) -> Zone {
        var zone = self
        switch shape {
        case .line(let from, let to): zone.shape = .line(from: map(from), to: map(to))
        case .polygon(let points): zone.shape = .polygon(points.map { map($0) })
        }
        return zone
    }

    /// Draws outlines, and the counts at their first points.
    public static func draw(_ items: [Zone], on canvas: any AnnotationCanvas) {
        for zone in items {
            let color = AnnotationColor.palette(zone.number)
            canvas.polyline(zone.points, isClosed: zone.isArea, color)
            guard let place = zone.points.first else { continue }
            let counts = "in \(zone.entered) out \(zone.left)"
            canvas.label(
                zone.isArea ? "\(zone.name): \(zone.occupancy), \(counts)" : "\(zone.name): \(counts)", score: nil,
                at: Box(x: place.x, y: place.y, width: 1, height: 1), color)
        }
    }

    /// Writes the fields of its record.
    public func write(to record: inout JSONWriter) {
        record.field("name", name)
        record.field("in", entered)
        record.field("out", left)
        record.key("classes")
        record.beginObject()
        for tally in tallies {
            record.key(tally.name)
            record.beginObject()
            record.field("in", tally.entered)
            record.field("out", tally.left)
            record.endObject()
        }
        record.endObject()
        if isArea {
            record.field("occupancy", occupancy)
            record.key("inside")
            record.beginArray()
            for visit in inside {
                record.beginObject()
                record.field("track", visit.track)
                record.field("class", visit.name)
                record.field("dwell", visit.dwell, decimals: 3)
                record.endObject()
            }
            record.endArray()
        }
        guard !passages.isEmpty else { return }
        record.key("passages")
        record.beginArray()
        for passage in passages {
            record.beginObject()
            record.field("track", passage.track)
            record.field("class", passage.name)
            record.field("direction", passage.direction.rawValue)
            record.field("pts", passage.time, decimals: 3)
            record.endObject()
        }
        record.endArray()
    }

    /// Calls `body` with the box around an area.
    public func forEachRegion(_ body: (AnnotationRegion) -> Void) {
        guard isArea, let first = points.first else { return }
        var (low, high) = (first, first)
        for point in points {
            low = Point(x: min(low.x, point.x), y: min(low.y, point.y))
            high = Point(x: max(high.x, point.x), y: max(high.y, point.y))
        }
        body(.box(Box(x: low.x, y: low.y, width: high.x - low.x, height: high.y - low.y), name: name))
    }
}
