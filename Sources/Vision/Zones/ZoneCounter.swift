// SPDX-License-Identifier: Apache-2.0
public import Annotations

/// Counts who crosses lines and who is in areas, from tracks.
///
/// ```
///   way of a track   A A A a b A a b b b B B B B     a, b: within the margin; A, B: beyond it
///   settled          A A A A A A A A A A A B B B     after `hold` on one side
///                                          ^ counted: settled elsewhere, and the way led through the line
/// ```
/// A way is straight between sightings, so that what is fast, seen seldom or hidden for a moment counts at the instant in
/// which it must have crossed. Times are of the stream, so that frame rates make no difference.
/// - Note: Thread-safety: confined.
public final class ZoneCounter {
    /// A line or area to watch.
    public struct Definition: Sendable, Hashable {
        /// As the pipeline calls it.
        public var name: String
        /// In pixels of the source frame.
        public var shape: Zone.Shape
        /// What counts; nil is everything.
        public var classes: Set<String>?

        /// Describes a zone.
        public init(name: String, shape: Zone.Shape, classes: Set<String>? = nil) {
            self.name = name
            self.shape = shape
            self.classes = classes
        }
    }

    /// Which point of a box says where it is.
    public enum Anchor: String, Sendable, CaseIterable { case auto, bottom, centre }

    /// What a counter goes by.
    public struct Options: Sendable, Hashable {
        /// Seconds that something must be on a side, before and after, to count.
        public var hold = 0.25
        /// Seconds after which the same track counts again in the same direction.
        public var rearm = 1.0
        /// How far from the border it must be to be on a side, as a share of the box's height.
        public var margin = 0.02
        /// Which point of a box says where it is.
        public var anchor = Anchor.auto

        /// The usual settings.
        public init() {}
    }

    private struct Sighting {
        var time: Double
        var point: Point
        var height: Double
    }

    /// Where a track is beside one zone.
    private struct Side {
        /// Distance of the last sighting.
        var distance: Double
        /// The side it is on for sure: 1 is that of `in`, 0 none yet.
        var settled = 0
        /// Since when it is there.
        var settledSince = 0.0
        /// The side that it is on now, beyond the margin, and since when.
        var current = 0
        var since = 0.0
        /// Ways through the line since it settled: those to the side of `in` less the others.
        var passages = 0
        /// When it went through last.
        var passedAt = 0.0
        var countedAt = (in: -Double.infinity, out: -Double.infinity)
    }

    private struct Known {
        var last: Sighting
        var sides: [Side]
        var isOfUse = true
    }

    private var definitions: [Definition] = []
    private var options: Options
    private var zones: [Zone] = []
    private var known: [Int: Known] = [:]

    /// Makes a counter that has counted nothing.
    public init(_ definitions: [Definition], _ options: Options = Options()) {
        self.options = options
        change(to: definitions, options)
    }

    /// Goes on with other zones; those with the name and shape of before keep their counts.
    public func change(to new: [Definition], _ options: Options) {
        let before = zones
        self.options = options
        guard new != definitions else { return }
        definitions = new
        known = [:]
        zones = new.enumerated().map { number, definition in
            var zone = Zone(name: definition.name, number: number, shape: definition.shape)
            if let old = before.first(where: { $0.name == zone.name && $0.shape == zone.shape }) {
                zone.tallies = old.tallies
            }
            return zone
        }
    }

    /// The zones as they are, when no track was looked for.
    public func unchanged() -> [Zone] {
        for index in zones.indices {
            zones[index].passages.removeAll(keepingCapacity: true)
        }
        return zones
    }

    /// Takes the tracks of a frame; the zones with what has changed.
    public func update(_ tracks: [Track], at time: Double) -> [Zone] {
        for index in zones.indices {
            zones[index].passages.removeAll(keepingCapacity: true)
            zones[index].inside.removeAll(keepingCapacity: true)
        }
        for id in known.keys { known[id]?.isOfUse = false }
        for track in tracks {
            follow(track, time)
            known[track.id]?.isOfUse = true
            visit(track, time)
        }
        if known.count > tracks.count { known = known.filter { $0.value.isOfUse } }
        return zones
    }

    private func follow(_ track: Track, _ time: Double) {
        // Where it is thought to be is no sighting.
        guard track.state == .seen else { return }
        if known[track.id] == nil {
            // It was there before it was sure to be a track.
            begin(track, with: sighting(track.start, track.name, time - track.duration))
        }
        guard var entry = known.removeValue(forKey: track.id) else { return }
        let next = sighting(track.box, track.name, time)
        if next.time > entry.last.time {
            for index in definitions.indices { step(&entry.sides[index], zone: index, track, entry.last, next) }
            entry.last = next
        }
        known[track.id] = entry
    }

    private func begin(_ track: Track, with first: Sighting) {
        let sides = definitions.map { definition in
            let distance = definition.shape.distance(of: first.point)
            var side = Side(distance: distance)
            if abs(distance) > options.margin * first.height {
                side.current = distance > 0 ? 1 : -1
                side.since = first.time
            }
            return side
        }
        known[track.id] = Known(last: first, sides: sides)
    }

    private func step(_ side: inout Side, zone: Int, _ track: Track, _ last: Sighting, _ next: Sighting) {
        let definition = definitions[zone]
        guard definition.classes?.contains(track.name) ?? true else { return }
        let shape = definition.shape
        let (from, to) = (side.distance, shape.distance(of: next.point))
        let margin = options.margin * next.height
        side.distance = to
        /// When the straight way was that far from the border.
        func instant(_ distance: Double) -> Double {
            let share = to == from ? 1 : max(0, min(1, (distance - from) / (to - from)))
            return last.time + share * (next.time - last.time)
        }
        let here = to > margin ? 1 : to < -margin ? -1 : 0
        if side.current != 0, here != side.current {
            // It was there until it came within the margin, or went on through.
            settle(&side, zone: zone, track, until: instant(Double(side.current) * margin))
        }
        if shape.isCrossed(from: (last.point, from), to: (next.point, to)) {
            side.passages += to >= 0 ? 1 : -1
            side.passedAt = instant(0)
        }
        if here != side.current {
            side.current = here
            side.since = here == 0 ? next.time : instant(Double(here) * margin)
        }
        if here != 0 { settle(&side, zone: zone, track, until: next.time) }
    }

    /// It was on its current side up to an instant: for long enough, that is where it is.
    private func settle(_ side: inout Side, zone: Int, _ track: Track, until time: Double) {
        // Instants between sightings are not exact to the last bit.
        guard time - side.since >= options.hold - 1e-6 else { return }
        if side.settled == -side.current, side.passages * side.current > 0 {
            count(&side, zone: zone, track)
        }
        if side.settled != side.current { side.settledSince = side.since }
        side.settled = side.current
        side.passages = 0
    }

    private func count(_ side: inout Side, zone: Int, _ track: Track) {
        let isIn = side.current > 0
        let before = isIn ? side.countedAt.in : side.countedAt.out
        guard side.passedAt - before >= options.rearm else { return }
        if isIn { side.countedAt.in = side.passedAt } else { side.countedAt.out = side.passedAt }
        let place =
            zones[zone].tallies.firstIndex { $0.name == track.name }
            ?? {
                zones[zone].tallies.append(Zone.Tally(name: track.name))
                return zones[zone].tallies.count - 1
            }()
        if isIn { zones[zone].tallies[place].entered += 1 } else { zones[zone].tallies[place].left += 1 }
        zones[zone].passages.append(
            Zone.Passage(
                track: track.id, name: track.name, direction: isIn ? .in : .out, time: side.passedAt))
    }

    /// Notes in which areas a track is.
    private func visit(_ track: Track, _ time: Double) {
        guard let entry = known[track.id] else { return }
        for index in definitions.indices where zones[index].isArea && entry.sides[index].settled > 0 {
            let dwell = max(0, time - entry.sides[index].settledSince)
            zones[index].inside.append(Zone.Visit(track: track.id, name: track.name, dwell: dwell))
        }
    }

    private func sighting(_ box: Box, _ name: String, _ time: Double) -> Sighting {
        let isCentre = options.anchor == .centre || (options.anchor == .auto && name == "face")
        return Sighting(
            time: time,
            point: Point(x: box.x + box.width / 2, y: box.y + (isCentre ? box.height / 2 : box.height)),
            height: Double(box.height))
    }
}
