// SPDX-License-Identifier: Apache-2.0
internal import Annotations

#if canImport(Glibc)
    internal import Glibc
#endif

/// Who is who: the boxes of a look and the tracks.
extension BoxTracker {
    /// ByteTrack: sure boxes first, then the unsure ones with the tracks that are left.
    func associateByScore(_ found: [Observation], _ time: Double) {
        gather(found) { $0.score >= options.high }
        match(found, time)
        rows.removeAll(keepingCapacity: true)
        for index in tracks.indices where tracks[index].observation == nil { rows.append(index) }
        columns.removeAll(keepingCapacity: true)
        for number in found.indices where found[number].score < options.high { columns.append(number) }
        match(found, time)
        let known = tracks.count
        for (number, box) in found.enumerated()
        where matchOfObservation[number] < 0 && box.score >= max(options.high, options.activate) {
            begin(box, number: number, time)
        }
        // One that was seen once and not again was none.
        var index = 0
        tracks.removeAll { track in
            defer { index += 1 }
            return index < known && track.id == 0 && track.observation == nil
        }
    }

    /// OC-SORT: by IoU and direction, then what is left by where it was last seen.
    func associateByDirection(_ found: [Observation], _ time: Double) {
        gather(found) { $0.score >= options.high }
        match(found, time, byDirection: true)
        rows.removeAll(keepingCapacity: true)
        for index in tracks.indices where tracks[index].observation == nil {
            rows.append(index)
            tracks[index].box = tracks[index].lastBox
        }
        columns.removeAll { matchOfObservation[$0] >= 0 }
        match(found, time)
        for index in rows where tracks[index].observation == nil {
            tracks[index].box = form.box(of: tracks[index].filter.position)
        }
        for (number, box) in found.enumerated()
        where matchOfObservation[number] < 0 && box.score >= max(options.high, options.activate) {
            begin(box, number: number, time)
        }
    }

    /// All tracks, and the boxes that are wanted.
    private func gather(_ found: [Observation], _ isWanted: (Observation) -> Bool) {
        rows.removeAll(keepingCapacity: true)
        columns.removeAll(keepingCapacity: true)
        for index in tracks.indices { rows.append(index) }
        for number in found.indices where isWanted(found[number]) { columns.append(number) }
    }

    /// Matches the tracks `rows` with the boxes `columns`.
    private func match(_ found: [Observation], _ time: Double, byDirection: Bool = false) {
        guard !rows.isEmpty, !columns.isEmpty else { return }
        gains.removeAll(keepingCapacity: true)
        overlaps.removeAll(keepingCapacity: true)
        for row in rows {
            for column in columns {
                let overlap = overlap(tracks[row], found[column])
                overlaps.append(overlap)
                let bonus = byDirection ? consistency(of: row, with: found[column], time) : 0
                gains.append(overlap + bonus * Double(found[column].score) * options.directionWeight)
            }
        }
        gains.withUnsafeBufferPointer { gains in
            guard let base = gains.baseAddress else { return }
            assignment.solve(rows: rows.count, columns: columns.count, gains: base)
        }
        for place in rows.indices {
            let column = assignment.columns[place]
            guard column >= 0, overlaps[place * columns.count + column] >= options.overlap else { continue }
            update(rows[place], found[columns[column]], number: columns[column], time)
        }
    }

    /// The IoU of a track's predicted box and one that was found; 0 where they cannot be the same.
    private func overlap(_ track: Followed, _ observation: Observation) -> Double {
        guard track.label == observation.label else { return 0 }
        let (a, b) = (track.box, observation.box)
        let across = min(Double(a.x) + Double(a.width), Double(b.x) + Double(b.width)) - Double(max(a.x, b.x))
        let down = min(Double(a.y) + Double(a.height), Double(b.y) + Double(b.height)) - Double(max(a.y, b.y))
        guard across > 0, down > 0 else { return 0 }
        let shared = across * down
        let whole = Double(a.width) * Double(a.height) + Double(b.width) * Double(b.height) - shared
        let overlap = shared / whole
        return overlap.isFinite ? overlap : 0
    }

    // MARK: OC-SORT

    /// From -1/2, against the track's direction, to 1/2, along it; 0 where it has none yet.
    private func consistency(of index: Int, with box: Observation, _ time: Double) -> Double {
        guard let direction = tracks[index].direction, let before = reference(of: index, time) else { return 0 }
        let way = Self.direction(from: before, to: box.box)
        let cosine = max(-1, min(1, direction.x * way.x + direction.y * way.y))
        return 0.5 - acos(cosine) / .pi
    }

    /// The box from which the direction at `time` is taken: the oldest within the look-back, else the last one.
    func reference(of index: Int, _ time: Double) -> Box? {
        // Clocks round to a millisecond.
        tracks[index].seen.first { time - $0.time <= options.lookBack + 0.001 }?.box ?? tracks[index].seen.last?.box
    }

    /// Remembers a box seen.
    func note(_ box: Box, of index: Int, _ time: Double) {
        tracks[index].seen.removeAll { time - $0.time > options.lookBack + 0.001 }
        tracks[index].seen.append((time, box))
    }

    static func direction(from first: Box, to second: Box) -> SIMD2<Double> {
        let way = SIMD2(
            Double(second.x) + Double(second.width) / 2 - Double(first.x) - Double(first.width) / 2,
            Double(second.y) + Double(second.height) / 2 - Double(first.y) - Double(first.height) / 2)
        return way / ((way * way).sum().squareRoot() + 1e-6)
    }

    /// Has a filter that was lost see the straight way from where the track was last seen to where it is now.
    func replay(_ index: Int, to numbers: SIMD4<Double>, _ time: Double) {
        guard let frozen = tracks[index].frozen else { return }
        let gap = tracks[index].misses
        var filter = frozen
        let from = tracks[index].lastBox
        let to = form.box(of: numbers)
        let step = (time - tracks[index].lastSeen) / Double(gap)
        for number in 1...gap {
            let share = Float(number) / Float(gap)
            let (width, height) = (mix(from.width, to.width, share), mix(from.height, to.height, share))
            let x = mix(from.x + from.width / 2, to.x + to.width / 2, share)
            let y = mix(from.y + from.height / 2, to.y + to.height / 2, share)
            filter.update(
                form.numbers(of: Box(x: x - width / 2, y: y - height / 2, width: width, height: height)), noise)
            if number < gap { filter.predict(step, interval: interval, motion: nil, noise, form) }
        }
        tracks[index].filter = filter
    }

    private func mix(_ a: Float, _ b: Float, _ share: Float) -> Float { a + (b - a) * share }
}
