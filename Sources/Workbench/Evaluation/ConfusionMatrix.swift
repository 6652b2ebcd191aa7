// SPDX-License-Identifier: Apache-2.0

/// How often each class was taken for each: rows are the truth, columns the prediction.
///
/// - Note: Source: Everingham et al., The Pascal VOC Challenge, 2010, section 4.2; one matrix over a whole set.
/// - Note: Thread-safety: a value.
public struct ConfusionMatrix: Sendable, Hashable {
    /// Number of classes.
    public let classes: Int
    /// Counts, row by row.
    public private(set) var counts: [Int]

    /// By true class, what was predicted to be none (void).
    public private(set) var undecided: [Int]

    /// An empty matrix.
    public init(classes: Int) {
        self.classes = classes
        counts = [Int](repeating: 0, count: classes * classes)
        undecided = [Int](repeating: 0, count: classes)
    }

    /// Counts pixel by pixel; those whose truth is no class (void) are left out.
    ///
    /// A prediction that is no class is a miss of the true one.
    ///
    /// - Precondition: as many predictions as truths.
    public mutating func add(truth: [UInt8], prediction: [UInt8]) {
        precondition(truth.count == prediction.count, "a prediction for every pixel")
        for (row, column) in zip(truth, prediction) where Int(row) < classes {
            if Int(column) < classes {
                counts[Int(row) * classes + Int(column)] += 1
            } else {
                undecided[Int(row)] += 1
            }
        }
    }

    /// Intersection over union of a class, 0...1; 0 where it neither is nor was predicted.
    public func iou(of label: Int) -> Double {
        let hits = counts[label * classes + label]
        let row = (0..<classes).reduce(undecided[label]) { $0 + counts[label * classes + $1] }
        let column = (0..<classes).reduce(0) { $0 + counts[$1 * classes + label] }
        return Double(hits) / Double(max(1, row + column - hits))
    }

    /// The mean of all classes' intersection over union.
    public var meanIoU: Double {
        (0..<classes).reduce(0) { $0 + iou(of: $1) } / Double(max(1, classes))
    }

    /// The share of the counted pixels that were predicted right.
    public var accuracy: Double { Double(hits) / Double(max(1, decided + undecided.reduce(0, +))) }

    /// The share of the pixels predicted to be some class that were predicted right.
    public var precision: Double { Double(hits) / Double(max(1, decided)) }

    /// The share of the counted pixels that were predicted to be no class.
    public var voidShare: Double {
        let void = undecided.reduce(0, +)
        return Double(void) / Double(max(1, decided + void))
    }

    private var hits: Int { (0..<classes).reduce(0) { $0 + counts[$1 * classes + $1] } }
    private var decided: Int { counts.reduce(0, +) }
}
