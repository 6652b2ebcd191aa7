// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Foundation
internal import Inference
internal import Media
public import Networks
public import Pipeline
internal import Vision

/// Tells which family a RetinaFace release is of by what each makes of a picture whose faces are known.
///
/// The families' files have the same tensors, but the wrong activation lowers scores and the wrong anchors make boxes of
/// another size: only one fits the faces.
///
/// - Note: Thread-safety: confined.
public final class FamilyTrial {
    /// What was tried and chosen, in a sentence; nil when there was nothing to choose or no picture to try.
    public private(set) var outcome: String?
    private let folders: [String]
    private let engine: BuildContext.EngineSource

    /// The choice is made when the best fits at least so well, and the next at most this share of it.
    private static let enough = 0.5
    private static let distinct = 0.9
    /// Frames looked at, far enough apart to differ.
    private static let frames = [0, 60, 120]

    /// Tries on the sample that comes with the program.
    ///
    /// - Parameter engine: opened when there is something to try.
    public convenience init(engine: @escaping @autoclosure BuildContext.EngineSource) {
        self.init(folders: ModelStore.shipped("samples"), engine: try engine())
    }

    /// Tries on `faces.mp4` and `faces.jsonl` of the first of `folders` that has them.
    init(folders: [String], engine: @escaping @autoclosure BuildContext.EngineSource) {
        self.folders = folders
        self.engine = engine
    }

    /// The position of the import that fits, or nil when none stands out.
    public func choose(among imports: [ModelImporter.Result]) -> Int? {
        guard let sample = try? sample(), !sample.isEmpty else { return nil }
        let fits = imports.map { (try? fit($0, sample)) ?? 0 }
        let order = fits.indices.sorted { fits[$0] > fits[$1] }
        guard let best = order.first, fits[best] >= Self.enough,
            order.dropFirst().allSatisfy({ fits[$0] <= fits[best] * Self.distinct })
        else { return nil }
        let tried = order.map { "\(imports[$0].report.variant) \((fits[$0] * 100).rounded() / 100)" }
        outcome = "family chosen by the sample's faces (score times IoU): " + tried.joined(separator: ", ")
        return best
    }

    /// The mean over the true faces of the best detection's score times IoU.
    private func fit(_ model: ModelImporter.Result, _ sample: [(picture: Picture, faces: [Box])]) throws -> Double {
        let setup = try NetworkSetup(
            Architecture.find(model.report.network, model.report.variant), weights: model.weights,
            engine: engine(), compile: CompileOptions(.throughput, cores: 1, precision: .f32, cache: .off),
            requests: 1)
        let network = try FaceFamily.retinaFace.network(
            setup, options: FaceOptions(.retinaFace.with(scoreThreshold: 0.1)))
        var sum = 0.0
        for (picture, faces) in sample {
            let found = try network.result(for: picture)
            for face in faces {
                sum += found.map { Double($0.score * $0.box.countingEdges.iou(face.countingEdges)) }.max() ?? 0
            }
        }
        return sum / Double(sample.reduce(0) { $0 + $1.faces.count })
    }

    // MARK: - The sample

    private struct Truth: Decodable {
        struct Face: Decodable { let box: [Float] }
        let faces: [Face]
    }

    private func sample() throws -> [(picture: Picture, faces: [Box])] {
        let files = folders.map { ($0 + "/faces.mp4", $0 + "/faces.jsonl") }
        guard
            let (video, text) = files.first(where: { FileManager.default.fileExists(atPath: $0.0) }),
            let last = Self.frames.max()
        else { return [] }
        let lines = try String(contentsOfFile: text, encoding: .utf8).split(separator: "\n")
            // The line that describes a record is of no frame.
            .filter { $0.contains("\"frame\":") }
        let reader = try VideoReader(video)
        var sample: [(picture: Picture, faces: [Box])] = []
        for index in 0...last {
            guard let decoded = try reader.read(), index < lines.count else { break }
            guard Self.frames.contains(index) else { continue }
            let truth = try JSONDecoder().decode(Truth.self, from: Data(lines[index].utf8))
            let boxes = truth.faces.map(\.box).filter { $0.count == 4 }
            sample.append((decoded.picture, boxes.map { Box(x: $0[0], y: $0[1], width: $0[2], height: $0[3]) }))
        }
        return sample
    }
}
