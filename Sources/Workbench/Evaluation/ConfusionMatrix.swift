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

    /// An empty matrix.
    public init(classes: Int) {
        self.classes = classes
        counts = [Int](repeating: 0, count: classes * classes)
    }

    /// Counts pixel by pixel; those whose truth is no class (void) are left out.
    ///
    /// - Precondition: as many predictions as truths, every prediction a class.
    public mutating func add(truth: [UInt8], prediction: [UInt8]) {
        precondition(truth.count == prediction.count, "a prediction for every pixel")
        for (row, column) in zip(truth, prediction) where Int(row) < classes {
            counts[Int(row) * classes + Int(column)] += 1
        }
    }

    /// Intersection over union of a class, 0...1; 0 where it neither is nor was predicted.
    public func iou(of label: Int) -> Double {
        let hits = counts[label * classes + label]
        let row = (0..<classes).reduce(0) { $0 + counts[label * classes + $1] }
        let column = (0..<classes).reduce(0) { $0 + counts[$1 * classes + label] }
        return Double(hits) / Double(max(1, row + column - hits))
    }

    /// The mean of all classes' intersection over union.
    public var meanIoU: Double {
        (0..<classes).reduce(0) { $0 + iou(of: $1) } / Double(max(1, classes))
    }

    /// The share of the counted pixels that were predicted right.
    public var accuracy: Double {
        let hits = (0..<classes).reduce(0) { $0 + counts[$1 * classes + $1] }
        return Double(hits) / Double(max(1, counts.reduce(0, +)))
    }
}
