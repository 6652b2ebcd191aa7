// SPDX-License-Identifier: Apache-2.0
public import Annotations

/// Structural average precision (sAP) of found line segments against labelled ones.
///
/// A found line, best first, is a hit when the labelled line nearest to it is nearer than a limit and not taken yet; the
/// distance is the sum of both ends' squared distances, in a picture stretched to 128 by 128.
///
/// - Note: Source: Zhou et al., "End-to-End Wireframe Parsing", ICCV 2019.
/// - Note: Thread-safety: a value.
public struct LineAccuracy: Sendable {
    /// Limits of the usual figures: sAP5, sAP10, sAP15.
    public static let limits: [Float] = [5, 10, 15]
    /// Side of the square in which ends are compared.
    public static let square: Float = 128

    /// Labelled lines so far.
    public private(set) var lines = 0
    private var scores: [Float] = []
    private var hits: [[Bool]] = limits.map { _ in [] }

    /// Starts with nothing.
    public init() {}

    /// Adds one picture's lines, found and labelled, in pixels of a picture of this size.
    public mutating func add(found: [LineSegment], truth: [LineSegment], width: Int, height: Int) {
        let labelled = truth.map { Self.squared($0, width, height) }
        let best = found.sorted { $0.score > $1.score }
        lines += truth.count
        scores += best.map(\.score)
        let nearest = best.map { line -> (index: Int, distance: Float)? in
            let line = Self.squared(line, width, height)
            return labelled.indices.map { ($0, Self.distance(line, labelled[$0])) }.min { $0.1 < $1.1 }
        }
        for (position, limit) in Self.limits.enumerated() {
            var isTaken = [Bool](repeating: false, count: labelled.count)
            for near in nearest {
                guard let near, near.distance < limit, !isTaken[near.index] else {
                    hits[position].append(false)
                    continue
                }
                isTaken[near.index] = true
                hits[position].append(true)
            }
        }
    }

    /// The figure at each of ``limits``, 0...1.
    public var averagePrecisions: [Double] {
        let order = scores.indices.sorted { (scores[$1], $0) < (scores[$0], $1) }
        return hits.map { hits in
            var found = 0
            let curve = order.enumerated().map { position, index -> (recall: Double, precision: Double) in
                found += hits[index] ? 1 : 0
                return (Double(found) / Double(max(1, lines)), Double(found) / Double(position + 1))
            }
            return FaceAccuracy.area(under: curve)
        }
    }

    /// How many of `wanted` have a line of `found` nearer than 10.
    static func kept(_ wanted: [LineSegment], by found: [LineSegment], width: Int, height: Int) -> Int {
        let others = found.map { squared($0, width, height) }
        return wanted.count { line in
            let line = squared(line, width, height)
            return others.contains { distance(line, $0) < limits[1] }
        }
    }

    private static func squared(_ line: LineSegment, _ width: Int, _ height: Int) -> LineSegment {
        let (x, y) = (square / Float(max(1, width)), square / Float(max(1, height)))
        return LineSegment(
            from: Point(x: line.from.x * x, y: line.from.y * y), to: Point(x: line.to.x * x, y: line.to.y * y),
            score: line.score)
    }

    /// The sum of both ends' squared distances, in the better order.
    static func distance(_ a: LineSegment, _ b: LineSegment) -> Float {
        func apart(_ p: Point, _ q: Point) -> Float { (p.x - q.x) * (p.x - q.x) + (p.y - q.y) * (p.y - q.y) }
        return min(apart(a.from, b.from) + apart(a.to, b.to), apart(a.from, b.to) + apart(a.to, b.from))
    }
}
