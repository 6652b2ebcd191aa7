// SPDX-License-Identifier: Apache-2.0

/// Fetches each pixel of a picture from where the flow says it lies in another, bilinearly.
///
/// Positions outside take the nearest pixel of the border. Whole-pixel motion is exact.
/// - Note: Thread-safety: functions without state; they allocate nothing.
public enum Warp {
    /// `out(x, y) = source(x + u, y + v)` in every plane.
    ///
    /// - Precondition: `flow` and both sets of planes have one size, at most 2^22 on a side, and `out` is not `source`.
    public static func sample(_ source: FloatPlanes, along flow: FlowField, into out: MutableFloatPlanes) {
        let (width, height) = (flow.width, flow.height)
        precondition(source.width == width && source.height == height, "a source of another size")
        precondition(
            out.width == width && out.height == height && out.channels == source.channels, "an output of another size")
        guard width >= 4, height >= 2 else { return sampleOneByOne(source, along: flow, into: out) }
        for row in 0..<height {
            var column = 0
            while column < width {
                // The last vector ends with the row: it overlaps the one before instead of running past the end.
                let at = min(column, width &- 4)
                sampleFour(source, flow, row, at, into: out.base + (row &* width &+ at))
                column &+= 4
            }
        }
    }

    @inline(__always)
    private static func sampleFour(
        _ source: FloatPlanes, _ flow: FlowField, _ row: Int, _ column: Int, into out: UnsafeMutablePointer<Float>
    ) {
        let width = flow.width
        let index = row &* width &+ column
        let u = Vectors.load4(flow.u + index)
        let v = Vectors.load4(flow.v + index)
        let start = Float(column)
        let x = Vectors.clamp(SIMD4(start, start + 1, start + 2, start + 3) + u, 0, Float(width &- 1))
        let y = Vectors.clamp(Float(row) + v, 0, Float(flow.height &- 1))
        let (left, fractionX) = split(x, last: Float(width &- 2))
        let (upper, fractionY) = split(y, last: Float(flow.height &- 2))
        // Each pixel's four weights: left and right above, left and right below.
        let (restX, restY) = (1 - fractionX, 1 - fractionY)
        let (a, b, c, d) = (restX * restY, fractionX * restY, restX * fractionY, fractionX * fractionY)
        let weights = (
            SIMD4(a.x, b.x, c.x, d.x), SIMD4(a.y, b.y, c.y, d.y), SIMD4(a.z, b.z, c.z, d.z), SIMD4(a.w, b.w, c.w, d.w)
        )
        let offsets = (
            Int(upper.x) &* width &+ Int(left.x), Int(upper.y) &* width &+ Int(left.y),
            Int(upper.z) &* width &+ Int(left.z), Int(upper.w) &* width &+ Int(left.w)
        )
        var plane = source.base
        var target = out
        for _ in 0..<source.channels {
            let (p, q, r, s) = (plane + offsets.0, plane + offsets.1, plane + offsets.2, plane + offsets.3)
            Vectors.store(
                Vectors.sums(
                    Vectors.pairs(p, p + width) * weights.0, Vectors.pairs(q, q + width) * weights.1,
                    Vectors.pairs(r, r + width) * weights.2, Vectors.pairs(s, s + width) * weights.3), target)
            plane += source.area
            target += source.area
        }
    }

    /// The sample before each position, at most `last`, and how far the position is from it, 0...1.
    @inline(__always)
    private static func split(_ position: SIMD4<Float>, last: Float) -> (SIMD4<UInt32>, SIMD4<Float>) {
        // 2^23 leaves no bits for a fraction: adding it rounds, and the low bits are the number. Whole positions may
        // come out one lower with fraction 1, which is the same sample.
        let shift: Float = 8_388_608
        let rounded = Vectors.clamp(position - 0.5, 0, last) + shift
        let whole = unsafeBitCast(rounded, to: SIMD4<UInt32>.self) & 0x7F_FFFF
        return (whole, position - (rounded - shift))
    }

    /// The same for pictures too narrow for vectors.
    private static func sampleOneByOne(_ source: FloatPlanes, along flow: FlowField, into out: MutableFloatPlanes) {
        for row in 0..<flow.height {
            for column in 0..<flow.width {
                let index = row * flow.width + column
                let x = Vectors.clamp(Float(column) + flow.u[index], 0, Float(flow.width - 1))
                let y = Vectors.clamp(Float(row) + flow.v[index], 0, Float(flow.height - 1))
                let (left, upper) = (Int(x), Int(y))
                let (right, lower) = (min(left + 1, flow.width - 1), min(upper + 1, flow.height - 1))
                let (fractionX, fractionY) = (x - Float(left), y - Float(upper))
                for channel in 0..<source.channels {
                    let plane = source.plane(channel)
                    let above = plane + upper * flow.width
                    let below = plane + lower * flow.width
                    let first = above[left] * (1 - fractionX) + above[right] * fractionX
                    let second = below[left] * (1 - fractionX) + below[right] * fractionX
                    out.plane(channel)[index] = first * (1 - fractionY) + second * fractionY
                }
            }
        }
    }

    /// 1 where `flow` points inside the picture, 0 elsewhere.
    ///
    /// - Precondition: `valid` is one plane of the field's size.
    public static func validity(of flow: FlowField, into valid: MutableFloatPlanes) {
        precondition(
            valid.width == flow.width && valid.height == flow.height && valid.channels == 1, "a plane of another size")
        let (right, bottom) = (Float(flow.width - 1), Float(flow.height - 1))
        for row in 0..<flow.height {
            let start = row * flow.width
            let (u, v, out) = (flow.u + start, flow.v + start, valid.base + start)
            let top = Float(row)
            for column in 0..<flow.width {
                let x = Float(Int32(truncatingIfNeeded: column)) + u[column]
                let y = top + v[column]
                out[column] = (x >= 0 ? 1 : 0) * (x <= right ? 1 : 0) * (y >= 0 ? 1 : 0) * (y <= bottom ? 1 : 0)
            }
        }
    }
}
