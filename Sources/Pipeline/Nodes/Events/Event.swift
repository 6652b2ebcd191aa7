// SPDX-License-Identifier: Apache-2.0
package import Annotations
package import Basics

/// News of something that happens: it begins, goes on or ends.
package struct Event: Sendable, Hashable {
    /// What the news is.
    package enum Phase: String, Sendable, Hashable {
        /// It has begun.
        case new
        /// It goes on.
        case update
        /// It is over.
        case end
    }

    /// Something that takes part.
    package struct Subject: Sendable, Hashable {
        /// The track's id; nil where nothing is tracked.
        package var track: Int?
        /// What it is.
        package var name: String
        /// Confidence, 0...1.
        package var score: Float
        /// Where it is, in pixels of the source; nil where the rule is about no box.
        package var box: Box?
    }

    /// An instant, on both clocks.
    package struct Instant: Sendable, Hashable {
        /// On the calendar.
        package var wall: WallTime
        /// On the stream's clock, in seconds.
        package var pts: Double

        package init(wall: WallTime, pts: Double) {
            self.wall = wall
            self.pts = pts
        }
    }

    /// Its own, the same in all its news; never used again.
    package var id: String
    /// The rule that it is of.
    package var rule: String
    /// Id of the source node.
    package var source: String
    /// What the news is.
    package var phase: Phase
    /// Of the frame that tells of it.
    package var now: Instant
    /// When it began: some time before the frame that made it sure.
    package var start: Instant
    /// When it ended; nil until it has.
    package var end: Instant?
    /// The zone that the rule is about.
    package var zone: String?
    /// Which way somebody went, where the rule is about that.
    package var direction: Zone.Direction?
    /// Who takes part now, best first.
    package var subjects: [Subject] = []
    /// Whether no earlier frame of the event showed it better.
    package var isBest = false
    /// The most that took part at once.
    package var most = 0
}

extension Event: Annotation {
    /// Recorded as "events"; not drawn.
    package static let kind = AnnotationKind(
        "events", layer: DrawingLayer(level: 500), isColoredByNode: false, moves: false)

    /// Its boxes are the source's in any coordinates: news tells them to others.
    package func mapped(by map: PictureMap) -> Event { self }

    /// Draws nothing: what takes part is drawn already.
    package static func draw(_ items: [Event], on canvas: any AnnotationCanvas) {}

    /// Writes the fields of its record, which is also the message of format `vpipe`.
    package func write(to record: inout JSONWriter) {
        record.field("id", id)
        record.field("type", phase.rawValue)
        record.field("rule", rule)
        record.field("source", source)
        record.field("time", now.wall.rfc3339)
        record.field("pts", now.pts, decimals: 6)
        record.field("startTime", start.wall.rfc3339)
        record.field("startPts", start.pts, decimals: 6)
        if let end {
            record.field("endTime", end.wall.rfc3339)
            record.field("endPts", end.pts, decimals: 6)
        }
        if let zone { record.field("zone", zone) }
        if let direction { record.field("direction", direction.rawValue) }
        record.field("count", subjects.count)
        record.field("most", most)
        record.field("best", isBest)
        record.key("objects")
        record.beginArray()
        for subject in subjects {
            record.beginObject()
            if let track = subject.track { record.field("track", track) }
            record.field("class", subject.name)
            record.field("score", Double(subject.score), decimals: 4)
            if let box = subject.box { record.field("box", box) }
            record.endObject()
        }
        record.endArray()
    }
}
