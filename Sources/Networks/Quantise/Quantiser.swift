// SPDX-License-Identifier: Apache-2.0

/// Between real numbers and integers from 0 to 255: one scale, and the integer that stands for zero.
///
/// - Note: Unsigned throughout: OpenVINO 2026.4 computes wrong sums where a signed quantiser follows a concatenation, and is no
///   faster with signed ones.
/// - Note: Thread-safety: a value.
public struct Quantiser: Sendable, Hashable {
    /// The real number that one step stands for; above 0.
    public let scale: Float
    /// The integer that stands for 0.
    public let zeroPoint: UInt8

    /// A quantiser of a known scale.
    public init(scale: Float, zeroPoint: UInt8 = 0) {
        self.scale = scale
        self.zeroPoint = zeroPoint
    }

    /// The finest quantiser that holds a range and zero, which stays exact.
    public init(_ range: ValueRange) {
        let (low, high) = (min(range.low, 0), max(range.high, 0))
        let scale = (high - low) / 255
        // A value that is always zero has any scale; so has one below what floats divide by.
        let isUsable = scale.isFinite && scale > .leastNormalMagnitude
        self.init(
            scale: isUsable ? scale : 1, zeroPoint: isUsable ? UInt8(min(max((-low / scale).rounded(), 0), 255)) : 0)
    }

    /// The integer for a number: the nearest, ties to even, as ONNX' `QuantizeLinear` has it.
    public func quantised(_ x: Float) -> Float {
        let level = (x / scale).rounded(.toNearestOrEven) + Float(zeroPoint)
        // What is not a number becomes zero rather than the lowest level.
        return level.isNaN ? Float(zeroPoint) : min(max(level, 0), 255)
    }

    /// The number that an integer stands for.
    public func dequantised(_ level: Float) -> Float { (level - Float(zeroPoint)) * scale }
}

/// The least and the largest number that a value takes.
public struct ValueRange: Sendable, Hashable, Codable {
    /// The least number.
    public var low: Float
    /// The largest number.
    public var high: Float

    /// A range; `low` is not above `high`.
    public init(_ low: Float, _ high: Float) {
        self.low = low
        self.high = high
    }

    /// Whether both ends are numbers in order.
    public var isSound: Bool { low.isFinite && high.isFinite && low <= high }
}
