// SPDX-License-Identifier: Apache-2.0
import Annotations

@testable import Vision

/// MOTA (Bernardin and Stiefelhagen, 2008) and IDF1 (Ristani et al., 2016) of tracks against the truth, at IoU 0.5.
///
/// In a frame a true object keeps the track it had where that still overlaps; the rest is assigned by least distance.
struct TrackScore {
    private var truths = 0
    private var misses = 0
    private var falseAlarms = 0
    private(set) var switches = 0
    private var trackOf: [Int: Int] = [:]
    private var truthCount: [Int: Int] = [:]
    private var trackCount: [Int: Int] = [:]
    private var together: [[Int]: Int] = [:]

    mutating func add(truth: [(id: Int, box: Box)], tracks: [(id: Int, box: Box)]) {
        truths += truth.count
        for object in truth { truthCount[object.id, default: 0] += 1 }
        for track in tracks { trackCount[track.id, default: 0] += 1 }
        var free = Set(tracks.indices)
        var open: [Int] = []
        for (index, object) in truth.enumerated() {
            for track in tracks where track.box.iou(object.box) >= 0.5 {
                together[[object.id, track.id], default: 0] += 1
            }
            if let kept = free.first(where: {
                tracks[$0].id == trackOf[object.id] && tracks[$0].box.iou(object.box) >= 0.5
            }) {
                free.remove(kept)
            } else {
                open.append(index)
            }
        }
        let columns = free.sorted()
        var assignment = Assignment()
        let gains = open.flatMap { row in
            columns.map { column -> Double in
                let overlap = tracks[column].box.iou(truth[row].box)
                return overlap >= 0.5 ? 10 + Double(overlap) : 0
            }
        }
        gains.withUnsafeBufferPointer {
            guard let base = $0.baseAddress else { return }
            assignment.solve(rows: open.count, columns: columns.count, gains: base)
        }
        for (place, row) in open.enumerated() {
            let column = assignment.columns.isEmpty ? -1 : assignment.columns[place]
            guard column >= 0, gains[place * columns.count + column] > 0 else {
                misses += 1
                continue
            }
            let track = tracks[columns[column]].id
            free.remove(columns[column])
            if let before = trackOf[truth[row].id], before != track { switches += 1 }
            trackOf[truth[row].id] = track
        }
        falseAlarms += free.count
    }

    var mota: Double { 1 - Double(misses + falseAlarms + switches) / Double(truths) }

    var idf1: Double {
        let (rows, columns) = (truthCount.keys.sorted(), trackCount.keys.sorted())
        let gains = rows.flatMap { row in columns.map { Double(together[[row, $0]] ?? 0) } }
        var assignment = Assignment()
        gains.withUnsafeBufferPointer {
            guard let base = $0.baseAddress else { return }
            assignment.solve(rows: rows.count, columns: columns.count, gains: base)
        }
        var hits = 0.0
        for (row, column) in assignment.columns.enumerated() where column >= 0 {
            hits += gains[row * columns.count + column]
        }
        return 2 * hits / Double(truthCount.values.reduce(0, +) + trackCount.values.reduce(0, +))
    }
}
