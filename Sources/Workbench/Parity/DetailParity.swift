// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Foundation
internal import Media

/// Compares what belongs to a box or line, its score and landmarks, and finds which usual mistake tells them apart.
///
/// Rows are paired by where they lie, so a difference of order or of number does not count again here.
struct DetailParity {
    /// One of the node's results.
    struct Row {
        let quad: Quad
        let score: Float
        let landmarks: [Point]
    }

    private struct Guess<Value>: Sendable {
        let cause: String
        let undo: @Sendable (Value) -> Value
    }

    private let pairs: [(own: Row, index: Int)]

    /// Pairs the node's rows with the reference's, nearest first; a row more than a few pixels from any has no partner.
    init(_ rows: [Row], reference: [Quad]) {
        pairs = rows.compactMap { row in
            let distances: [Float] = reference.map { row.quad.distance(to: $0) }
            guard let nearest = distances.indices.min(by: { distances[$0] < distances[$1] }), distances[nearest] <= 4
            else { return nil }
            return (row, nearest)
        }
    }

    // MARK: - Scores

    /// - Parameter scores: one of each row of the reference.
    func scores(_ scores: [Float]) -> ParityReport.Stage {
        stage(
            "scores", theirs: { scores[$0] }, ours: \.score, difference: { abs($0 - $1) }, near: 0.01, unit: "",
            guesses: Self.scoreGuesses)
    }

    private static let scoreGuesses: [Guess<Float>] = [
        Guess(cause: "logits: the reference's scores are from before the sigmoid", undo: sigmoid),
        Guess(cause: "the other channel: the reference's scores are those of the background") { 1 - $0 },
        Guess(cause: "percent: the reference's scores are 100 times the node's") { $0 / 100 },
        Guess(cause: "one activation too many: the reference's scores went through the sigmoid twice", undo: logit),
        Guess(cause: "squared: the reference multiplies two equal scores, or the node takes a root") {
            $0.squareRoot()
        },
    ]

    @Sendable private static func sigmoid(_ value: Float) -> Float { 1 / (1 + exp(-value)) }
    @Sendable private static func logit(_ value: Float) -> Float {
        value > 0 && value < 1 ? log(value / (1 - value)) : value
    }

    // MARK: - Landmarks

    /// Ten numbers, x and y of five points, and the box that they belong to.
    private struct Marks {
        var box: Quad
        var values: [Float]

        /// The numbers in another order.
        func reordered(_ order: [Int]) -> Marks { Marks(box: box, values: order.map { values[$0] }) }

        /// The numbers scaled and shifted, x and y apart.
        func moved(scale: (x: Float, y: Float) = (1, 1), by origin: (x: Float, y: Float)) -> Marks {
            let moved = values.enumerated().map { index, value in
                index % 2 == 0 ? value * scale.x + origin.x : value * scale.y + origin.y
            }
            return Marks(box: box, values: moved)
        }

        func difference(from other: Marks) -> Float {
            zip(values, other.values).map { abs($0 - $1) }.max() ?? .infinity
        }
    }

    /// - Parameter landmarks: ten numbers of each row of the reference: x, y of each point.
    func landmarks(_ landmarks: [[Float]]) -> ParityReport.Stage {
        let boxes = Dictionary(pairs.map { ($0.index, $0.own.quad) }, uniquingKeysWith: { $1 })
        return stage(
            "landmarks",
            theirs: { Marks(box: boxes[$0] ?? Quad(0, 0, 0, 0), values: landmarks[$0]) },
            ours: { row in Marks(box: row.quad, values: row.landmarks.flatMap { [$0.x, $0.y] }) },
            difference: { $0.difference(from: $1) }, near: 1.5, unit: " px", guesses: Self.landmarkGuesses)
    }

    private static let landmarkGuesses: [Guess<Marks>] = [
        Guess(cause: "left and right exchanged: the reference names eyes and mouth corners as the person would") {
            $0.reordered([2, 3, 0, 1, 4, 5, 8, 9, 6, 7])
        },
        Guess(cause: "layout: the reference has all x before all y") { $0.reordered([0, 5, 1, 6, 2, 7, 3, 8, 4, 9]) },
        Guess(cause: "transposed axes: the reference has y before x") { $0.reordered([1, 0, 3, 2, 5, 4, 7, 6, 9, 8]) },
        Guess(cause: "fractions: the reference's landmarks are in parts of the box") { marks in
            let box = marks.box
            return marks.moved(scale: (box.x1 - box.x0, box.y1 - box.y0), by: (box.x0, box.y0))
        },
        Guess(cause: "origin: the reference's landmarks are measured from the box's corner") { marks in
            marks.moved(by: (marks.box.x0, marks.box.y0))
        },
        Guess(cause: "origin: the reference's landmarks are measured from the box's centre") { marks in
            let box = marks.box
            return marks.moved(by: ((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2))
        },
    ]

    // MARK: - Both

    private func stage<Value>(
        _ name: String, theirs: (Int) -> Value, ours: (Row) -> Value, difference: (Value, Value) -> Float, near: Float,
        unit: String, guesses: [Guess<Value>]
    ) -> ParityReport.Stage {
        guard !pairs.isEmpty else {
            return .init(name, agrees: nil, "no result of the node lies where the reference's do")
        }
        func share(_ undo: (Value) -> Value) -> Double {
            let hits = pairs.count { difference(ours($0.own), undo(theirs($0.index))) <= near }
            return Double(hits) / Double(pairs.count)
        }
        let largest = pairs.map { difference(ours($0.own), theirs($0.index)) }.max() ?? 0
        let text = "\(pairs.count) pairs, largest difference \(brief(Double(largest)))\(unit)"
        if share({ $0 }) >= 0.9 { return .init(name, agrees: true, text) }
        let cause = guesses.first { share($0.undo) >= 0.9 }?.cause
        return .init(name, agrees: false, text, causes: [cause ?? "none of the usual mistakes explains it"])
    }
}
