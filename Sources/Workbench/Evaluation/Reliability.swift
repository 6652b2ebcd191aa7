// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Media
internal import Networks

/// How far a segmentation's probabilities can be believed: of the cells that are sure to p, a share p should be right.
///
/// The probability of a cell is that of its best class, the softmax of its logits over a temperature; the truth is the
/// label at its centre.
///
/// - Note: Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017: expected calibration error,
///   temperature scaling by the log likelihood.
/// - Note: Thread-safety: a value.
public struct Reliability: Sendable {
    /// Cells of like probability.
    public struct Bin: Sendable, Hashable {
        /// Their mean probability, 0...1.
        public var confidence = 0.0
        /// The share of them that is right, 0...1.
        public var accuracy = 0.0
        /// How many there are.
        public var count = 0
    }

    /// Cells whose label is a class.
    public var count: Int { truth.count }

    private static let bins = 10
    private let classes: Int
    /// `classes` numbers for each cell, each the logit's distance from the cell's largest.
    private var distances: [Float] = []
    private var truth: [UInt8] = []
    /// Whether the largest logit is the true class's.
    private var isRight: [Bool] = []

    /// Starts with nothing.
    init(classes: Int) { self.classes = classes }

    /// Adds a picture.
    ///
    /// - Parameters:
    ///   - logits: `[classes, rows, columns]` over `cells`.
    ///   - truth: labels of the whole picture, of any size; values that are no class are left out.
    mutating func add(logits: [Float], cells: InputSize, truth picture: IndexedImage) {
        let area = cells.width * cells.height
        precondition(logits.count == classes * area, "a logit for every class and cell")
        for row in 0..<cells.height {
            let y = (2 * row + 1) * picture.height / (2 * cells.height)
            for column in 0..<cells.width {
                let x = (2 * column + 1) * picture.width / (2 * cells.width)
                let label = picture.indices[y * picture.width + x]
                guard Int(label) < classes else { continue }
                let values = (0..<classes).map { logits[$0 * area + row * cells.width + column] }
                guard let best = values.max(), best.isFinite else { continue }
                distances += values.map { $0 - best }
                truth.append(label)
                isRight.append(values[Int(label)] == best)
            }
        }
    }

    /// Cells by their probability at a temperature, in tenths.
    public func bins(_ temperature: Double) -> [Bin] {
        var bins = [Bin](repeating: Bin(), count: Self.bins)
        for index in truth.indices {
            let confidence = 1 / sum(index, temperature)
            let place = min(Self.bins - 1, Int(confidence * Double(Self.bins)))
            bins[place].confidence += confidence
            bins[place].accuracy += isRight[index] ? 1 : 0
            bins[place].count += 1
        }
        return bins.map { bin in
            let count = Double(max(1, bin.count))
            return Bin(confidence: bin.confidence / count, accuracy: bin.accuracy / count, count: bin.count)
        }
    }

    /// Expected calibration error at a temperature, 0...1: the mean distance between probability and share of hits.
    public func error(_ temperature: Double) -> Double {
        bins(temperature).reduce(0) { $0 + abs($1.confidence - $1.accuracy) * Double($1.count) } / Double(max(1, count))
    }

    /// The temperature that makes the labels likeliest, between a fifth and five.
    public var bestTemperature: Double {
        // The loss has one minimum: golden section on the temperature's logarithm.
        let ratio = (5.0.squareRoot() - 1) / 2
        var (low, high) = (log(0.2), log(5.0))
        var (left, right) = (high - ratio * (high - low), low + ratio * (high - low))
        var (leftLoss, rightLoss) = (loss(exp(left)), loss(exp(right)))
        while high - low > 0.01 {
            if leftLoss < rightLoss {
                (high, right, rightLoss) = (right, left, leftLoss)
                left = high - ratio * (high - low)
                leftLoss = loss(exp(left))
            } else {
                (low, left, leftLoss) = (left, right, rightLoss)
                right = low + ratio * (high - low)
                rightLoss = loss(exp(right))
            }
        }
        return exp((low + high) / 2)
    }

    /// Minus the mean log likelihood of the labels.
    private func loss(_ temperature: Double) -> Double {
        var loss = 0.0
        for index in truth.indices {
            loss += log(sum(index, temperature)) - Double(distances[index * classes + Int(truth[index])]) / temperature
        }
        return loss / Double(max(1, count))
    }

    /// The softmax's denominator where the largest term is 1.
    private func sum(_ index: Int, _ temperature: Double) -> Double {
        var sum: Float = 0
        let scale = Float(1 / temperature)
        for place in index * classes..<(index + 1) * classes { sum += expf(distances[place] * scale) }
        return Double(sum)
    }
}
