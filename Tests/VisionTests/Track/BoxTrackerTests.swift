// SPDX-License-Identifier: Apache-2.0
import Annotations
import CMallocCounter
import Foundation
import TestSupport
import Testing

@testable import Vision

@Suite struct BoxTrackerTests {
    /// A frame of the made-up crowd: what was found, and the ids that the reference gave; -1 for none.
    private struct CrowdFrame {
        var found: [BoxTracker.Observation] = []
        var ids: [BoxTracker.Method: [Int]] = [.bytetrack: [], .ocsort: []]
    }

    private func crowd() throws -> [CrowdFrame] {
        let path = TestFiles.package.appendingPathComponent("Benchmarks/trackers/crowd.csv")
        var frames: [CrowdFrame] = []
        for line in try String(contentsOf: path, encoding: .utf8).split(separator: "\n") where !line.hasPrefix("#") {
            let fields = line.split(separator: ",").compactMap { Float($0) }
            try #require(fields.count == 8)
            while frames.count <= Int(fields[0]) { frames.append(CrowdFrame()) }
            frames[Int(fields[0])].found.append(
                .init(box: Box(x: fields[1], y: fields[2], width: fields[3], height: fields[4]), score: fields[5]))
            frames[Int(fields[0])].ids[.bytetrack]?.append(Int(fields[6]))
            frames[Int(fields[0])].ids[.ocsort]?.append(Int(fields[7]))
        }
        return frames
    }

    /// The id of each box of the last look; -1 for none.
    private func ids(_ tracker: BoxTracker, _ count: Int) -> [Int] {
        var ids = Array(repeating: -1, count: count)
        for track in tracker.tracks where track.isSeen { if let box = track.observation { ids[box] = track.id - 1 } }
        return ids
    }

    @Test(arguments: BoxTracker.Method.allCases)
    func `every box gets the id that the reference implementation gives it`(method: BoxTracker.Method) throws {
        let tracker = BoxTracker(.init(method))
        let frames = try crowd()
        #expect(frames.count > 200)
        for (number, frame) in frames.enumerated() {
            tracker.look(at: frame.found, time: Double(number) / 25)
            let expected = try #require(frame.ids[method])
            #expect(ids(tracker, frame.found.count) == expected, "frame \(number)")
        }
    }

    @Test(arguments: BoxTracker.Method.allCases)
    func `only the pace of the looks counts, not what it is`(method: BoxTracker.Method) throws {
        var options = BoxTracker.Options(method)
        (options.lost, options.confirm, options.lookBack) = (1.0, 0.08, 0.12)
        let near = BoxTracker(options)
        (options.lost, options.confirm, options.lookBack) = (5.0, 0.4, 0.6)
        let far = BoxTracker(options)
        for (number, frame) in try crowd().enumerated() {
            near.look(at: frame.found, time: Double(number) * 0.04)
            far.look(at: frame.found, time: Double(number) * 0.2)
            #expect(ids(near, frame.found.count) == ids(far, frame.found.count), "frame \(number)")
        }
    }

    /// The reference's own scores, and those of the rates between; `Benchmarks/trackers/README.md` says where the data is.
    @Test(
        .enabled(if: ProcessInfo.processInfo.environment["VPIPE_MOT"] != nil, "VPIPE_MOT names no folder"),
        arguments: [
            ("TUD-Campus", BoxTracker.Method.bytetrack, [0.579, 0.603, 5], 0.664),
            ("TUD-Campus", .ocsort, [0.571, 0.680, 3], 0.610),
            ("TUD-Stadtmitte", .bytetrack, [0.706, 0.760, 14], 0.791),
            ("TUD-Stadtmitte", .ocsort, [0.686, 0.737, 14], 0.783),
        ])
    func `scores are the reference's`(
        sequence: String, method: BoxTracker.Method, reference: [Double], third: Double
    ) throws {
        let folder = try #require(ProcessInfo.processInfo.environment["VPIPE_MOT"])
        func rows(_ name: String) throws -> [Int: [[Float]]] {
            let text = try String(contentsOfFile: "\(folder)/\(sequence)-\(name).txt", encoding: .utf8)
            return Dictionary(
                grouping: text.split(whereSeparator: \.isNewline).map {
                    $0.split(separator: ",").compactMap { Float($0) }
                },
                by: { Int($0[0]) })
        }
        let (found, truth) = (try rows("det"), try rows("gt"))
        let last = max(found.keys.max() ?? 0, truth.keys.max() ?? 0)
        func box(_ row: [Float]) -> Box { Box(x: row[2], y: row[3], width: row[4], height: row[5]) }
        for every in [1, 2, 3] {
            let tracker = BoxTracker(.init(method))
            var score = TrackScore()
            for frame in stride(from: 1, through: last, by: every) {
                let boxes = (found[frame] ?? []).map { BoxTracker.Observation(box: box($0), score: $0[6]) }
                tracker.look(at: boxes, time: Double(frame - 1) / 25)
                score.add(
                    truth: (truth[frame] ?? []).map { (Int($0[1]), box($0)) },
                    tracks: tracker.tracks.filter(\.isSeen).map { ($0.id, $0.box) })
            }
            print(
                "\(sequence) \(method.rawValue), every \(every): MOTA \(score.mota) IDF1 \(score.idf1) "
                    + "switches \(score.switches)")
            if every == 1 {
                #expect(abs(score.mota - reference[0]) <= 0.01)
                #expect(abs(score.idf1 - reference[1]) <= 0.01)
                #expect(score.switches == Int(reference[2]))
            }
            if every == 3 { #expect(score.idf1 >= third - 0.02) }
        }
    }

    @Test func `the assignment has the largest sum`() {
        var random = SeededGenerator(seed: 3)
        var assignment = Assignment()
        for _ in 0..<500 {
            let (rows, columns) = (Int.random(in: 0...5, using: &random), Int.random(in: 0...5, using: &random))
            var gains: [Double] = []
            for _ in 0..<rows * columns { gains.append(Double(Int.random(in: -4...20, using: &random)) / 4) }
            func best(_ row: Int, _ free: Set<Int>, _ mustUse: Int) -> Double {
                guard row < rows else { return mustUse == 0 ? 0 : -.infinity }
                var value = rows - row > mustUse ? best(row + 1, free, mustUse) : -.infinity
                for column in free where mustUse > 0 {
                    let rest = best(row + 1, free.subtracting([column]), mustUse - 1)
                    value = max(value, gains[row * columns + column] + rest)
                }
                return value
            }
            gains.withUnsafeBufferPointer {
                if let base = $0.baseAddress { assignment.solve(rows: rows, columns: columns, gains: base) }
            }
            guard rows > 0, columns > 0 else { continue }
            let used = assignment.columns.enumerated().filter { $0.element >= 0 }
            #expect(Set(used.map(\.element)).count == min(rows, columns))
            let sum = used.reduce(0) { $0 + gains[$1.offset * columns + $1.element] }
            #expect(abs(sum - best(0, Set(0..<columns), min(rows, columns))) < 1e-9)
        }
    }

    @Test(arguments: [BoxForm.corners, .centreAreaRatio]) func `several steps at once are as single ones`(
        form: BoxForm
    ) {
        let noise = BoxFilter.Noise(
            measurement: .one, position: SIMD4(1, 2, 3, 4), velocity: SIMD4(0.5, 0.1, 0.2, 0), firstPosition: .one,
            firstVelocity: SIMD4(4, 3, 2, 0))
        var one = BoxFilter(form.numbers(of: Box(x: 10, y: 20, width: 30, height: 40)), noise)
        one.predict(0.1, interval: 0.1, motion: nil, noise, form)
        one.update(form.numbers(of: Box(x: 13, y: 21, width: 31, height: 40)), noise)
        var many = one
        one.predict(0.4, interval: 0.1, motion: nil, noise, form)
        for _ in 0..<4 { many.predict(0.1, interval: 0.1, motion: nil, noise, form) }
        let seen = form.numbers(of: Box(x: 20, y: 20, width: 31, height: 40))
        one.update(seen, noise)
        many.update(seen, noise)
        for axis in 0..<4 {
            #expect(abs(one.position[axis] - many.position[axis]) < 1e-6 * abs(one.position[axis]))
            #expect(abs(one.velocity[axis] - many.velocity[axis]) < 1e-6 * max(1, abs(one.velocity[axis])))
        }
    }

    /// A box that goes 100 pixels a second to the right.
    private func walker(_ time: Double, score: Float = 0.9, label: Int = 0) -> BoxTracker.Observation {
        .init(box: Box(x: 100 + 100 * Float(time), y: 50, width: 80, height: 160), score: score, label: label)
    }

    @Test(arguments: BoxTracker.Method.allCases, [30.0, 10, 5])
    func `times are seconds at every rate`(method: BoxTracker.Method, rate: Double) throws {
        var options = BoxTracker.Options(method)
        (options.confirm, options.lost) = (0.4, 1)
        let tracker = BoxTracker(options, interval: 1 / rate)
        // Nothing is there in the first second, so that nobody is taken for one who was always there.
        tracker.look(at: [walker(-3)], time: -9)
        tracker.look(at: [walker(-3)], time: -1)
        var confirmedAt: Double?
        for look in 0...Int(2 * rate) {
            let time = Double(look) / rate
            tracker.look(at: [walker(time)], time: time)
            if confirmedAt == nil, tracker.tracks.contains(where: { $0.id != 0 }) { confirmedAt = time }
        }
        let sure = try #require(confirmedAt)
        #expect(sure >= 0.399 && sure <= 0.4 + 1 / rate)
        // Away for less than `lost`: the same id; for longer: another one.
        let first = try #require(tracker.tracks.first { $0.id != 0 }?.id)
        func away(_ from: Double, for seconds: Double) -> [Int] {
            var time = from
            while time < from + seconds - 1e-9 {
                tracker.look(at: [], time: time)
                time += 1 / rate
            }
            for _ in 0...Int(rate) {
                tracker.look(at: [walker(time)], time: time)
                time += 1 / rate
            }
            return tracker.tracks.filter(\.isSeen).map(\.id)
        }
        #expect(away(2 + 1 / rate, for: 0.8) == [first])
        let now = try #require(tracker.tracks.map(\.lastSeen).max())
        let later = away(now + 1 / rate, for: 1.6)
        #expect(later.count == 1 && later != [first])
    }

    @Test func `times that stand still, go back or make no sense change nothing`() {
        let tracker = BoxTracker(.init(.bytetrack))
        for look in 0..<5 { tracker.look(at: [walker(Double(look) * 0.04)], time: Double(look) * 0.04) }
        let before = tracker.tracks.map(\.id)
        for time in [0.16, 0.1, -0.5, .nan, .infinity] {
            tracker.look(at: [walker(3, label: 1)], time: time)
            #expect(tracker.tracks.map(\.id) == before && before == [1])
        }
        // Further back than tracks are kept: a film that starts over.
        tracker.look(at: [walker(0)], time: -2)
        tracker.look(at: [walker(0)], time: -1.96)
        #expect(tracker.tracks.map(\.id) == [2])
    }

    @Test func `classes are kept apart, and numbers that are none do no harm`() {
        let tracker = BoxTracker(.init(.ocsort))
        for look in 0..<10 {
            let time = Double(look) * 0.04
            let broken = BoxTracker.Observation(box: Box(x: .nan, y: 0, width: -.infinity, height: 0), score: .nan)
            tracker.look(at: [walker(time, label: look < 5 ? 0 : 1), broken], time: time)
        }
        #expect(Set(tracker.tracks.filter { $0.id != 0 }.map(\.label)) == [0, 1])
        let huge = BoxTracker.Observation(box: Box(x: -1e30, y: 1e30, width: 1e38, height: 1e38), score: 1)
        for look in 10..<20 { tracker.look(at: [huge, walker(Double(look) * 0.04)], time: Double(look) * 0.04) }
        #expect(tracker.tracks.contains { $0.isSeen && $0.box.x < 1000 && $0.box.x > 0 })
    }

    @Test(arguments: [false, true]) func `between looks a track moves with the picture, or at its speed`(
        byPicture: Bool
    ) {
        let tracker = BoxTracker(.init(.bytetrack))
        for look in 0..<10 { tracker.look(at: [walker(Double(look) * 0.2)], time: Double(look) * 0.2) }
        // The camera turns: everything goes left by 10 pixels a frame, whatever it did before.
        for frame in 1...4 {
            let time = 1.8 + Double(frame) * 0.04
            if byPicture { tracker.move(to: time) { _ in Point(x: -10, y: 0) } } else { tracker.move(to: time) }
        }
        let x = tracker.tracks[0].box.x
        #expect(abs(x - (byPicture ? 280 - 40 : 280 + 16)) < 2)
        // The next look finds it there.
        if byPicture {
            tracker.move(to: 2) { _ in Point(x: -10, y: 0) }
            var seen = walker(0)
            seen.box.x = 230
            tracker.look(at: [seen], time: 2)
            #expect(tracker.tracks.map(\.id) == [1] && tracker.tracks[0].isSeen)
            #expect(tracker.tracks[0].velocity.x < -150)
        }
    }

    /// Twenty walkers that stay in sight.
    private static func twenty(_ time: Double) -> [BoxTracker.Observation] {
        (0..<20).map { number -> BoxTracker.Observation in
            let sway: Float = 40 * sinf(Float(time) + Float(number))
            let x = Float(number % 5 * 200) + sway
            let box = Box(x: x, y: Float(number / 5 * 220), width: 80, height: 180)
            return BoxTracker.Observation(box: box, score: number % 3 == 0 ? 0.5 : 0.9)
        }
    }

    @Test(
        .enabled(if: vpipe_malloc_counter_works() == 1, "allocations are not counted under a sanitizer"),
        .timeLimit(.minutes(15)))
    func `a look at twenty tracks costs no allocation`() async {
        await #expect(processExitsWith: .success) {
            for method in BoxTracker.Method.allCases {
                let tracker = BoxTracker(.init(method))
                var looks = (0..<60).map { look in Self.twenty(Double(look) * 0.04) }
                for look in looks.indices { looks[look] = looks[look].map { .init(box: $0.box, score: 0.9) } }
                for look in 0..<40 { tracker.look(at: looks[look], time: Double(look) * 0.04) }
                #if DEBUG
                    let counter = vpipe_malloc_large_count
                #else
                    let counter = vpipe_malloc_count
                #endif
                let before = counter()
                for look in 40..<60 {
                    tracker.move(to: Double(look) * 0.04)
                    tracker.look(at: looks[look], time: Double(look) * 0.04)
                }
                let count = counter() - before
                guard count == 0, tracker.tracks.filter({ $0.id != 0 }).count == 20 else {
                    print("\(method): \(count) allocations in twenty looks, \(tracker.tracks.count) tracks")
                    fflush(nil)
                    exit(EXIT_FAILURE)
                }
            }
        }
    }

    @Test(.enabled(if: ProcessInfo.processInfo.environment["VPIPE_FIGURES"] != nil, "figures are not asked for"))
    func `figures of tracking`() {
        for method in BoxTracker.Method.allCases {
            let tracker = BoxTracker(.init(method))
            let looks = (0..<2000).map { Self.twenty(Double($0) * 0.04) }
            let start = ContinuousClock.now
            for (number, look) in looks.enumerated() {
                tracker.move(to: Double(number) * 0.04)
                tracker.look(at: look, time: Double(number) * 0.04)
            }
            let microseconds = (ContinuousClock.now - start) / Duration.microseconds(looks.count)
            print("\(method.rawValue): \(microseconds) us a frame with \(tracker.tracks.count) tracks")
        }
    }
}
