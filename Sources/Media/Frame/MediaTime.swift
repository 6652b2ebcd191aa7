// SPDX-License-Identifier: Apache-2.0

/// A fraction of two 32-bit integers, as time bases, frame rates and aspect ratios are given.
public struct Rational: Sendable, Hashable {
    /// Numerator.
    public var num: Int32
    /// Denominator; zero means unknown.
    public var den: Int32

    /// Makes `num / den`.
    public init(_ num: Int32, _ den: Int32) {
        self.num = num
        self.den = den
    }

    /// The fraction as a number, or nil where it is unknown or not positive.
    public var value: Double? { num > 0 && den > 0 ? Double(num) / Double(den) : nil }
}

/// An instant or a span on a stream's own clock: a count of ticks of `base` seconds each.
public struct MediaTime: Sendable, Hashable, CustomStringConvertible {
    /// Count of ticks.
    public var ticks: Int64
    /// Seconds per tick.
    public var base: Rational

    /// Makes `ticks * base` seconds.
    public init(ticks: Int64, base: Rational) {
        self.ticks = ticks
        self.base = base
    }

    /// The time in seconds, rounded to a double; zero where the base is unknown.
    public var seconds: Double {
        base.den == 0 ? 0 : Double(ticks) * Double(base.num) / Double(base.den)
    }

    /// The seconds, to the microsecond.
    public var description: String { "\((seconds * 1e6).rounded() / 1e6)" }
}
