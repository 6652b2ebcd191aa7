// SPDX-License-Identifier: Apache-2.0
import Annotations
import Foundation
import Media
import TestSupport
import Testing

@testable import Pipeline
@testable import Workbench

@Suite struct FaceAccuracyTests {
    private typealias Truth = FaceAccuracy.Truth

    /// One picture as the plain reference takes it.
    private struct Sample {
        var found: [Face]
        var truth: [Truth]
    }

    private static func samples(_ generator: inout SeededGenerator) -> [Sample] {
        (0..<12).map { _ in
            func box() -> Box {
                Box(
                    x: .random(in: 0...200, using: &generator), y: .random(in: 0...200, using: &generator),
                    width: .random(in: 4...60, using: &generator), height: .random(in: 4...60, using: &generator))
            }
            let truth = (0..<Int.random(in: 0...9, using: &generator)).map { _ in
                Truth(box: box(), isCounted: .random(using: &generator))
            }
            var found = (0..<Int.random(in: 0...6, using: &generator)).map { _ in
                Face(box: box(), score: .random(in: 0...1, using: &generator))
            }
            // Near every labelled face none to three detections, some off by too much.
            for face in truth {
                for _ in 0..<Int.random(in: 0...3, using: &generator) {
                    let shift = Float.random(in: -0.4...0.4, using: &generator) * face.box.width
                    found.append(
                        Face(
                            box: Box(
                                x: face.box.x + shift, y: face.box.y, width: face.box.width, height: face.box.height),
                            score: Float(Int.random(in: 0...40, using: &generator)) / 40))
                }
            }
            return Sample(found: found, truth: truth)
        }
    }

    /// The official evaluation, loop by loop.
    private static func official(_ samples: [Sample]) -> Double {
        let scores = samples.flatMap { $0.found.map(\.score) }
        guard let low = scores.min(), let high = scores.max() else { return 0 }
        var curve = [(proposals: Int, hits: Int)](repeating: (0, 0), count: 1000)
        var faces = 0
        for sample in samples {
            faces += sample.truth.filter(\.isCounted).count
            let order = sample.found.indices.sorted { (sample.found[$1].score, $0) < (sample.found[$0].score, $1) }
            let found = order.map { sample.found[$0] }
            var mark = [Int](repeating: 0, count: sample.truth.count)
            var isProposal = [Bool](repeating: true, count: found.count)
            var recalled: [Int] = []
            for (h, face) in found.enumerated() {
                var (best, overlap) = (0, Float(-1))
                for (index, truth) in sample.truth.enumerated() {
                    let value = face.box.countingEdges.iou(truth.box.countingEdges)
                    if value > overlap { (best, overlap) = (index, value) }
                }
                if overlap >= 0.5 {
                    if !sample.truth[best].isCounted {
                        mark[best] = -1
                        isProposal[h] = false
                    } else if mark[best] == 0 {
                        mark[best] = 1
                    }
                }
                recalled.append(mark.filter { $0 == 1 }.count)
            }
            for t in 0..<1000 {
                let threshold = 1 - Double(t + 1) / 1000
                let last = found.lastIndex { Double($0.score - low) / Double(high - low) >= threshold }
                guard let last else { continue }
                curve[t].proposals += isProposal[0...last].filter { $0 }.count
                curve[t].hits += recalled[last]
            }
        }
        var recall = [0.0], precision = [0.0]
        for point in curve where point.proposals > 0 {
            recall.append(Double(point.hits) / Double(faces))
            precision.append(Double(point.hits) / Double(point.proposals))
        }
        recall.append(1)
        precision.append(0)
        for index in precision.indices.dropLast().reversed() {
            precision[index] = max(precision[index], precision[index + 1])
        }
        return recall.indices.dropLast().reduce(0) { $0 + (recall[$1 + 1] - recall[$1]) * precision[$1 + 1] }
    }

    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64])
    func `equals the official evaluation step by step`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let samples = Self.samples(&generator)
        var accuracy = FaceAccuracy()
        for sample in samples { accuracy.add(found: sample.found, truth: sample.truth) }
        let expected = Self.official(samples)
        #expect(expected > 0.05 && expected < 0.95)
        #expect(abs(accuracy.officialAveragePrecision - expected) < 1e-12)
        // Nothing but the thresholds' grid lies between the two.
        #expect(abs(accuracy.averagePrecision - expected) < 0.02)
    }

    private static let square = Box(x: 10, y: 10, width: 20, height: 20)
    private static let aside = Box(x: 18, y: 10, width: 20, height: 20)
    private static let far = Box(x: 100, y: 100, width: 20, height: 20)

    @Test func `the first on a face is a hit, the second a miss, one on a face left out is neither`() {
        let truth = [Truth(box: Self.square), Truth(box: Self.far, isCounted: false)]
        #expect(
            FaceAccuracy.match([Self.far, Self.square, Self.square, Self.aside, Self.far], truth)
                == [.neutral, .hit, .miss, .miss, .neutral])
        #expect(FaceAccuracy.match([Self.aside], [], smallest: 20.5) == [.neutral])
        #expect(FaceAccuracy.match([Self.aside], [], smallest: 19.5) == [.miss])
    }

    @Test func `known curves`() {
        func accuracy(_ scores: [(Box, Float)], _ truth: [Box]) -> FaceAccuracy {
            var accuracy = FaceAccuracy()
            accuracy.add(
                found: scores.map { Face(box: $0.0, score: $0.1) }, truth: truth.map { Truth(box: $0) })
            return accuracy
        }
        #expect(accuracy([(Self.square, 0.9)], [Self.square]).averagePrecision == 1)
        #expect(accuracy([], [Self.square]).averagePrecision == 0)
        #expect(accuracy([], [Self.square]).officialAveragePrecision == 0)
        #expect(accuracy([(Self.square, 0.9)], []).averagePrecision == 0)
        // A miss above the hit halves the precision; below, it does no harm.
        let order = accuracy([(Self.far, 0.9), (Self.square, 0.8)], [Self.square])
        #expect(order.averagePrecision == 0.5)
        #expect(order.recallAndPrecision(above: 0.85) == (0, 0))
        #expect(order.recallAndPrecision(above: 0.5) == (1, 0.5))
        #expect(accuracy([(Self.far, 0.7), (Self.square, 0.8)], [Self.square]).averagePrecision == 1)
        // Of equal scores none comes first.
        #expect(accuracy([(Self.square, 0.8), (Self.far, 0.8)], [Self.square]).averagePrecision == 0.5)
        #expect(accuracy([(Self.square, 0.8)], [Self.square, Self.far]).averagePrecision == 0.5)
    }
}

@Suite struct LabelledFacesTests {
    @Test func `WIDER FACE's own layout, with a subset`() throws {
        let scratch = try Scratch()
        try scratch.write(
            "wider_face_val_bbx_gt.txt",
            """
            0--Parade/a.jpg
            2
            10 20 30 40 0 0 0 0 0 0
            1 2 0 0 0 0 0 1 0 0
            0--Parade/b.jpg
            0
            0 0 0 0 0 0 0 0 0 0
            0--Parade/not-there.jpg
            1
            10 20 30 40 0 0 0 0 0 0

            """)
        try scratch.write("wider_hard_val.txt", "0--Parade/a.jpg\n1\n1\n0--Parade/b.jpg\n0\n")
        try FileManager.default.createDirectory(
            atPath: scratch.file("images/0--Parade"), withIntermediateDirectories: true)
        for name in ["a", "b"] { try scratch.write("images/0--Parade/\(name).jpg", "") }
        let faces = try LabelledFaces(folder: scratch.path, split: "val")
        #expect(faces.subsets == ["hard"])
        #expect(faces.absent == 1)
        #expect(faces.entries.map { String($0.path.suffix(15)) } == ["0--Parade/a.jpg", "0--Parade/b.jpg"])
        #expect(faces.entries[0].boxes[0] == Box(x: 10, y: 20, width: 30, height: 40))
        #expect(faces.entries[0].isInvalid == [false, true])
        #expect(faces.entries[0].subsets == ["hard": [0]])
        #expect(faces.entries[1].boxes.isEmpty && faces.entries[1].subsets == ["hard": []])
    }

    @Test func `a list, in parts`() throws {
        let scratch = try Scratch()
        let items = (0..<7).map { #"{"file": "\#($0).jpg", "orig_w": 9, "boxes_416": [[1, 2, 4, 8.5]]}"# }
        try scratch.write("labels_416.json", "[\(items.joined(separator: ","))]")
        func names(_ split: String) throws -> String {
            try LabelledFaces(folder: scratch.path, split: split).entries.map {
                String($0.path.suffix(5).prefix(1))
            }.joined()
        }
        #expect(try names("held") == "036")
        #expect(try names("train") == "1245")
        #expect(try names("val") == "0123456")
        let first = try LabelledFaces(folder: scratch.path, split: "val").entries[0]
        #expect(first.boxes == [Box(x: 1, y: 2, width: 3, height: 6.5)])
    }

    @Test(
        arguments: [
            ("labels.json", #"[{"file": "a.jpg", "boxes": [[1, 2, 3]]}]"#, "a box is four numbers"),
            ("labels.json", "{}", "no list of faces"), ("labels.json", #"[{"file": "a.jpg"}]"#, "no list of faces"),
            ("wider_face_val_bbx_gt.txt", "12 13\n", ":1: neither the path of a picture nor numbers"),
            ("wider_face_val_bbx_gt.txt", "a/b.jpg\n1\n1 2 3\n", "a face has at least x, y, width and height"),
            ("wider_face_val_bbx_gt.txt", "a/b.jpg\n1\n1 2 3 4\n", "none of its pictures is there, not even"),
            ("other.txt", "", "no labels; wider_face_val_bbx_gt.txt (WIDER FACE) or labels*.json is expected there"),
        ])
    func `what cannot be read is named`(file: String, text: String, message: String) throws {
        let scratch = try Scratch()
        try scratch.write(file, text)
        #expect {
            try LabelledFaces(folder: scratch.path, split: "val")
        } throws: { "\($0)".contains(message) }
    }

    @Test func `a subset beyond the labels is refused`() throws {
        let scratch = try Scratch()
        try scratch.write("wider_face_val_bbx_gt.txt", "a/b.jpg\n1\n1 2 3 4\n")
        try scratch.write("wider_easy_val.txt", "a/b.jpg\n1\n2\n")
        #expect { try LabelledFaces(folder: scratch.path, split: "val") } throws: {
            "\($0)".contains("a/b.jpg: a face beyond the 1 labelled ones")
        }
    }
}

extension Scratch {
    fileprivate func write(_ name: String, _ text: String) throws {
        try text.write(toFile: file(name), atomically: true, encoding: .utf8)
    }
}
