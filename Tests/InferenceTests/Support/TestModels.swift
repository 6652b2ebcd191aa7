// SPDX-License-Identifier: Apache-2.0
import Foundation
import Inference
import Networks
import TestSupport

/// Models and folders for the tests, the same on every run.
enum TestModels {
    /// RetinaFace at 64x48 with random weights; `seed` tells contents apart.
    static func face(seed: UInt64, width: Int = 64, height: Int = 48) throws -> ModelSource {
        let architecture = try Architecture.find("retinaface", "mobilenet0.25")
        let size = InputSize(width: width, height: height)
        let weights = randomWeights(for: try architecture.build(at: size), seed: seed)
        return ModelSource(name: "retinaface-\(seed)", onnx: try architecture.onnx(at: size, weights: weights))
    }

    /// Weights whose activations neither vanish nor explode.
    static func randomWeights(for network: Network, seed: UInt64) -> Weights {
        var random = SeededGenerator(seed: seed)
        var weights = Weights()
        for parameter in network.parameters {
            let count = parameter.shape.reduce(1, *)
            let fanIn = max(1, parameter.shape.dropFirst().reduce(1, *))
            let scale = (3 / Float(fanIn)).squareRoot()
            let numbers = (0..<count).map { _ -> Float in
                let value = Float.random(in: -1...1, using: &random)
                switch parameter.role {
                case .weight: return value * scale
                case .scale, .variance: return 1 + value * 0.3
                case .bias, .shift, .mean: return value * 0.1
                }
            }
            weights[parameter.name] = Tensor(shape: parameter.shape, floats: numbers)
        }
        return weights
    }

    /// Fills the first input with numbers that depend on `seed` alone.
    static func fill(_ request: InferRequest, seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let input = request.inputs[0].floats
        for index in input.indices { input[index] = Float.random(in: -120...120, using: &random) }
    }

    /// Every output, one after the other.
    static func outputs(of request: InferRequest) -> [Float] { request.outputs.flatMap { Array($0.floats) } }

    static func options(
        _ goal: CompileOptions.Goal = .single, cores: Int = 1, precision: Precision = .f32,
        cache: CompileOptions.Cache = .off
    ) -> CompileOptions {
        CompileOptions(goal, cores: cores, precision: precision, cache: cache)
    }
}

/// A folder that is gone when the test is over.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("vpipe-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Files below the folder whose name ends with `suffix`.
    func files(ending suffix: String) -> [String] {
        let names = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
        return names.filter { $0.hasSuffix(suffix) }.map { path + "/" + $0 }.sorted()
    }
}

/// The folder with published weights, beside the package or beside the checkout this work tree belongs to.
enum SharedFiles {
    static let root: URL = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
    static let weights: String? = [
        root.deletingLastPathComponent(), root.deletingLastPathComponent().deletingLastPathComponent(),
    ]
    .map { $0.appendingPathComponent("shared/weights").path }
    .first { FileManager.default.fileExists(atPath: $0) }

    static func has(_ file: String) -> Bool {
        weights.map { FileManager.default.fileExists(atPath: $0 + "/" + file) } ?? false
    }
}
