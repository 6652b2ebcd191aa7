// SPDX-License-Identifier: Apache-2.0
import Annotations
import Foundation
import Inference
import InferenceTestSupport
import Media
import Networks
import Overlay
import TestSupport
import Testing
import Vision

@testable import Pipeline
@testable import Workbench
@testable import PipelineLanguage

@Suite struct ConfusionMatrixTests {
    /// The definition by sets of pixels.
    private func plainOverlap(_ truth: [UInt8], _ prediction: [UInt8], _ label: UInt8, _ classes: Int) -> Double {
        let counted = truth.indices.filter { Int(truth[$0]) < classes }
        let is_ = Set(counted.filter { truth[$0] == label })
        let found = Set(counted.filter { prediction[$0] == label })
        let union = is_.union(found).count
        return union == 0 ? 0 : Double(is_.intersection(found).count) / Double(union)
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func `equals the definition by sets`(seed: UInt64) {
        var state = seed
        func next(_ limit: Int) -> UInt8 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(Int(state >> 33) % limit)
        }
        let classes = 5
        // Labels 5 and 6 are void; class 4 is never predicted, and some pixels are predicted to be none.
        let truth = (0..<2000).map { _ in next(7) }
        let prediction = (0..<2000).map { _ in next(9) == 0 ? ClassMap.void : next(4) }
        var matrix = ConfusionMatrix(classes: classes)
        matrix.add(truth: Array(truth[..<700]), prediction: Array(prediction[..<700]))
        matrix.add(truth: Array(truth[700...]), prediction: Array(prediction[700...]))
        let plain = (0..<classes).map { plainOverlap(truth, prediction, UInt8($0), classes) }
        for label in 0..<classes { #expect(abs(matrix.iou(of: label) - plain[label]) < 1e-12) }
        #expect(abs(matrix.meanIoU - plain.reduce(0, +) / 5) < 1e-12)
        let counted = truth.indices.filter { truth[$0] < 5 }
        let hits = counted.filter { truth[$0] == prediction[$0] }
        #expect(abs(matrix.accuracy - Double(hits.count) / Double(counted.count)) < 1e-12)
        let decided = counted.count { prediction[$0] != ClassMap.void }
        #expect(abs(matrix.precision - Double(hits.count) / Double(decided)) < 1e-12)
        #expect(abs(matrix.voidShare - Double(counted.count - decided) / Double(counted.count)) < 1e-12)
    }

    @Test func `an empty matrix is zero`() {
        let matrix = ConfusionMatrix(classes: 3)
        #expect(matrix.meanIoU == 0)
        #expect(matrix.accuracy == 0)
    }
}

@Suite struct SegmentationEvaluationTests {
    /// Two pictures with labels of another size than the network's input, one class of which is void.
    private func folder(_ scratch: Scratch) throws -> [(picture: Picture, labels: IndexedImage)] {
        for name in ["val", "valannot"] {
            try FileManager.default.createDirectory(atPath: scratch.file(name), withIntermediateDirectories: true)
        }
        let pattern = try TestPattern(width: 96, height: 64)
        return try (0..<2).map { number in
            let path = scratch.file("val/\(number).png")
            try ImageWriter().write(pattern.frame(number * 9).picture, to: path)
            let labels = IndexedImage(
                width: 96, height: 64, indices: (0..<96 * 64).map { UInt8(($0 % 96 / 8 + $0 / 96 / 8 + number) % 12) },
                palette: [.white, .black])
            try labels.write(to: scratch.file("valannot/\(number).png"))
            return (try ImageReader.read(path), labels)
        }
    }

    @Test(.timeLimit(.minutes(15))) func `figures are those of the definition`() throws {
        let scratch = try Scratch()
        let pairs = try folder(scratch)
        let weights = packageRoot + "/models/ddrnet23_slim_camvid.safetensors"
        let size = InputSize(width: 64, height: 48)
        var options = Evaluation.Options(network: "ddrnet", data: scratch.path)
        options.weights = weights
        options.size = size
        options.cores = 1
        var steps: [Int] = []
        let report = try #require(
            Evaluation.run(options, engine: OpenVINOEngine.shared()) { done, total in steps.append(done * 10 + total) }
                as? SegmentationEvaluation)
        #expect(steps == [12, 22])
        #expect(report.pictures == 2)

        // The same pictures through a detector, and pixels counted by hand.
        let network = try SegmentationFamily.ddrnet.network(
            NetworkSetup(
                Architecture.find("ddrnet", "23-slim"), weights: SafeTensors.read(path: weights), size: size,
                engine: OpenVINOEngine.shared(), compile: CompileOptions(.single, cores: 1, precision: .f32)),
            options: SegmentationOptions(.camvid, resolution: .size(InputSize(width: 96, height: 64))))
        var (both, either) = ([Int](repeating: 0, count: 11), [Int](repeating: 0, count: 11))
        for (picture, labels) in pairs {
            let found = try network.result(for: picture)
            for (truth, label) in zip(labels.indices, found.labels) where truth < 11 {
                for c in 0..<11 where truth == c || label == c {
                    either[c] += 1
                    if truth == label { both[c] += 1 }
                }
            }
        }
        for c in 0..<11 {
            let plain = either[c] == 0 ? 0 : Double(both[c]) / Double(either[c])
            #expect(abs(report.exact.iou(of: c) - plain) < 1e-12)
        }
        #expect(report.rows.count == 12)
        #expect(report.rows.last?[0] == "mIoU")
        let object = try JSONSerialization.jsonObject(with: Data(report.json.utf8)) as? [String: Any]
        let mean = try #require(object?["mIoU"] as? Double)
        #expect(abs(mean - report.exact.meanIoU) < 1e-12)
        #expect((0.0...1).contains(report.agreement))
        // A higher threshold leaves more void, and what it leaves is a part of what a lower one does.
        let shares = report.thresholded.map(\.voidShare)
        #expect(shares == shares.sorted() && shares[0] < 1)
        // Six rows of eight cells; those whose centre is labelled 11 are left out.
        var centres = 0
        for (_, labels) in pairs {
            for y in [5, 16, 26, 37, 48, 58] {
                for x in stride(from: 6, to: 96, by: 12) where labels.indices[y * 96 + x] < 11 { centres += 1 }
            }
        }
        #expect(report.reliability.count == centres)
        #expect(report.conclusion.contains { $0.hasPrefix("threshold 0.5: ") })
    }

    @Test func `a picture without labels is named`() throws {
        let scratch = try Scratch()
        _ = try folder(scratch)
        try FileManager.default.removeItem(atPath: scratch.file("valannot/1.png"))
        #expect {
            try Evaluation.run(Evaluation.Options(network: "ddrnet", data: scratch.path), engine: FakeEngine())
        } throws: { "\($0)".contains("val/1.png: has no labels") }
    }
}
