// SPDX-License-Identifier: Apache-2.0
internal import Media

/// The planes of a picture being drawn on, and the one loop that blends a covered shape into them.
///
/// A shape says how much of each luma sample it covers; eight samples at a time are blended into luma, and the mean
/// coverage of the luma samples that share a chroma sample into chroma:
///
///     rows y, y+1:   a0 a1 a2 a3 a4 a5 a6 a7          4:2:0: chroma k gets (a2k + a2k+1 + b2k + b2k+1) / 4
///                    b0 b1 b2 b3 b4 b5 b6 b7          4:2:2: chroma k gets (a2k + a2k+1) / 2
///
/// Where the picture's width or height is odd, the last chroma sample takes the mean of the samples that exist.
struct Surface {
    enum Chroma { case none, full, halfAcross, quarter, quarterInterleaved }

    let chroma: Chroma
    let width: Int
    let height: Int
    let luma: UnsafeMutablePointer<UInt8>
    let lumaStride: Int
    /// The U plane, or the UV plane.
    let first: UnsafeMutablePointer<UInt8>
    /// The V plane; the UV plane again where interleaved.
    let second: UnsafeMutablePointer<UInt8>
    let firstStride: Int
    let secondStride: Int

    /// Describes planes that stay valid and exclusively ours while the surface is used.
    init(format: PixelFormat, planes: (Int) -> MutablePlane) {
        let plane = planes(0)
        width = plane.width
        height = plane.height
        luma = plane.base
        lumaStride = plane.stride
        switch format {
        case .i420: chroma = .quarter
        case .i422: chroma = .halfAcross
        case .i444: chroma = .full
        case .nv12: chroma = .quarterInterleaved
        case .gray8: chroma = .none
        }
        let u = format.planeCount > 1 ? planes(1) : plane
        let v = format.planeCount > 2 ? planes(2) : u
        (first, firstStride) = (u.base, u.stride)
        (second, secondStride) = (v.base, v.stride)
    }

    /// Blends `color` into what `shape` covers; whatever the shape says, only samples of the picture change.
    func fill<Shape: CoverageShape>(_ shape: Shape, _ color: YUVColor) {
        guard color.alpha > 0 else { return }
        let paint = Paint(color, interleaved: chroma == .quarterInterleaved)
        switch chroma {
        case .quarter, .quarterInterleaved: fillPairs(shape, paint)
        case .none, .full, .halfAcross: fillRows(shape, paint)
        }
    }

    // MARK: Row loops

    private func fillRows<Shape: CoverageShape>(_ shape: Shape, _ paint: Paint) {
        var y = max(0, shape.top)
        let end = min(height, shape.bottom)
        while y < end {
            let span = shape.span(y)
            var x = max(0, span.from) & ~1
            let stop = min(width, span.to)
            if x < stop {
                let row = shape.row(y)
                let line = luma + y &* lumaStride
                let u = first + y &* firstStride
                let v = second + y &* secondStride
                while x < stop {
                    let cover = weighted(row.coverage(x), paint.alpha)
                    if !isZero(cover) { blendRow(x, line, u, v, cover, paint) }
                    x &+= 8
                }
            }
            y &+= 1
        }
    }

    private func fillPairs<Shape: CoverageShape>(_ shape: Shape, _ paint: Paint) {
        var y = max(0, shape.top) & ~1
        let end = min(height, shape.bottom)
        while y < end {
            let upper = shape.span(y)
            let lower = shape.span(y &+ 1)
            var x = max(0, min(upper.from, lower.from)) & ~1
            let stop = min(width, max(upper.to, lower.to))
            if x < stop {
                let rowA = shape.row(y)
                let rowB = shape.row(y &+ 1)
                let lineA = luma + y &* lumaStride
                let u = first + (y >> 1) &* firstStride
                let v = second + (y >> 1) &* secondStride
                let hasB = y &+ 1 < height
                while x < stop {
                    let a = weighted(rowA.coverage(x), paint.alpha)
                    let b = hasB ? weighted(rowB.coverage(x), paint.alpha) : a
                    if !isZero(a | b) {
                        if hasB && x &+ 8 <= width {
                            let lineB = lineA + lumaStride
                            store(blend(load8(lineA + x), paint.luma, a), lineA + x)
                            store(blend(load8(lineB + x), paint.luma, b), lineB + x)
                            let sums = a &+ b
                            let mean = (sums.evenHalf &+ sums.oddHalf &+ 2) &>> 2
                            blendChroma(mean, u, v, x >> 1, paint)
                        } else {
                            blendEdgePair(x, lineA, hasB ? lineA + lumaStride : nil, u, v, a, b, paint)
                        }
                    }
                    x &+= 8
                }
            }
            y &+= 2
        }
    }

    // MARK: Eight samples

    @inline(__always)
    private func blendRow(
        _ x: Int, _ line: UnsafeMutablePointer<UInt8>, _ u: UnsafeMutablePointer<UInt8>,
        _ v: UnsafeMutablePointer<UInt8>, _ cover: SIMD8<Int16>, _ paint: Paint
    ) {
        guard x &+ 8 <= width else { return blendEdgeRow(x, line, u, v, cover, paint) }
        store(blend(load8(line + x), paint.luma, cover), line + x)
        switch chroma {
        case .full:
            store(blend(load8(u + x), SIMD8(repeating: paint.u), cover), u + x)
            store(blend(load8(v + x), SIMD8(repeating: paint.v), cover), v + x)
        case .halfAcross:
            blendChroma((cover.evenHalf &+ cover.oddHalf &+ 1) &>> 1, u, v, x >> 1, paint)
        case .none, .quarter, .quarterInterleaved: break
        }
    }

    /// Four chroma samples: both planes side by side in one vector, or four UV pairs.
    @inline(__always)
    private func blendChroma(
        _ mean: SIMD4<Int16>, _ u: UnsafeMutablePointer<UInt8>, _ v: UnsafeMutablePointer<UInt8>, _ x: Int,
        _ paint: Paint
    ) {
        if chroma == .quarterInterleaved {
            var pairs = SIMD8<Int16>()
            pairs.evenHalf = mean
            pairs.oddHalf = mean
            store(blend(load8(u + 2 &* x), paint.chroma, pairs), u + 2 &* x)
        } else {
            let both = SIMD8<UInt8>(lowHalf: load4(u + x), highHalf: load4(v + x))
            let mixed = blend(widened(both), paint.chroma, SIMD8<Int16>(lowHalf: mean, highHalf: mean))
            let bytes = narrowed(mixed)
            UnsafeMutableRawPointer(u + x).storeBytes(of: bytes.lowHalf, as: SIMD4<UInt8>.self)
            UnsafeMutableRawPointer(v + x).storeBytes(of: bytes.highHalf, as: SIMD4<UInt8>.self)
        }
    }

    // MARK: The last, incomplete samples of a row

    @inline(never)
    private func blendEdgeRow(
        _ x: Int, _ line: UnsafeMutablePointer<UInt8>, _ u: UnsafeMutablePointer<UInt8>,
        _ v: UnsafeMutablePointer<UInt8>, _ cover: SIMD8<Int16>, _ paint: Paint
    ) {
        let count = min(8, width - x)
        for lane in 0..<count { mix(line + x + lane, paint.y, cover[lane]) }
        switch chroma {
        case .full:
            for lane in 0..<count {
                mix(u + x + lane, paint.u, cover[lane])
                mix(v + x + lane, paint.v, cover[lane])
            }
        case .halfAcross:
            for lane in stride(from: 0, to: count, by: 2) {
                let mean = lane + 1 < count ? (cover[lane] + cover[lane + 1] + 1) / 2 : cover[lane]
                mix(u + (x + lane) / 2, paint.u, mean)
                mix(v + (x + lane) / 2, paint.v, mean)
            }
        case .none, .quarter, .quarterInterleaved: break
        }
    }

    @inline(never)
    private func blendEdgePair(
        _ x: Int, _ lineA: UnsafeMutablePointer<UInt8>, _ lineB: UnsafeMutablePointer<UInt8>?,
        _ u: UnsafeMutablePointer<UInt8>, _ v: UnsafeMutablePointer<UInt8>, _ a: SIMD8<Int16>, _ b: SIMD8<Int16>,
        _ paint: Paint
    ) {
        let count = min(8, width - x)
        for lane in 0..<count {
            mix(lineA + x + lane, paint.y, a[lane])
            if let lineB { mix(lineB + x + lane, paint.y, b[lane]) }
        }
        for lane in stride(from: 0, to: count, by: 2) {
            let next = lane + 1 < count ? lane + 1 : lane
            let mean = (a[lane] + a[next] + b[lane] + b[next] + 2) / 4
            let index = (x + lane) / 2
            if chroma == .quarterInterleaved {
                mix(u + 2 * index, paint.u, mean)
                mix(u + 2 * index + 1, paint.v, mean)
            } else {
                mix(u + index, paint.u, mean)
                mix(v + index, paint.v, mean)
            }
        }
    }

    private func mix(_ sample: UnsafeMutablePointer<UInt8>, _ color: Int16, _ cover: Int16) {
        let old = Int16(sample.pointee)
        sample.pointee = UInt8(truncatingIfNeeded: old + ((color - old) * cover + 64) >> 7)
    }
}

/// A colour spread over vectors in the order the chroma loop wants it.
private struct Paint {
    let y: Int16
    let u: Int16
    let v: Int16
    let luma: SIMD8<Int16>
    let chroma: SIMD8<Int16>
    let alpha: SIMD8<Int16>

    init(_ color: YUVColor, interleaved: Bool) {
        (y, u, v) = (color.y, color.u, color.v)
        luma = SIMD8(repeating: color.y)
        chroma =
            interleaved ? SIMD8(u, v, u, v, u, v, u, v) : SIMD8(u, u, u, u, v, v, v, v)
        alpha = SIMD8(repeating: color.alpha)
    }
}

// Values are at most 255 and coverages at most 128, so that every product below fits 16 bits: 255 * 128 + 64 < 32768.

@inline(__always)
private func weighted(_ cover: SIMD8<Int16>, _ alpha: SIMD8<Int16>) -> SIMD8<Int16> {
    (cover &* alpha &+ 64) &>> 7
}

@inline(__always)
private func blend(_ old: SIMD8<Int16>, _ color: SIMD8<Int16>, _ cover: SIMD8<Int16>) -> SIMD8<Int16> {
    let step: SIMD8<Int16> = (color &- old) &* cover
    return old &+ ((step &+ 64) &>> 7)
}

@inline(__always)
private func isZero(_ vector: SIMD8<Int16>) -> Bool {
    let words = unsafeBitCast(vector, to: SIMD2<UInt64>.self)
    return words.x | words.y == 0
}

@inline(__always)
func widened(_ bytes: SIMD8<UInt8>) -> SIMD8<Int16> {
    var pairs = SIMD16<UInt8>()
    pairs.evenHalf = bytes
    return unsafeBitCast(pairs, to: SIMD8<Int16>.self)
}

@inline(__always)
private func narrowed(_ values: SIMD8<Int16>) -> SIMD8<UInt8> {
    unsafeBitCast(values, to: SIMD16<UInt8>.self).evenHalf
}

@inline(__always)
private func load8(_ from: UnsafeMutablePointer<UInt8>) -> SIMD8<Int16> {
    widened(UnsafeRawPointer(from).loadUnaligned(as: SIMD8<UInt8>.self))
}

@inline(__always)
private func load4(_ from: UnsafeMutablePointer<UInt8>) -> SIMD4<UInt8> {
    UnsafeRawPointer(from).loadUnaligned(as: SIMD4<UInt8>.self)
}

@inline(__always)
private func store(_ values: SIMD8<Int16>, _ to: UnsafeMutablePointer<UInt8>) {
    UnsafeMutableRawPointer(to).storeBytes(of: narrowed(values), as: SIMD8<UInt8>.self)
}
