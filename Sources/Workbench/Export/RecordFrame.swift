// SPDX-License-Identifier: Apache-2.0

/// One frame's line of a record; coordinates are pixels of the source frame, times seconds.
struct RecordFrame {
    /// A box that was found: a face, an object, a track.
    struct Found {
        /// The key of its list: `faces`, `objects`, `tracks`.
        var kind: String
        /// Who found it, where several nodes find the kind.
        var node: String?
        /// What it is: `face`, or the class of an object.
        var label: String
        var x: Double
        var y: Double
        var width: Double
        var height: Double
        /// Confidence, 0...1; nil where the record gives none.
        var score: Double?
        /// The track's id, numbered on over runs; nil for what is not followed.
        var id: Int?
        /// False for a track that is out of sight: the box is where it is thought to be.
        var isSeen = true
        /// Five points of a face, or none.
        var landmarks: [(x: Double, y: Double)] = []
        /// Seconds since the frame it was found in, where that was an earlier one.
        var age: Double?
    }

    /// A line segment that was found.
    struct Segment {
        var kind: String
        var node: String?
        var from: (x: Double, y: Double)
        var to: (x: Double, y: Double)
        var score: Double?
        var age: Double?
    }

    /// Line of the file, from 1.
    var line: Int
    /// Which run's it is, from 1.
    var run: Int
    var source: String
    /// The number that the record gives.
    var frame: Int
    /// The number in the export, from 0: that of the record, numbered on over runs.
    var number: Int
    /// The record's own time.
    var pts: Double
    /// The time in the export, which goes on over runs.
    var time: Double
    /// What was added to the ids of tracks.
    var idOffset: Int
    /// The photograph's name, as the record has it.
    var file: String?
    /// Boxes; those that a track follows are the track's.
    var found: [Found] = []
    var segments: [Segment] = []
    /// How many results there are of kinds without a box or ends, by kind.
    var others: [String: Int] = [:]
    /// How many results of nodes that were not chosen.
    var unchosen = 0
    /// How many boxes were left to the tracks that follow them.
    var paired = 0
    /// The whole line.
    var text: [UInt8]
}

extension RecordFrame.Found {
    /// The area in common over the area of both.
    func overlap(with other: Self) -> Double {
        let across = min(x + width, other.x + other.width) - max(x, other.x)
        let down = min(y + height, other.y + other.height) - max(y, other.y)
        guard across > 0, down > 0 else { return 0 }
        let common = across * down
        return common / (width * height + other.width * other.height - common)
    }
}

/// What the first line of a run says about the lines after it.
struct RecordStart {
    /// Width and height of the source's picture.
    var size: (width: Int, height: Int)?
    /// Frames a second.
    var rate: Double?
    /// The input, as the pipeline names it.
    var input: String?
    var source: String?
    var nodes: [String] = []
}
