// SPDX-License-Identifier: Apache-2.0
#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// What is known of a channel without data: mean, variance, and the interval its numbers lie in.
///
/// - Note: Source: Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019,
///   section 4.2.1 and appendix C.
struct ChannelMoments: Sendable, Hashable {
    var mean: Double
    var variance: Double
    /// Where numbers end: `mean ± 6` standard deviations of the last sum, cut by what came after it.
    var low: Double
    var high: Double

    /// The share of a normal distribution that the interval leaves out is 2e-9.
    static let reach = 6.0

    /// A normal distribution.
    init(mean: Double, variance: Double) {
        let deviation = max(0, variance).squareRoot()
        self.init(
            mean: mean, variance: variance, low: mean - Self.reach * deviation, high: mean + Self.reach * deviation)
    }

    init(mean: Double, variance: Double, low: Double, high: Double) {
        self.mean = mean
        self.variance = variance
        self.low = low
        self.high = high
    }

    /// Numbers equally likely between two ends.
    static func uniform(_ low: Double, _ high: Double) -> ChannelMoments {
        ChannelMoments(
            mean: (low + high) / 2, variance: (high - low) * (high - low) / 12, low: min(low, high),
            high: max(low, high))
    }

    /// What becomes of the channel where numbers below `floor` become `floor` and those above `ceiling` `ceiling`.
    ///
    /// With `A = (floor - mean) / deviation` and `B` likewise, `E[x] = deviation (phi(A) - phi(B)) + mean (Phi(B) - Phi(A))
    /// + floor Phi(A) + ceiling (1 - Phi(B))`, and `E[x²]` by the same integral.
    func clipped(_ floor: Double, _ ceiling: Double) -> ChannelMoments {
        let deviation = max(0, variance).squareRoot()
        guard deviation > 1e-12 else {
            let value = min(max(mean, floor), ceiling)
            return ChannelMoments(mean: value, variance: 0, low: value, high: value)
        }
        let (a, b) = ((floor - mean) / deviation, (ceiling - mean) / deviation)
        let (below, above) = (Normal.cumulative(a), 1 - Normal.cumulative(b))
        let inside = 1 - below - above
        let (densityA, densityB) = (Normal.density(a), Normal.density(b))
        // 0 times infinity where an end is open.
        func product(_ end: Double, _ share: Double) -> Double { end.isFinite ? end * share : 0 }
        let first =
            deviation * (densityA - densityB) + mean * inside + product(floor, below) + product(ceiling, above)
        let square =
            (mean * mean + variance) * inside + 2 * mean * deviation * (densityA - densityB)
            + variance * (product(a, densityA) - product(b, densityB)) + product(floor * floor, below)
            + product(ceiling * ceiling, above)
        return ChannelMoments(
            mean: first, variance: max(0, square - first * first), low: min(max(low, floor), ceiling),
            high: min(max(high, floor), ceiling))
    }

    /// What becomes of the channel where negative numbers are multiplied by `slope`.
    func leaky(_ slope: Double) -> ChannelMoments {
        let positive = clipped(0, .infinity)
        let negative = clipped(-.infinity, 0)
        // One of the two parts is always zero, so that their product is too.
        let first = positive.mean + slope * negative.mean
        let square =
            positive.variance + positive.mean * positive.mean
            + slope * slope * (negative.variance + negative.mean * negative.mean)
        func leak(_ x: Double) -> Double { x < 0 ? x * slope : x }
        return ChannelMoments(
            mean: first, variance: max(0, square - first * first), low: min(leak(low), leak(high)),
            high: max(leak(low), leak(high)))
    }

    /// The sum with an independent channel.
    func adding(_ other: ChannelMoments) -> ChannelMoments {
        let sum = ChannelMoments(mean: mean + other.mean, variance: variance + other.variance)
        // Both intervals hold; the narrower end of each is the answer.
        return ChannelMoments(
            mean: sum.mean, variance: sum.variance, low: max(sum.low, low + other.low),
            high: min(sum.high, high + other.high))
    }

    /// `x * factor + offset`.
    func scaled(_ factor: Double, offset: Double = 0) -> ChannelMoments {
        let ends = [low * factor + offset, high * factor + offset]
        return ChannelMoments(
            mean: mean * factor + offset, variance: variance * factor * factor, low: min(ends[0], ends[1]),
            high: max(ends[0], ends[1]))
    }
}

/// The standard normal distribution.
enum Normal {
    static func density(_ x: Double) -> Double { x.isFinite ? exp(-x * x / 2) / (2 * Double.pi).squareRoot() : 0 }

    static func cumulative(_ x: Double) -> Double { erfc(-x / 2.0.squareRoot()) / 2 }
}
