// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Which activation a light RetinaFace was trained with, told from its batch norms alone.
///
/// A pointwise convolution has no bias and no border, so that the mean its batch norm recorded is the kernel applied to
/// the means of its inputs. Those are what the activation makes of the batch norm before it, whose output is close to
/// normal with mean `shift` and deviation `scale`: the right activation predicts the recorded means, a wrong one misses.
struct ActivationEvidence {
    /// Squared miss of each activation over all pointwise layers, in units of the recorded variances.
    private(set) var relu = 0.0
    private(set) var leaky = 0.0

    private static let slope = 0.1
    /// How much better the better one must be.
    private static let margin = 2.0

    /// The family that the recorded means speak for; nil when they do not tell.
    var family: RetinaFace.Family? {
        if leaky > relu * Self.margin { return .relu }
        if relu > leaky * Self.margin { return .leaky }
        return nil
    }

    /// Weighs every depthwise-separable block of `weights`; blocks that are incomplete tell nothing.
    init(_ weights: Weights) {
        for name in weights.names where name.hasPrefix("body.stage") && name.hasSuffix(".3.weight") {
            add(weights, block: String(name.dropLast(".3.weight".count)))
        }
    }

    private mutating func add(_ weights: Weights, block: String) {
        guard let kernel = weights["\(block).3.weight"]?.floats(),
            let scale = weights["\(block).1.weight"]?.floats(), let shift = weights["\(block).1.bias"]?.floats(),
            let mean = weights["\(block).4.running_mean"]?.floats(),
            let variance = weights["\(block).4.running_var"]?.floats(),
            scale.count == shift.count, mean.count == variance.count, kernel.count == scale.count * mean.count
        else { return }
        let inputs = zip(shift, scale).map { Self.means(shift: Double($0), deviation: Double(abs($1))) }
        for output in mean.indices {
            var predicted = (relu: 0.0, leaky: 0.0)
            for (input, means) in inputs.enumerated() {
                let weight = Double(kernel[output * inputs.count + input])
                predicted.relu += weight * means.relu
                predicted.leaky += weight * means.leaky
            }
            let unit = max(Double(variance[output]), 1e-6)
            let recorded = Double(mean[output])
            relu += (predicted.relu - recorded) * (predicted.relu - recorded) / unit
            leaky += (predicted.leaky - recorded) * (predicted.leaky - recorded) / unit
        }
    }

    /// The mean of each activation over a normal distribution.
    private static func means(shift: Double, deviation: Double) -> (relu: Double, leaky: Double) {
        guard deviation > 1e-12 else {
            return (max(shift, 0), max(shift, 0) + slope * min(shift, 0))
        }
        let ratio = shift / deviation
        let density = exp(-ratio * ratio / 2) / (2 * Double.pi).squareRoot()
        let relu = shift * erfc(-ratio / 2.0.squareRoot()) / 2 + deviation * density
        return (relu, slope * shift + (1 - slope) * relu)
    }
}
