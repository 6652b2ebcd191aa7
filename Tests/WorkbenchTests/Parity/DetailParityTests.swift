// SPDX-License-Identifier: Apache-2.0
import Annotations
import Foundation
import Media
import Testing

@testable import Pipeline
@testable import Workbench

@Suite struct DetailParityTests {
    private static let quads = [Quad(10, 12, 30, 40), Quad(50, 8, 70, 36), Quad(90, 60, 130, 110)]
    private static let scores: [Float] = [0.95, 0.7, 0.52]
    /// Five points of each box, no two alike.
    private static let marks: [[Float]] = quads.map { box in
        let (width, height) = (box.x1 - box.x0, box.y1 - box.y0)
        return [0.3, 0.35, 0.72, 0.33, 0.5, 0.55, 0.34, 0.8, 0.68, 0.78].enumerated().map { index, share in
            index % 2 == 0 ? box.x0 + share * width : box.y0 + share * height
        }
    }

    /// In another order than the reference, with one that it does not have.
    private static let rows: [DetailParity.Row] =
        [2, 0, 1].map { index in
            .init(
                quad: quads[index], score: scores[index],
                landmarks: (0..<5).map { Point(x: marks[index][2 * $0], y: marks[index][2 * $0 + 1]) })
        } + [.init(quad: Quad(200, 200, 220, 220), score: 0.5, landmarks: [])]

    private let parity = DetailParity(rows, reference: quads)

    @Test func `equal scores and landmarks agree, whatever the order of the rows`() {
        #expect(parity.scores(Self.scores).agrees == true)
        #expect(parity.landmarks(Self.marks).agrees == true)
    }

    @Test func `mistakes in scores are named`() {
        let cases: [((Float) -> Float, String)] = [
            ({ log($0 / (1 - $0)) }, "logits"), ({ 1 - $0 }, "the other channel"), ({ $0 * 100 }, "percent"),
            ({ 1 / (1 + exp(-$0)) }, "one activation too many"), ({ $0 * $0 }, "squared"),
            ({ $0 - 0.2 }, "none of the usual mistakes"),
        ]
        for (plant, cause) in cases {
            let stage = parity.scores(Self.scores.map(plant))
            #expect(stage.agrees == false)
            #expect(stage.causes.first?.hasPrefix(cause) == true, "\(cause): \(stage)")
        }
    }

    @Test func `mistakes in landmarks are named`() {
        typealias Plant = @Sendable (_ marks: [Float], _ box: Quad) -> [Float]
        /// Another value for each x and y.
        func each(_ x: @escaping @Sendable (Float, Quad) -> Float, _ y: @escaping @Sendable (Float, Quad) -> Float)
            -> Plant
        {
            { marks, box in marks.enumerated().map { $0 % 2 == 0 ? x($1, box) : y($1, box) } }
        }
        func order(_ indices: [Int]) -> Plant { { marks, _ in indices.map { marks[$0] } } }
        let origin = "origin: the reference's landmarks are measured from the box's "
        let cases: [(Plant, String)] = [
            (order([2, 3, 0, 1, 4, 5, 8, 9, 6, 7]), "left and right exchanged"),
            (order([0, 2, 4, 6, 8, 1, 3, 5, 7, 9]), "layout"),
            (order([1, 0, 3, 2, 5, 4, 7, 6, 9, 8]), "transposed axes"),
            (each({ ($0 - $1.x0) / ($1.x1 - $1.x0) }, { ($0 - $1.y0) / ($1.y1 - $1.y0) }), "fractions"),
            (each({ $0 - $1.x0 }, { $0 - $1.y0 }), origin + "corner"),
            (each({ $0 - ($1.x0 + $1.x1) / 2 }, { $0 - ($1.y0 + $1.y1) / 2 }), origin + "centre"),
            (each({ x, _ in x + 9 }, { y, _ in y + 9 }), "none of the usual mistakes"),
        ]
        for (plant, cause) in cases {
            let stage = parity.landmarks(zip(Self.marks, Self.quads).map { plant($0, $1) })
            #expect(stage.agrees == false)
            #expect(stage.causes.first?.hasPrefix(cause) == true, "\(cause): \(stage)")
        }
    }

    @Test func `rows that lie nowhere near are not compared`() {
        let stage = DetailParity(Self.rows, reference: [Quad(500, 500, 520, 520)]).scores([0.5])
        #expect(stage.agrees == nil)
    }

    // MARK: - Labels

    private static let (width, height) = (48, 36)
    /// Three regions without symmetry.
    private static let labels: [UInt8] = (0..<width * height).map { index in
        let (x, y) = (index % width, index / width)
        return y < 10 + x / 6 ? 2 : x > 30 ? 5 : 0
    }

    @Test func `mistakes in labels are named`() {
        let labels = Self.labels
        func moved(_ source: @escaping (Int, Int) -> (Int, Int)) -> [UInt8] {
            labels.indices.map { index in
                let (y, x) = source(index / Self.width, index % Self.width)
                return labels[min(max(y, 0), Self.height - 1) * Self.width + min(max(x, 0), Self.width - 1)]
            }
        }
        let cases: [([UInt8], String?)] = [
            (labels, nil), (labels.map { $0 + 1 }, "labels counted from one"),
            (moved { (Self.height - 1 - $0, $1) }, "upside down"), (moved { ($0, Self.width - 1 - $1) }, "mirrored"),
            (
                labels.map { [0: 5, 2: 0, 5: 2][$0] ?? 9 },
                "other order of classes: the reference's 0 -> 2, 2 -> 5, 5 -> 0"
            ),
            (moved { ($0 - 4, $1 - 4) }, "grid offset: the reference lies 4 pixels further right and down"),
            (labels.indices.map { UInt8($0 % 7) }, "none of the usual mistakes"),
        ]
        for (reference, cause) in cases {
            let stage = LabelParity(found: labels, width: Self.width, height: Self.height).stage(reference)
            #expect(stage.agrees == (cause == nil), "\(cause ?? "right"): \(stage)")
            if let cause { #expect(stage.causes.first?.hasPrefix(cause) == true, "\(stage)") }
        }
    }
}
