// SPDX-License-Identifier: Apache-2.0

/// The inner loops of pre-processing, each over one row; all arithmetic is float32.
///
/// Written so that the compiler needs nothing beyond the base instruction set (SSE2, NEON). Two habits have reasons:
/// bytes become floats lane by lane, because the standard library's vector conversions are calls, and minimum and
/// maximum are selections, for the same reason.
enum RowKernels {
    // MARK: - Down: bytes to floats

    /// `out[i] = sum over r of weights[r] * bytes[r * stride + i]`.
    static func blendRows(
        _ bytes: UnsafePointer<UInt8>, stride: Int, weights: UnsafePointer<Float>, rows: Int,
        into out: UnsafeMutablePointer<Float>, count: Int
    ) {
        guard count >= 16 else {
            for index in 0..<count { out[index] = blend(bytes + index, stride, weights, rows) }
            return
        }
        var index = 0
        while index < count {
            // The last vector ends with the row: it overlaps the one before instead of reading past the end.
            let at = min(index, count &- 16)
            var a = SIMD4<Float>()
            var b = a
            var c = a
            var d = a
            var source = bytes + at
            var row = 0
            while row < rows {
                let weight = weights[row]
                let samples = UnsafeRawPointer(source).loadUnaligned(as: SIMD16<UInt8>.self)
                a += floats(samples.lowHalf.lowHalf) * weight
                b += floats(samples.lowHalf.highHalf) * weight
                c += floats(samples.highHalf.lowHalf) * weight
                d += floats(samples.highHalf.highHalf) * weight
                source += stride
                row &+= 1
            }
            store(a, out + at)
            store(b, out + (at &+ 4))
            store(c, out + (at &+ 8))
            store(d, out + (at &+ 12))
            index &+= 16
        }
    }

    /// The same over `count` interleaved pairs, whose members go to a row each.
    static func blendPairs(
        _ bytes: UnsafePointer<UInt8>, stride: Int, weights: UnsafePointer<Float>, rows: Int,
        into first: UnsafeMutablePointer<Float>, _ second: UnsafeMutablePointer<Float>, count: Int
    ) {
        guard count >= 8 else {
            for index in 0..<count {
                first[index] = blend(bytes + 2 * index, stride, weights, rows)
                second[index] = blend(bytes + (2 * index + 1), stride, weights, rows)
            }
            return
        }
        var index = 0
        while index < count {
            let at = min(index, count &- 8)
            var a = SIMD4<Float>()
            var b = a
            var c = a
            var d = a
            var source = bytes + 2 &* at
            var row = 0
            while row < rows {
                let weight = weights[row]
                let samples = UnsafeRawPointer(source).loadUnaligned(as: SIMD16<UInt8>.self)
                a += floats(samples.lowHalf.evenHalf) * weight
                b += floats(samples.highHalf.evenHalf) * weight
                c += floats(samples.lowHalf.oddHalf) * weight
                d += floats(samples.highHalf.oddHalf) * weight
                source += stride
                row &+= 1
            }
            store(a, first + at)
            store(b, first + (at &+ 4))
            store(c, second + at)
            store(d, second + (at &+ 4))
            index &+= 8
        }
    }

    @inline(__always)
    private static func blend(
        _ bytes: UnsafePointer<UInt8>, _ stride: Int, _ weights: UnsafePointer<Float>, _ rows: Int
    ) -> Float {
        var sum: Float = 0
        for row in 0..<rows { sum += Float(bytes[row &* stride]) * weights[row] }
        return sum
    }

    // MARK: - Across: floats to floats

    /// Resamples a row; writes `4 * table.groups` samples and reads `table.overrun` past the row's last.
    static func resample(
        _ row: UnsafePointer<Float>, _ table: HorizontalTable, into out: UnsafeMutablePointer<Float>
    ) {
        let starts = table.starts
        let weights = table.weights
        let groups = table.groups
        if table.width == 2 {
            resamplePairs(row, starts, weights, groups, into: out)
        } else {
            resampleBlocks(row, starts, weights, groups, blocks: table.blocks, into: out)
        }
    }

    private static func resamplePairs(
        _ row: UnsafePointer<Float>, _ starts: UnsafePointer<Int32>, _ weights: UnsafePointer<SIMD4<Float>>,
        _ groups: Int, into out: UnsafeMutablePointer<Float>
    ) {
        var group = 0
        while group < groups {
            let start = starts + 4 &* group
            let low = SIMD4(lowHalf: load2(row + Int(start[0])), highHalf: load2(row + Int(start[1])))
            let high = SIMD4(lowHalf: load2(row + Int(start[2])), highHalf: load2(row + Int(start[3])))
            let all = SIMD8(lowHalf: low, highHalf: high)
            let weight = weights + 2 &* group
            store(all.evenHalf * weight[0] + all.oddHalf * weight[1], out + 4 &* group)
            group &+= 1
        }
    }

    private static func resampleBlocks(
        _ row: UnsafePointer<Float>, _ starts: UnsafePointer<Int32>, _ weights: UnsafePointer<SIMD4<Float>>,
        _ groups: Int, blocks: Int, into out: UnsafeMutablePointer<Float>
    ) {
        var group = 0
        var weight = weights
        while group < groups {
            let start = starts + 4 &* group
            var sum = SIMD4<Float>()
            var offset = 0
            repeat {
                // Four taps of four target samples, turned so that a lane is a target sample.
                let ab = SIMD8(lowHalf: load4(row + (Int(start[0]) &+ offset)), highHalf: load4(row + (Int(start[1]) &+ offset)))
                let cd = SIMD8(lowHalf: load4(row + (Int(start[2]) &+ offset)), highHalf: load4(row + (Int(start[3]) &+ offset)))
                let even = SIMD8(lowHalf: ab.evenHalf, highHalf: cd.evenHalf)
                let odd = SIMD8(lowHalf: ab.oddHalf, highHalf: cd.oddHalf)
                sum += even.evenHalf * weight[0] + odd.evenHalf * weight[1]
                sum += even.oddHalf * weight[2] + odd.oddHalf * weight[3]
                weight += 4
                offset &+= 4
            } while offset < 4 &* blocks
            store(sum, out + 4 &* group)
            group &+= 1
        }
    }

    // MARK: - Colour

    /// Turns a resampled row into one row of each of the tensor's three planes.
    static func convert(
        y: UnsafePointer<Float>, u: UnsafePointer<Float>, v: UnsafePointer<Float>, _ color: ColorTransform,
        into first: UnsafeMutablePointer<Float>, _ second: UnsafeMutablePointer<Float>,
        _ third: UnsafeMutablePointer<Float>, count: Int
    ) {
        guard count >= 4 else {
            for index in 0..<count {
                let (l, p, q) = (SIMD4(repeating: y[index]), SIMD4(repeating: u[index]), SIMD4(repeating: v[index]))
                first[index] = channel(color.first, l, p, q).x
                second[index] = channel(color.second, l, p, q).x
                third[index] = channel(color.third, l, p, q).x
            }
            return
        }
        var index = 0
        while index < count {
            let at = min(index, count &- 4)
            let (l, p, q) = (load4(y + at), load4(u + at), load4(v + at))
            store(channel(color.first, l, p, q), first + at)
            store(channel(color.second, l, p, q), second + at)
            store(channel(color.third, l, p, q), third + at)
            index &+= 4
        }
    }

    @inline(__always)
    private static func channel(
        _ channel: ColorTransform.Channel, _ y: SIMD4<Float>, _ u: SIMD4<Float>, _ v: SIMD4<Float>
    ) -> SIMD4<Float> {
        let low = SIMD4(repeating: channel.low)
        let high = SIMD4(repeating: channel.high)
        var value = (y * channel.y + channel.offset) + (u * channel.u + v * channel.v)
        value = value.replacing(with: low, where: value .< low)
        return value.replacing(with: high, where: value .> high)
    }

    // MARK: - Vectors and memory

    @inline(__always)
    private static func floats(_ bytes: SIMD4<UInt8>) -> SIMD4<Float> {
        SIMD4(Float(bytes.x), Float(bytes.y), Float(bytes.z), Float(bytes.w))
    }

    @inline(__always)
    private static func load2(_ pointer: UnsafePointer<Float>) -> SIMD2<Float> {
        UnsafeRawPointer(pointer).loadUnaligned(as: SIMD2<Float>.self)
    }

    @inline(__always)
    private static func load4(_ pointer: UnsafePointer<Float>) -> SIMD4<Float> {
        UnsafeRawPointer(pointer).loadUnaligned(as: SIMD4<Float>.self)
    }

    @inline(__always)
    private static func store(_ value: SIMD4<Float>, _ pointer: UnsafeMutablePointer<Float>) {
        UnsafeMutableRawPointer(pointer).storeBytes(of: value, as: SIMD4<Float>.self)
    }
}
