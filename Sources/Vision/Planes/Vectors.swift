// SPDX-License-Identifier: Apache-2.0

/// Loads, stores and reductions the kernels share; every address may be unaligned.
///
/// Written so that the compiler needs nothing beyond the base instruction set (SSE2, NEON).
enum Vectors {
    @inline(__always)
    static func load8(_ pointer: UnsafePointer<Float>) -> SIMD8<Float> {
        UnsafeRawPointer(pointer).loadUnaligned(as: SIMD8<Float>.self)
    }

    @inline(__always)
    static func load4(_ pointer: UnsafePointer<Float>) -> SIMD4<Float> {
        UnsafeRawPointer(pointer).loadUnaligned(as: SIMD4<Float>.self)
    }

    @inline(__always)
    static func store(_ value: SIMD8<Float>, _ pointer: UnsafeMutablePointer<Float>) {
        UnsafeMutableRawPointer(pointer).storeBytes(of: value, as: SIMD8<Float>.self)
    }

    @inline(__always)
    static func store(_ value: SIMD4<Float>, _ pointer: UnsafeMutablePointer<Float>) {
        UnsafeMutableRawPointer(pointer).storeBytes(of: value, as: SIMD4<Float>.self)
    }

    /// Two neighbours each from two places, moved as 64-bit units: one load each.
    @inline(__always)
    static func pairs(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>) -> SIMD4<Float> {
        let units = SIMD2<Double>(
            UnsafeRawPointer(a).loadUnaligned(as: Double.self), UnsafeRawPointer(b).loadUnaligned(as: Double.self))
        return unsafeBitCast(units, to: SIMD4<Float>.self)
    }

    /// The sums of four vectors.
    @inline(__always)
    static func sums(
        _ a: SIMD4<Float>, _ b: SIMD4<Float>, _ c: SIMD4<Float>, _ d: SIMD4<Float>
    ) -> SIMD4<Float> {
        let ab = SIMD8(lowHalf: a, highHalf: b)
        let cd = SIMD8(lowHalf: c, highHalf: d)
        let all = SIMD8(lowHalf: ab.evenHalf + ab.oddHalf, highHalf: cd.evenHalf + cd.oddHalf)
        return all.evenHalf + all.oddHalf
    }

    /// The sum of a vector's lanes.
    @inline(__always)
    static func sum(_ a: SIMD8<Float>) -> Float {
        let four = a.lowHalf + a.highHalf
        let two = four.lowHalf + four.highHalf
        return two.x + two.y
    }

    /// `value` raised to `low` and lowered to `high`; what is no number becomes `low`.
    @inline(__always)
    static func clamp(_ value: Float, _ low: Float, _ high: Float) -> Float {
        // In this order of operands each line is one instruction, vector or not.
        let raised = value > low ? value : low
        return raised < high ? raised : high
    }

    /// The same, lane by lane; masks, because the optimiser makes branches of scalar comparisons here.
    @inline(__always)
    static func clamp(_ value: SIMD4<Float>, _ low: Float, _ high: Float) -> SIMD4<Float> {
        let raised = SIMD4(repeating: low).replacing(with: value, where: value .> low)
        return SIMD4(repeating: high).replacing(with: raised, where: raised .< high)
    }

    /// Each lane without its sign.
    @inline(__always)
    static func magnitude(_ value: SIMD8<Float>) -> SIMD8<Float> {
        unsafeBitCast(unsafeBitCast(value, to: SIMD8<UInt32>.self) & 0x7FFF_FFFF, to: SIMD8<Float>.self)
    }

    /// Each lane raised to 1.
    @inline(__always)
    static func atLeastOne(_ value: SIMD8<Float>) -> SIMD8<Float> {
        value.replacing(with: 1, where: value .< 1)
    }
}
