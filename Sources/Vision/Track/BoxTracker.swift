// SPDX-License-Identifier: Apache-2.0
public import Annotations

/// Follows boxes from look to look, so that each keeps its id; all times are seconds.
///
/// ```
///  look: boxes found --+
///                      +--> predicted boxes x found boxes, by IoU --> matched: the track is updated
///  every frame: move --+                                              not matched: lost, or a new track
/// ```
/// - `byteTrack`: Y. Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box" (2022): boxes
///   of low score are matched with what is left of the tracks.
/// - `ocSort`: J. Cao et al., "Observation-Centric SORT" (2023): the direction in which a track went counts, what was
///   lost is looked for where it was last seen, and its filter is replayed over the gap.
///
/// What one step of the filter means is taken from the pace of the looks, their median distance, so that every second or
/// fifth frame gives the tracks that a fixed step would give, and a missed look is two steps.
/// - Note: Thread-safety: confined. Allocates when there are more tracks or boxes than ever before.
public final class BoxTracker {
    /// How boxes are followed.
    public enum Method: String, Sendable, CaseIterable { case bytetrack, ocsort }

    /// One box that was found.
    public struct Observation: Sendable, Hashable {
        /// Where, in pixels.
        public var box: Box
        /// Confidence, 0...1.
        public var score: Float
        /// What it is; boxes of different classes are never one track.
        public var label: Int

        /// Describes a box that was found.
        public init(box: Box, score: Float, label: Int = 0) {
            self.box = box
            self.score = score
            self.label = label
        }
    }

    /// What a tracker goes by.
    public struct Options: Sendable, Hashable {
        /// How boxes are followed.
        public var method: Method
        /// Seconds that a track is kept without being seen.
        public var lost: Double
        /// Seconds for which a box must be seen without a gap to be a track; two looks at least.
        public var confirm: Double
        /// Seconds over which the direction of a track is taken (OC-SORT).
        public var lookBack = 0.12
        /// Boxes of lower score are matched last (ByteTrack), or not at all (OC-SORT).
        public var high: Float = 0.6
        /// The score from which a box begins a track.
        public var activate: Float
        /// The least IoU of a track's predicted box and one that was found.
        public var overlap: Double
        /// What the direction counts beside the IoU (OC-SORT).
        public var directionWeight = 0.2

        /// The published settings of a method.
        public init(_ method: Method) {
            self.method = method
            lost = 1
            switch method {
            case .bytetrack: (confirm, activate, overlap) = (0.03, 0.7, 0.1)
            case .ocsort: (confirm, activate, overlap) = (0.12, 0.6, 0.3)
            }
        }
    }

    /// A box that is followed.
    public struct Followed {
        /// From 1; 0 until it is confirmed.
        public internal(set) var id = 0
        /// What it is.
        public internal(set) var label: Int
        /// Where it was seen last, or where it is thought to be now.
        public internal(set) var box: Box
        /// That of the box seen last.
        public internal(set) var score: Float
        /// Where it was seen first.
        public internal(set) var firstBox: Box
        /// The instant in which it was seen first, in seconds.
        public internal(set) var firstSeen: Double
        /// The instant in which it was seen last, in seconds.
        public internal(set) var lastSeen: Double
        /// Whether it was seen at the last look and is sure: OC-SORT wants one that was lost confirmed again.
        public internal(set) var isSeen = false
        /// Index among the observations of the last look of the box seen there; nil where it was not seen.
        public internal(set) var observation: Int?

        /// Since when it is seen without a gap, and how often it was.
        var streakBegan: Double
        var streak: Int
        var filter: BoxFilter
        /// The filter as it was when the track was lost.
        var frozen: BoxFilter?
        /// Looks since it was seen.
        var misses = 0
        /// How far it moved as a whole since the last look, by the picture; nil where that was not measured.
        var moved: SIMD2<Double>?
        var lastBox: Box
        var direction: SIMD2<Double>?
        /// The boxes seen within the look-back, oldest first.
        var seen: [(time: Double, box: Box)] = []

        /// Pixels a second of its middle.
        public internal(set) var velocity = Point(x: 0, y: 0)
    }

    /// What the tracker goes by; a change holds from the next look on.
    public var options: Options
    /// Everything that is followed, confirmed or not, oldest first.
    public internal(set) var tracks: [Followed] = []

    let form: BoxForm
    let noise: BoxFilter.Noise
    /// The instant of the last look, and of the first at which there was anything.
    private(set) var lastLook: Double?
    private var firstFound: Double?
    private var pace: LookPace
    private let makeID: () -> Int
    var assignment = Assignment()
    var gains: [Double] = []
    var overlaps: [Double] = []
    var rows: [Int] = []
    var columns: [Int] = []
    var matchOfObservation: [Int] = []

    /// Makes a tracker that follows nothing yet.
    ///
    /// - Parameters:
    ///   - interval: seconds between looks as far as they are known beforehand; measured from then on.
    ///   - makeID: gives the next id; from 1 on where nothing is given.
    public init(_ options: Options, interval: Double = 0.04, makeID: (() -> Int)? = nil) {
        self.options = options
        pace = LookPace(interval)
        var last = 0
        self.makeID =
            makeID ?? {
                last += 1
                return last
            }
        switch options.method {
        case .bytetrack:
            form = .corners
            noise = BoxFilter.Noise(
                measurement: .init(repeating: 0.1), position: .init(repeating: 0.01),
                velocity: .init(repeating: 0.01), firstPosition: .one, firstVelocity: .one)
        case .ocsort:
            form = .centreAreaRatio
            noise = BoxFilter.Noise(
                measurement: SIMD4(1, 1, 10, 10), position: .one, velocity: SIMD4(0.01, 0.01, 0.0001, 0),
                firstPosition: .init(repeating: 10), firstVelocity: SIMD4(10_000, 10_000, 10_000, 0))
        }
    }

    /// Seconds between looks as a rule.
    var interval: Double { pace.typical }

    /// Forgets all tracks, as after a cut or a loss of signal; ids go on.
    public func reset() {
        tracks.removeAll(keepingCapacity: true)
        lastLook = nil
        firstFound = nil
    }

    /// Moves all boxes to where they are thought to be at an instant; for every frame, before a look at it.
    ///
    /// - Parameters:
    ///   - time: in seconds; earlier than the last look is taken for the last look.
    ///   - motion: how the picture moved within a box since the frame before; nil to go by the velocity.
    public func move(to time: Double, by motion: (Box) -> Point? = { _ in nil }) {
        guard let lastLook else { return }
        let seconds = max(0, time - lastLook)
        for index in tracks.indices {
            if let step = motion(tracks[index].box), step.x.isFinite, step.y.isFinite {
                tracks[index].moved = (tracks[index].moved ?? .zero) + SIMD2(Double(step.x), Double(step.y))
            }
            if let moved = tracks[index].moved {
                // Its size goes on as it did, its place by the picture.
                let kept = tracks[index].filter.position(after: seconds, form)
                let whole = form.translation(tracks[index].filter.velocity) * seconds
                tracks[index].box = form.box(of: kept + form.velocity(translating: moved - whole))
            } else {
                tracks[index].box = form.box(of: tracks[index].filter.position(after: seconds, form))
            }
        }
    }

    /// Takes what was found at an instant, in seconds.
    ///
    /// One not after the last look changes nothing; one that is earlier by more than tracks are kept begins anew.
    public func look(at found: [Observation], time: Double) {
        guard time.isFinite else { return }
        if let lastLook, time < lastLook - options.lost { reset() }
        guard lastLook.map({ time > $0 }) ?? true else { return }
        if let lastLook { pace.note(time - lastLook) }
        if firstFound == nil, !found.isEmpty { firstFound = time }
        predict(to: time)
        forget(at: time)
        matchOfObservation.removeAll(keepingCapacity: true)
        for _ in found { matchOfObservation.append(-1) }
        switch options.method {
        case .bytetrack: associateByScore(found, time)
        case .ocsort: associateByDirection(found, time)
        }
        lastLook = time
    }

    /// Moves the filters on to the look at hand.
    private func predict(to time: Double) {
        guard let lastLook else { return }
        for index in tracks.indices {
            if tracks[index].misses == 1, tracks[index].frozen == nil { tracks[index].frozen = tracks[index].filter }
            tracks[index].filter.predict(
                time - lastLook, interval: interval, motion: tracks[index].moved, noise, form)
            tracks[index].moved = nil
            if tracks[index].misses > 0 { tracks[index].streak = 0 }
            tracks[index].misses += 1
            tracks[index].isSeen = false
            tracks[index].observation = nil
            tracks[index].box = form.box(of: tracks[index].filter.position)
            let velocity = form.translation(tracks[index].filter.velocity)
            tracks[index].velocity = Point(x: Float(velocity.x), y: Float(velocity.y))
        }
    }

    /// Drops the tracks that were lost for too long: their last chance was the look before this one.
    private func forget(at time: Double) {
        let limit = options.lost + min(interval, options.lost) * 1.001
        tracks.removeAll { time - $0.lastSeen > limit }
    }

    /// The track sees a box.
    func update(_ index: Int, _ observation: Observation, number: Int, _ time: Double) {
        let numbers = form.numbers(of: observation.box)
        if options.method == .ocsort {
            if let before = reference(of: index, time) {
                tracks[index].direction = Self.direction(from: before, to: observation.box)
            }
            replay(index, to: numbers, time)
            note(observation.box, of: index, time)
        }
        tracks[index].filter.update(numbers, noise)
        // Since the look that missed it.
        if tracks[index].streak == 0 { tracks[index].streakBegan = lastLook ?? time }
        tracks[index].streak += 1
        tracks[index].misses = 0
        tracks[index].frozen = nil
        tracks[index].lastSeen = time
        tracks[index].lastBox = observation.box
        tracks[index].box = observation.box
        tracks[index].score = observation.score
        tracks[index].observation = number
        let velocity = form.translation(tracks[index].filter.velocity)
        tracks[index].velocity = Point(x: Float(velocity.x), y: Float(velocity.y))
        matchOfObservation[number] = index
        confirm(index, time)
    }

    private func confirm(_ index: Int, _ time: Double) {
        let track = tracks[index]
        // Clocks round to a millisecond.
        var isSure = track.streak > 1 && time - track.streakBegan >= options.confirm - 0.001
        switch options.method {
        case .bytetrack: isSure = isSure || track.id != 0
        // Who is there from the beginning need not wait.
        case .ocsort: isSure = isSure || time - (firstFound ?? time) <= options.confirm + 0.001
        }
        if isSure, track.id == 0 { tracks[index].id = makeID() }
        tracks[index].isSeen = isSure
    }

    /// A box that no track took begins one.
    func begin(_ observation: Observation, number: Int, _ time: Double) {
        matchOfObservation[number] = tracks.count
        tracks.append(
            Followed(
                label: observation.label, box: observation.box, score: observation.score,
                firstBox: observation.box, firstSeen: time, lastSeen: time, observation: number, streakBegan: time,
                streak: 1,
                filter: BoxFilter(form.numbers(of: observation.box), noise), lastBox: observation.box))
    }
}

/// How far apart looks are as a rule: the median of the last nine distances.
private struct LookPace {
    private var last: [Double] = []
    private var sorted: [Double] = []
    private(set) var typical: Double

    init(_ interval: Double) {
        typical = max(interval, 1e-3)
        last.reserveCapacity(10)
        sorted.reserveCapacity(10)
    }

    mutating func note(_ seconds: Double) {
        if last.count == 9 { last.removeFirst() }
        last.append(seconds)
        sorted.removeAll(keepingCapacity: true)
        sorted.append(contentsOf: last)
        sorted.sort()
        typical = max(sorted[sorted.count / 2], 1e-3)
    }
}
