// SPDX-License-Identifier: Apache-2.0

/// A colour times its opacity in a picture's values, rounding added: what is left to do is one product and one sum.
struct MaskPaint {
    /// 128 minus the opacity in 128ths: the part of the old value that stays.
    let keep: UInt16
    let y: UInt16
    let u: UInt16
    let v: UInt16

    init(_ color: YUVColor) {
        keep = UInt16(128 - color.alpha)
        y = UInt16(color.y * color.alpha + 64)
        u = UInt16(color.u * color.alpha + 64)
        v = UInt16(color.v * color.alpha + 64)
    }
}

// Sixteen bytes as eight 16-bit numbers: the even bytes are the low halves, and no vector has to be widened.
// 255 * 128 + 64 fits 16 bits.

@inline(__always)
func mixed(
    _ old: SIMD8<UInt16>, _ keep: SIMD8<UInt16>, _ even: SIMD8<UInt16>, _ odd: SIMD8<UInt16>
) -> SIMD8<UInt16> {
    let low = ((old & 0xFF) &* keep &+ even) &>> 7
    let high = (((old &>> 8) &* keep &+ odd) &<< 1) & 0xFF00
    return low | high
}

/// All bits of the first `count` bytes, 0...16.
@inline(__always)
func firstBytes(_ count: Int) -> SIMD8<UInt16> {
    let ends = SIMD8<Int16>(repeating: Int16(truncatingIfNeeded: count)) &- SIMD8<Int16>(0, 2, 4, 6, 8, 10, 12, 14)
    // Negative where the byte is inside: 0 - count + place.
    let low = unsafeBitCast((0 &- ends) &>> 15, to: SIMD8<UInt16>.self) & 0xFF
    let high = unsafeBitCast((1 &- ends) &>> 15, to: SIMD8<UInt16>.self) & 0xFF00
    return low | high
}

@inline(__always)
func loadPairs(_ from: UnsafePointer<UInt8>) -> SIMD8<UInt16> {
    UnsafeRawPointer(from).loadUnaligned(as: SIMD8<UInt16>.self)
}

@inline(__always)
func storePairs(_ values: SIMD8<UInt16>, _ to: UnsafeMutablePointer<UInt8>) {
    UnsafeMutableRawPointer(to).storeBytes(of: values, as: SIMD8<UInt16>.self)
}

/// How many bytes from the first on are zero, 0...16.
@inline(__always)
func equalBytes(_ differences: SIMD8<UInt16>) -> Int {
    // Both architectures are little endian: the first byte is the lowest.
    let words = unsafeBitCast(differences, to: SIMD2<UInt64>.self)
    return words.x != 0 ? words.x.trailingZeroBitCount >> 3 : 8 &+ words.y.trailingZeroBitCount >> 3
}
