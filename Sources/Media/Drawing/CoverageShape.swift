// SPDX-License-Identifier: Apache-2.0

/// A shape that can say how much of each luma sample it covers. Sample (x, y) is the unit square from (x, y).
protocol CoverageShape {
    associatedtype Row: CoverageRow

    /// First row that may be covered; may lie outside the picture.
    var top: Int { get }
    /// One past the last row that may be covered.
    var bottom: Int { get }
    /// The samples of row `y` that may be covered: `from` up to, without, `to`. Any row may be asked for.
    func span(_ y: Int) -> Span
    /// What is needed to cover row `y`, whichever it is.
    func row(_ y: Int) -> Row
}

/// One row of a shape.
protocol CoverageRow {
    /// Coverage of samples x, x + 1, ... x + 7 in 128ths, 0...128; zero outside the shape.
    func coverage(_ x: Int) -> SIMD8<Int16>
}

/// Samples `from` up to, without, `to`; empty where `to <= from`.
struct Span {
    var from: Int
    var to: Int
}

/// 0, 1, ... 7, the places in a vector of samples.
let laneNumbers = SIMD8<Float>(0, 1, 2, 3, 4, 5, 6, 7)

/// Coverages 0...1 in 128ths, rounded to nearest.
@inline(__always)
func quantised(_ coverage: SIMD8<Float>) -> SIMD8<Int16> {
    // 1.5 * 2^23: the sum's lowest mantissa bits are the rounded value, which converts without a per-lane check.
    let biased = coverage * 128 + 12_582_912
    return SIMD8<Int16>(truncatingIfNeeded: unsafeBitCast(biased, to: SIMD8<Int32>.self))
}

/// Every lane clamped to 0...1.
@inline(__always)
func clampedToUnit(_ value: SIMD8<Float>) -> SIMD8<Float> {
    value.clamped(lowerBound: SIMD8(repeating: 0), upperBound: SIMD8(repeating: 1))
}

/// The integer below `value`, which may be anything: outside numbers and NaN become the nearer limit.
@inline(__always)
func floorInt(_ value: Double, in limits: ClosedRange<Int>) -> Int {
    guard value > Double(limits.lowerBound) else { return limits.lowerBound }
    guard value < Double(limits.upperBound) else { return limits.upperBound }
    return Int(value.rounded(.down))
}
