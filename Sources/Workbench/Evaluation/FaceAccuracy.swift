// SPDX-License-Identifier: Apache-2.0
public import Annotations

/// Average precision of found faces against labelled ones, as WIDER FACE measures it.
///
/// A detection belongs to the labelled face it overlaps most, if by half (intersection over union, counting whole
/// pixels). The first on a counted face is a hit, later ones are misses; on a face that does not count it is neutral.
///
/// - Note: Source: Yang et al., "WIDER FACE: A Face Detection Benchmark", CVPR 2016, and its evaluation code.
/// - Note: Thread-safety: a value.
public struct FaceAccuracy: Sendable {
    /// One labelled face.
    public struct Truth: Sendable, Hashable {
        /// Where it is.
        public var box: Box
        /// Whether finding it counts; finding one that does not is neither right nor wrong.
        public var isCounted: Bool

        /// A labelled face.
        public init(box: Box, isCounted: Bool = true) {
            self.box = box
            self.isCounted = isCounted
        }
    }

    /// What became of a detection.
    enum Outcome: Sendable, Hashable { case hit, miss, neutral }

    /// A detection's score and what became of it.
    private struct Judged {
        let score: Float
        let outcome: Outcome
    }

    /// IoU from which a detection matches a labelled face.
    public static let matchingIoU: Float = 0.5

    /// Counted faces so far.
    public private(set) var faces = 0
    /// Pictures so far, each with its detections from the best score down.
    private var pictures: [[Judged]] = []
    private let smallest: Float

    /// Starts with nothing.
    ///
    /// - Parameter smallest: detections that overlap no face and whose side (root of the area) is below this are neutral;
    ///   for labels that leave small faces out.
    public init(smallest: Float = 0) { self.smallest = smallest }

    /// Adds one picture's faces, found and labelled.
    public mutating func add(found: [Face], truth: [Truth]) {
        let sorted = found.indices.sorted { (found[$1].score, $0) < (found[$0].score, $1) }.map { found[$0] }
        faces += truth.count(where: \.isCounted)
        pictures.append(
            zip(sorted, Self.match(sorted.map(\.box), truth, smallest: smallest)).map {
                Judged(score: $0.score, outcome: $1)
            })
    }

    /// Average precision over all detections, 0...1.
    public var averagePrecision: Double {
        let all = pictures.joined().filter { $0.outcome != .neutral }.sorted { $0.score > $1.score }
        var (hits, curve) = (0, [(recall: Double, precision: Double)]())
        for (index, detection) in all.enumerated() {
            hits += detection.outcome == .hit ? 1 : 0
            // Detections of one score stand or fall together.
            guard index + 1 == all.count || all[index + 1].score < detection.score else { continue }
            curve.append((Double(hits) / Double(max(1, faces)), Double(hits) / Double(index + 1)))
        }
        return Self.area(under: curve)
    }

    /// Average precision as the official code computes it: at a thousand thresholds over the scores of all pictures.
    public var officialAveragePrecision: Double {
        let scores = pictures.joined().map(\.score)
        guard let low = scores.min(), let high = scores.max() else { return 0 }
        let steps = 1000
        var proposals = [Int](repeating: 0, count: steps)
        var hits = [Int](repeating: 0, count: steps)
        for picture in pictures {
            var (position, kept, found) = (0, 0, 0)
            for step in 0..<steps {
                let threshold = 1 - Double(step + 1) / Double(steps)
                while position < picture.count,
                    Self.normalised(picture[position].score, low, high) >= threshold
                {
                    kept += picture[position].outcome == .neutral ? 0 : 1
                    found += picture[position].outcome == .hit ? 1 : 0
                    position += 1
                }
                proposals[step] += kept
                hits[step] += found
            }
        }
        return Self.area(
            under: (0..<steps).filter { proposals[$0] > 0 }.map {
                (Double(hits[$0]) / Double(max(1, faces)), Double(hits[$0]) / Double(proposals[$0]))
            })
    }

    /// Share of the counted faces found, and of the detections that are right, among those above a score.
    public func recallAndPrecision(above score: Float) -> (recall: Double, precision: Double) {
        let kept = pictures.joined().filter { $0.score > score && $0.outcome != .neutral }
        let hits = kept.count { $0.outcome == .hit }
        return (Double(hits) / Double(max(1, faces)), Double(hits) / Double(max(1, kept.count)))
    }

    // MARK: - Steps

    /// What becomes of boxes, best first.
    static func match(_ boxes: [Box], _ truth: [Truth], smallest: Float = 0) -> [Outcome] {
        var isFound = [Bool](repeating: false, count: truth.count)
        return boxes.map { box in
            let ious = truth.map { box.countingEdges.iou($0.box.countingEdges) }
            guard let best = ious.indices.max(by: { ious[$0] < ious[$1] }), ious[best] >= matchingIoU else {
                return (box.width * box.height).squareRoot() < smallest ? .neutral : .miss
            }
            guard truth[best].isCounted else { return .neutral }
            defer { isFound[best] = true }
            return isFound[best] ? .miss : .hit
        }
    }

    /// All-points area: precision is the best at any recall from there on.
    static func area(under curve: [(recall: Double, precision: Double)]) -> Double {
        var (area, best, recall) = (0.0, 0.0, curve.last?.recall ?? 0)
        for point in curve.reversed() {
            area += (recall - point.recall) * best
            best = max(best, point.precision)
            recall = point.recall
        }
        return area + recall * best
    }

    private static func normalised(_ score: Float, _ low: Float, _ high: Float) -> Double {
        high > low ? Double(score - low) / Double(high - low) : 1
    }
}
