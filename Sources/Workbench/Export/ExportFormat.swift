// SPDX-License-Identifier: Apache-2.0

/// A format that records are exported to.
public enum ExportFormat: String, CaseIterable, Sendable {
    /// COCO's JSON: images, annotations, categories.
    case coco
    /// MOTChallenge's `gt/gt.txt`, with the labels that CVAT reads beside it.
    case mot
    /// "CVAT for video 1.1", XML.
    case cvat
    /// YOLO's text file for each frame, with Ultralytics' `data.yaml`.
    case yolo
    /// Label Studio's tasks with predictions, JSON.
    case labelstudio
    /// WebVTT of kind metadata: a cue for each frame, JSON in it.
    case webvtt
    /// A table with a row for each result.
    case csv

    /// What is written under OUT's name.
    var isFolder: Bool { self == .mot || self == .yolo }

    /// Entries of the folder that the format writes.
    var entries: Set<String> {
        switch self {
        case .mot: ["gt"]
        case .yolo: ["labels", "classes.txt", "data.yaml", "train.txt"]
        default: []
        }
    }

    /// What the format has a place for.
    var holds: Set<ExportPart> {
        switch self {
        case .coco: [.scores, .ids, .landmarks, .lost]
        case .mot: [.ids, .lost]
        case .cvat: [.ids, .lost, .segments]
        case .yolo: []
        case .labelstudio: [.scores, .ids]
        case .webvtt: Set(ExportPart.allCases)
        case .csv: [.scores, .ids, .landmarks, .lost, .segments, .nodes]
        }
    }
}

/// What of a record a format may have a place for, besides boxes and their labels.
enum ExportPart: CaseIterable {
    case scores, ids, landmarks, segments
    /// Tracks out of sight.
    case lost
    /// Results of several nodes side by side.
    case nodes
    /// What has neither a box nor two ends.
    case others
}

/// Writes the frames of a record in one format.
protocol ExportWriter {
    /// Writes a frame; they come in the order of their numbers.
    mutating func add(_ frame: RecordFrame) throws
    /// Ends the files.
    mutating func finish() throws
}

/// What the whole record holds, known before anything is written.
struct RecordSummary {
    /// The record's path.
    var path = ""
    /// Of the first run that is wanted.
    var start = RecordStart()
    /// Classes by name.
    var labels: [String] = []
    var frames = 0
    /// The number of the last frame; -1 where there is none.
    var lastNumber = -1
    /// The highest id of a track; 0 where there is none.
    var highestID = 0
    /// Whether the frames are photographs.
    var hasPhotographs = false
    /// What the format shall call the input; nil for its own name.
    var media: String?

    /// What the input is called.
    var name: String { media ?? start.input ?? start.source ?? "video" }

    /// The index of a class; every one is known.
    func index(of label: String) -> Int {
        var (low, high) = (0, labels.count)
        while low < high {
            let middle = (low + high) / 2
            if labels[middle] < label { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// What a frame of a video is called, as CVAT calls it.
    static func frameName(_ number: Int) -> String {
        let digits = String(number)
        return "frame_" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
    }
}
