// SPDX-License-Identifier: Apache-2.0

/// The history's weight at each pixel, from its residual, its age and the noise.
///
/// ```
///   v   = 1 / n                                       variance of history over that of a frame; n is at least 1
///   rho = r / (sqrt(2 / pi) * sigma * noiseAfterBox * sqrt(1 + v))     1 where only noise differs
///   g   = validity * exp(-(max(0, rho - tolerance) / falloff)^2)
///   w   = g * min(maximumWeight, n / (n + 1)),                 age = g > 0.05 ? min(n + 1, 1 / (1 - maximumWeight)) : 1
/// ```
struct BlendRule {
    /// Belief below which a pixel's history starts anew.
    private static let rejection: Float = 0.05

    private let maximumWeight: Float
    private let maximumAge: Float
    private let tolerance: Float
    private let inverseFalloff: Float
    /// rho is the residual times this, over sqrt(1 + v).
    private let residualScale: Float

    init(_ options: TemporalAggregator.Options, noise: Float) {
        maximumWeight = options.maximumWeight
        maximumAge = 1 / (1 - options.maximumWeight)
        tolerance = options.tolerance
        inverseFalloff = 1 / options.falloff
        residualScale = 1 / ((2 / Float.pi).squareRoot() * noise * options.noiseAfterBox)
    }

    /// Writes the weights of a row over its residuals, and its ages after from those before.
    func apply(
        _ weights: UnsafeMutablePointer<Float>, validity: UnsafePointer<Float>, before: UnsafePointer<Float>,
        age: UnsafeMutablePointer<Float>, count: Int
    ) {
        for index in 0..<count {
            let n = before[index] > 1 ? before[index] : 1
            // 1 / (1 + v) is n / (n + 1) too.
            let share = n / (n + 1)
            let rho = weights[index] * residualScale * share.squareRoot()
            let excess = (rho > tolerance ? rho - tolerance : 0) * inverseFalloff
            let belief = validity[index] * BlendRule.exponential(-(excess * excess))
            weights[index] = belief * (share < maximumWeight ? share : maximumWeight)
            let older = n + 1 < maximumAge ? n + 1 : maximumAge
            age[index] = belief > Self.rejection ? older : 1
        }
    }

    /// e to the power of `x`, at most 0, right to about 1e-6; at least 1e-38.
    @inline(__always)
    static func exponential(_ x: Float) -> Float {
        let exact = x * 1.442_695_04
        let power = exact > -126 ? exact : -126
        // 1.5 * 2^23 leaves no bits for a fraction: adding it rounds, and the low bits are the whole number.
        let shift: Float = 12_582_912
        let shifted = power + shift
        let t = (power - (shifted - shift)) * 0.693_147_18
        let series = 1 + t * (1 + t * (0.5 + t * (0.166_666_67 + t * (0.041_666_67 + t * 0.008_333_33))))
        return series * Float(bitPattern: (shifted.bitPattern &<< 23) &+ 0x3F80_0000)
    }
}
