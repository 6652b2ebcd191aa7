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

/// A run's paint in the numbers of one plane, up to, without, the byte `end`.
///
/// Sixteen bytes are taken as eight 16-bit numbers: the even bytes are the low halves, and no vector has to be widened;
/// 255 * 128 + 64 fits.
struct MaskBrush {
    let end: Int
    private let keep: SIMD8<UInt16>
    private let even: SIMD8<UInt16>
    private let odd: SIMD8<UInt16>

    @inline(__always)
    init(keep: UInt16, even: UInt16, odd: UInt16, end: Int) {
        self.end = end
        self.keep = SIMD8(repeating: keep)
        self.even = SIMD8(repeating: even)
        self.odd = SIMD8(repeating: odd)
    }

    /// Changes nothing, for ever.
    static var none: Self {
        @inline(__always) get { Self(keep: 128, even: 0, odd: 0, end: .max) }
    }

    /// `old * keep + even or odd`, in 128ths.
    @inline(__always)
    func mixed(_ old: SIMD8<UInt16>) -> SIMD8<UInt16> {
        let low: SIMD8<UInt16> = (old & 0xFF) &* keep &+ even
        let high: SIMD8<UInt16> = (old &>> 8) &* keep &+ odd
        let highByte: SIMD8<UInt16> = (high &<< 1) & 0xFF00
        return (low &>> 7) | highByte
    }

    @inline(__always)
    func mixed(_ old: UInt8, isOdd: Bool) -> UInt8 {
        UInt8(truncatingIfNeeded: (UInt16(old) &* keep[0] &+ (isOdd ? odd : even)[0]) &>> 7)
    }
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

@inline(__always)
func loadBytes(_ from: UnsafePointer<UInt8>) -> SIMD16<UInt8> {
    UnsafeRawPointer(from).loadUnaligned(as: SIMD16<UInt8>.self)
}
