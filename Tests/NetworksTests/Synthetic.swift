// SPDX-License-Identifier: Apache-2.0
import Foundation
import Networks
import TestSupport

extension SeededGenerator {
    mutating func floats(_ count: Int, in range: ClosedRange<Float> = -1...1) -> [Float] {
        (0..<count).map { _ in
            let unit = Float(next() >> 40) / Float(1 << 24)
            return range.lowerBound + unit * (range.upperBound - range.lowerBound)
        }
    }
}

/// Seeded weights that keep activations in a sane range: kernels scaled by fan-in, variances positive.
func syntheticWeights(for network: Network, seed: UInt64 = 7) -> Weights {
    var generator = SeededGenerator(seed: seed)
    var weights = Weights()
    for parameter in network.parameters {
        let count = parameter.shape.reduce(1, *)
        let values: [Float]
        switch parameter.role {
        case .weight:
            let bound = (3 / Float(parameter.shape.dropFirst().reduce(1, *))).squareRoot()
            values = generator.floats(count, in: -bound...bound)
        case .scale: values = generator.floats(count, in: 0.5...1.5)
        case .variance: values = generator.floats(count, in: 0.3...1.2)
        case .bias, .shift, .mean: values = generator.floats(count, in: -0.3...0.3)
        }
        weights[parameter.name] = Tensor(shape: parameter.shape, floats: values)
    }
    return weights
}

extension Network {
    /// All the right shapes, for tests of names: quick to make for large networks.
    var zeroWeights: Weights {
        var weights = Weights()
        for parameter in parameters {
            let count = parameter.shape.reduce(1, *)
            weights[parameter.name] = Tensor(shape: parameter.shape, floats: [Float](repeating: 0, count: count))
        }
        return weights
    }
}

/// Files beside the package that tests may read but never need.
enum Shared {
    /// `../shared` of the package, or of the folder above it for checkouts that sit one level deeper.
    private static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    private static let root: URL = {
        let beside = package.deletingLastPathComponent()
        let candidates = [beside, beside.deletingLastPathComponent()].map { $0.appendingPathComponent("shared") }
        return candidates.first { FileManager.default.fileExists(atPath: $0.path) } ?? candidates[0]
    }()

    /// A path inside the package itself.
    static func own(_ relative: String) -> String { package.appendingPathComponent(relative).path }

    static func path(_ relative: String) -> String { root.appendingPathComponent(relative).path }

    static func exists(_ relative: String) -> Bool { FileManager.default.fileExists(atPath: path(relative)) }

    static func bytes(_ relative: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: path(relative))))
    }
}
