// SPDX-License-Identifier: Apache-2.0

/// A shape that can say how much of each luma sample it covers.
///
/// Sample (x, y) is the unit square from (x, y).
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

/// Zero to seven, the places in a vector of samples.
let laneNumbers = SIMD8<Float>(0, 1, 2, 3, 4, 5, 6, 7)

// Comparisons, `pointwiseMax` and conversions of vectors compile to calls or lane loops in some compilers, shifts and
// halves to one or two instructions in all of them: hence the spelling below.

/// Coverages 0...1 in 128ths, rounded to nearest.
@inline(__always)
func quantised(_ coverage: SIMD8<Float>) -> SIMD8<Int16> {
    // 1.5 * 2^23: the lowest mantissa bits of the sum are the rounded value.
    let biased = coverage * 128 + 12_582_912
    // The even halves are the low ones: both architectures are little endian.
    return unsafeBitCast(biased, to: SIMD16<Int16>.self).evenHalf
}

/// Every negative lane replaced by zero.
@inline(__always)
func positive(_ value: SIMD8<Int16>) -> SIMD8<Int16> { value & ~(value &>> 15) }

/// Every negative lane (and NaN with a sign) replaced by zero.
@inline(__always)
func positive(_ value: SIMD8<Float>) -> SIMD8<Float> {
    let bits = unsafeBitCast(value, to: SIMD8<Int32>.self)
    return unsafeBitCast(bits & ~(bits &>> 31), to: SIMD8<Float>.self)
}

/// Every lane without its sign.
@inline(__always)
func magnitude(_ value: SIMD8<Int16>) -> SIMD8<Int16> {
    let sign = value &>> 15
    return (value ^ sign) &- sign
}

/// Every lane clamped to 0...limit.
@inline(__always)
func clamped(_ value: SIMD8<Float>, to limit: Float) -> SIMD8<Float> { positive(limit - positive(limit - value)) }

/// The integer below `value`, which may be anything: outside numbers and NaN become the nearer limit.
@inline(__always)
func floorInt(_ value: Double, in limits: ClosedRange<Int>) -> Int {
    guard value > Double(limits.lowerBound) else { return limits.lowerBound }
    guard value < Double(limits.upperBound) else { return limits.upperBound }
    return Int(value.rounded(.down))
}
