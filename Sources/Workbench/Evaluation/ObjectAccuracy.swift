// SPDX-License-Identifier: Apache-2.0
public import Annotations

/// Average precision of found objects against labelled ones, as COCO defines it.
///
/// For every class, range of areas and overlap: detections, best first and a hundred a picture at most, take the free
/// object of their class that they overlap most, if by enough. Crowds and objects outside the range count neither way; nor do
/// detections matched to them, nor unmatched ones outside the range. A crowd takes any number, measured by the share of the
/// detection inside it. Precision is the best at any recall from there on, averaged over 101 recalls.
///
/// - Note: Source: Lin et al., "Microsoft COCO: Common Objects in Context", 2014, and its evaluation code.
/// - Note: Thread-safety: a value.
public struct ObjectAccuracy: Sendable {
    /// One labelled object.
    public struct Truth: Sendable, Hashable {
        /// Where it is.
        public var box: Box
        /// Index of its class.
        public var label: Int
        /// In square pixels; of its outline where that is known.
        public var area: Float
        /// Whether it stands for many.
        public var isCrowd: Bool

        /// A labelled object.
        public init(box: Box, label: Int, area: Float, isCrowd: Bool = false) {
            self.box = box
            self.label = label
            self.area = area
            self.isCrowd = isCrowd
        }
    }

    /// Which objects count, by their area in square pixels.
    public enum Size: Int, Sendable, CaseIterable {
        /// Every one.
        case all
        /// Up to 32 by 32.
        case small
        /// Up to 96 by 96.
        case medium
        /// From there on.
        case large

        fileprivate func holds(_ area: Float) -> Bool {
            switch self {
            case .all: area >= 0 && area <= 1e10
            case .small: area >= 0 && area <= 32 * 32
            case .medium: area >= 32 * 32 && area <= 96 * 96
            case .large: area >= 96 * 96 && area <= 1e10
            }
        }
    }

    /// Overlaps (intersection over union) that a match needs: 0.5 to 0.95.
    ///
    /// To the last bit those of the reference, as many boxes of whole pixels overlap by exactly such a share.
    public static let overlaps = (0..<10).map { 0.5 + Double($0) * ((0.95 - 0.5) / 9) }
    /// Detections of a class that count in a picture.
    public static let limit = 100

    /// What became of a class's detections in a picture at one overlap.
    private struct Judged {
        let score: Float
        let isHit: Bool
    }

    private struct Key: Hashable {
        let label: Int
        let size: Size
        let overlap: Int
    }

    private let classes: Int
    private var judged: [Key: [Judged]] = [:]
    private var counts: [[Int]]

    /// Starts with nothing.
    public init(classes: Int) {
        self.classes = classes
        counts = Size.allCases.map { _ in [Int](repeating: 0, count: classes) }
    }

    /// Adds one picture's objects, found and labelled; labels that are no class are left out.
    public mutating func add(found: [Detection], truth: [Truth]) {
        for label in 0..<classes {
            let own = truth.filter { $0.label == label }
            let sorted = found.indices.filter { found[$0].label == label }
                .sorted { (found[$1].score, $0) < (found[$0].score, $1) }.prefix(Self.limit).map { found[$0] }
            guard !own.isEmpty || !sorted.isEmpty else { continue }
            for size in Size.allCases { add(sorted, own, label, size) }
        }
    }

    private mutating func add(_ found: [Detection], _ truth: [Truth], _ label: Int, _ size: Size) {
        // Those that count come first: a detection takes one of the others only where none of them will do.
        let counting = truth.filter { !$0.isCrowd && size.holds($0.area) }
        let objects = counting + truth.filter { $0.isCrowd || !size.holds($0.area) }
        counts[size.rawValue][label] += counting.count
        let shared = found.map { detection in objects.map { Self.overlap(detection.box, $0) } }
        for (index, least) in Self.overlaps.enumerated() {
            var isTaken = [Bool](repeating: false, count: objects.count)
            for (row, detection) in found.enumerated() {
                var (best, match) = (min(least, 1 - 1e-10), -1)
                for place in objects.indices where !isTaken[place] || objects[place].isCrowd {
                    if match >= 0, match < counting.count, place >= counting.count { break }
                    guard shared[row][place] >= best else { continue }
                    (best, match) = (shared[row][place], place)
                }
                let isNeutral = match < 0 ? !size.holds(detection.box.area) : match >= counting.count
                if match >= 0 { isTaken[match] = true }
                guard !isNeutral else { continue }
                judged[Key(label: label, size: size, overlap: index), default: []].append(
                    Judged(score: detection.score, isHit: match >= 0))
            }
        }
    }

    private static func overlap(_ box: Box, _ truth: Truth) -> Double {
        // In doubles, as the reference: sums of large coordinates decide at exactly half.
        func ends(_ start: Float, _ extent: Float) -> (Double, Double) {
            (Double(start), Double(start) + Double(extent))
        }
        let (x, other) = (ends(box.x, box.width), ends(truth.box.x, truth.box.width))
        let (y, below) = (ends(box.y, box.height), ends(truth.box.y, truth.box.height))
        let across = min(x.1, other.1) - max(x.0, other.0)
        let down = min(y.1, below.1) - max(y.0, below.0)
        guard across > 0, down > 0 else { return 0 }
        let own = Double(box.width) * Double(box.height)
        let all = truth.isCrowd ? own : own + Double(truth.box.width) * Double(truth.box.height) - across * down
        return across * down / all
    }

    // MARK: - Figures

    /// How many objects of a class count; nil counts all classes.
    public func objects(of label: Int? = nil, _ size: Size = .all) -> Int {
        label.map { counts[size.rawValue][$0] } ?? counts[size.rawValue].reduce(0, +)
    }

    /// Mean average precision, 0...1, over classes that have objects of the size; nil where none has.
    ///
    /// - Parameters:
    ///   - label: one class only.
    ///   - overlap: index into ``overlaps``; nil is the mean over all of them.
    public func averagePrecision(of label: Int? = nil, _ size: Size = .all, overlap: Int? = nil) -> Double? {
        mean(label, size, overlap) { curve($0).precision }
    }

    /// The share of the objects found, at best, with a hundred detections a picture; the mean over ``overlaps``.
    public func recall(_ size: Size = .all) -> Double? { mean(nil, size, nil) { curve($0).recall } }

    private func mean(_ label: Int?, _ size: Size, _ overlap: Int?, _ figure: (Key) -> Double) -> Double? {
        let labels = (label.map { [$0] } ?? Array(0..<classes)).filter { counts[size.rawValue][$0] > 0 }
        let overlaps = overlap.map { [$0] } ?? Array(Self.overlaps.indices)
        guard !labels.isEmpty else { return nil }
        let sum = labels.reduce(0.0) { sum, label in
            sum + overlaps.reduce(0.0) { $0 + figure(Key(label: label, size: size, overlap: $1)) }
        }
        return sum / Double(labels.count * overlaps.count)
    }

    /// Average precision and the last recall of one class, size and overlap.
    private func curve(_ key: Key) -> (precision: Double, recall: Double) {
        let total = Double(counts[key.size.rawValue][key.label])
        let all = judged[key] ?? []
        let order = all.indices.sorted { (all[$1].score, $0) < (all[$0].score, $1) }
        var hits = 0
        var (recalls, precisions) = ([Double](), [Double]())
        for (place, index) in order.enumerated() {
            hits += all[index].isHit ? 1 : 0
            recalls.append(Double(hits) / total)
            precisions.append(Double(hits) / Double(place + 1))
        }
        for place in precisions.indices.dropLast().reversed() {
            precisions[place] = max(precisions[place], precisions[place + 1])
        }
        var (sum, place) = (0.0, 0)
        for step in 0...100 {
            while place < recalls.count, recalls[place] < Double(step) * 0.01 { place += 1 }
            guard place < recalls.count else { break }
            sum += precisions[place]
        }
        return (sum / 101, recalls.last ?? 0)
    }
}
