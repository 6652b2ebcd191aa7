// SPDX-License-Identifier: Apache-2.0
public import Networks

/// How far two ways of running a network are apart, value by value in the order of the layers.
public struct DriftReport: Sendable {
    /// One value of the network: the result of a layer.
    public struct Entry: Sendable, Hashable {
        /// The layer that made it.
        public let layer: String
        /// What the layer computes: `conv 3x3 s2`.
        public let kind: String
        /// The output it is; nil for values inside the network.
        public let output: String?
        /// Largest absolute difference.
        public let difference: Float
        /// Largest absolute value of the reference.
        public let scale: Float
        /// The difference over the scale; infinite where one side is not finite and the other is.
        public var relative: Float {
            difference == 0 ? 0 : scale > 0 && difference.isFinite ? difference / scale : .infinity
        }
    }

    /// Every value, in the order of the layers.
    public let entries: [Entry]
    /// Relative differences above it count as drift.
    public let tolerance: Float

    /// The first layer whose result is past the tolerance.
    public var first: Entry? { entries.first { $0.relative > tolerance } }
    /// The network's outputs.
    public var outputs: [Entry] { entries.filter { $0.output != nil } }
    /// The entry that is furthest off.
    public var worst: Entry? { entries.max { $0.relative < $1.relative } }

    /// Runs a network both ways on the same input, batch normalisations folded as engines get it, in 8 bits where the weights
    /// have a quantisation.
    ///
    /// With every value an output, an engine fuses fewer layers than usual; ``outputs`` come from those same runs.
    /// - Throws: what the runners throw; `NetworkError` when the weights do not fit.
    public init(
        _ network: Network, weights: Weights, inputs: [String: [Float]], reference: any NetworkRunner,
        candidate: any NetworkRunner, tolerance: Float
    ) throws {
        var (folded, numbers) = try network.foldedModel(weights)
        if let quantisation = weights.quantisation {
            folded = folded.quantised(using: quantisation)
            numbers = try folded.quantising(numbers)
        }
        let exposed = folded.exposed
        let expected = try reference.run(exposed, weights: numbers, inputs: inputs)
        let found = try candidate.run(exposed, weights: numbers, inputs: inputs)
        var outputs: [Int: String] = [:]
        for port in folded.outputs { outputs[port.value] = port.name }
        var layers: [Int: Layer] = [:]
        for layer in exposed.layers { for value in layer.outputs { layers[value] = layer } }
        self.tolerance = tolerance
        entries = exposed.outputs.compactMap { port in
            guard let layer = layers[port.value], let a = expected[port.name], let b = found[port.name] else {
                return nil
            }
            let (difference, scale) = Self.compare(a, b)
            return Entry(
                layer: layer.path, kind: layer.operation.kind, output: outputs[port.value], difference: difference,
                scale: scale)
        }
    }

    /// The largest absolute difference and the largest absolute value of `a`.
    static func compare(_ a: [Float], _ b: [Float]) -> (difference: Float, scale: Float) {
        guard a.count == b.count else { return (.infinity, 0) }
        var difference: Float = 0
        var scale: Float = 0
        for (x, y) in zip(a, b) where !(x.isNaN && y.isNaN) {
            if x.isFinite { scale = max(scale, abs(x)) }
            guard x != y else { continue }
            let gap = abs(x - y)
            difference = max(difference, gap.isFinite ? gap : .infinity)
        }
        return (difference, scale)
    }
}
