// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Multiplies light by a gain: display value to light, times the gain, and back, as one table.
///
/// - Note: Source: IEC 61966-2-1 (sRGB) for both ways; light above 1 is cut off.
/// - Note: Thread-safety: confined. Owns its memory.
final class ToneCurve {
    /// Steps of the table over 0...1.
    static let steps = 4096

    private let values: UnsafeMutablePointer<Float>
    private let light: UnsafeMutablePointer<Float>
    /// The gain in force.
    private(set) var gain: Float = 1

    init() {
        // Two spare entries: one for the end of the range, one for what interpolation reads beside it.
        values = .allocate(capacity: Self.steps + 2)
        light = .allocate(capacity: Self.steps + 2)
        for step in 0..<Self.steps + 2 {
            let value = min(1, Float(step) / Float(Self.steps))
            (light + step).initialize(to: Self.light(value))
            (values + step).initialize(to: value)
        }
    }

    deinit {
        values.deallocate()
        light.deallocate()
    }

    /// Makes the table for a gain.
    func set(gain: Float) {
        guard gain != self.gain else { return }
        self.gain = gain
        for step in 0..<Self.steps + 2 { values[step] = Self.display(min(1, light[step] * gain)) }
    }

    /// The light of a display value, to the nearest step.
    @inline(__always)
    func light(of value: Float) -> Float { light[Int(Vectors.clamp(value, 0, 1) * Float(Self.steps) + 0.5)] }

    /// The display value after the gain; what is no number becomes 0.
    @inline(__always)
    func callAsFunction(_ value: Float) -> Float {
        let position = Vectors.clamp(value, 0, 1) * Float(Self.steps)
        let step = Int(position)
        let low = values[step]
        return low + (values[step &+ 1] - low) * (position - Float(step))
    }

    /// Applies the gain in place; does nothing at gain 1.
    func apply(_ samples: UnsafeMutablePointer<Float>, count: Int) {
        guard gain != 1 else { return }
        for index in 0..<count { samples[index] = self(samples[index]) }
    }

    private static func light(_ value: Float) -> Float {
        value <= 0.04045 ? value / 12.92 : powf((value + 0.055) / 1.055, 2.4)
    }

    private static func display(_ light: Float) -> Float {
        light <= 0.0031308 ? light * 12.92 : 1.055 * powf(light, 1 / 2.4) - 0.055
    }
}
