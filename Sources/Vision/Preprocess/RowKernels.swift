// SPDX-License-Identifier: Apache-2.0

/// The inner loops of pre-processing, each over one row; all arithmetic is float32.
///
/// Written so that the compiler needs nothing beyond the base instruction set (SSE2, NEON). Two habits have reasons:
/// bytes become floats lane by lane, because the standard library's vector conversions are calls, and reductions are
/// written as moves of 64-bit units, which the optimiser leaves as they are.
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
        switch table.blocks {
        case 1: resample(row, table.starts, table.weights, table.groups, blocks: 1, into: out)
        case 2: resample(row, table.starts, table.weights, table.groups, blocks: 2, into: out)
        case let blocks: resample(row, table.starts, table.weights, table.groups, blocks: blocks, into: out)
        }
    }

    @inline(__always)
    private static func resample(
        _ row: UnsafePointer<Float>, _ starts: UnsafePointer<Int32>, _ weights: UnsafePointer<SIMD4<Float>>,
        _ groups: Int, blocks: Int, into out: UnsafeMutablePointer<Float>
    ) {
        var start = starts
        var weight = weights
        var target = out
        let end = out + 4 &* groups
        while target < end {
            var a = row + Int(start[0])
            var b = row + Int(start[1])
            var c = row + Int(start[2])
            var d = row + Int(start[3])
            var sum = SIMD4<Float>()
            var block = 0
            repeat {
                let all = SIMD8(lowHalf: pairs(a, b), highHalf: pairs(c, d))
                sum += all.evenHalf * weight[0] + all.oddHalf * weight[1]
                a += 2
                b += 2
                c += 2
                d += 2
                weight += 2
                block &+= 1
            } while block < blocks
            store(sum, target)
            start += 4
            target += 4
        }
    }

    /// Two samples from each of two places, moved as 64-bit units: one load each.
    @inline(__always)
    private static func pairs(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>) -> SIMD4<Float> {
        let units = SIMD2<Double>(
            UnsafeRawPointer(a).loadUnaligned(as: Double.self), UnsafeRawPointer(b).loadUnaligned(as: Double.self))
        return unsafeBitCast(units, to: SIMD4<Float>.self)
    }

    // MARK: - Colour

    /// Turns a resampled row into one row of each of the tensor's three planes.
    static func convert(
        y: UnsafePointer<Float>, u: UnsafePointer<Float>, v: UnsafePointer<Float>, _ color: ColorTransform,
        red: UnsafeMutablePointer<Float>, green: UnsafeMutablePointer<Float>, blue: UnsafeMutablePointer<Float>,
        count: Int
    ) {
        guard count >= 4 else {
            for index in 0..<count {
                let (l, p, q) = (SIMD4(repeating: y[index]), SIMD4(repeating: u[index]), SIMD4(repeating: v[index]))
                red[index] = color.red(l, q).x
                green[index] = color.green(l, p, q).x
                blue[index] = color.blue(l, p).x
            }
            return
        }
        var index = 0
        while index < count {
            let at = min(index, count &- 4)
            let (l, p, q) = (load4(y + at), load4(u + at), load4(v + at))
            store(color.red(l, q), red + at)
            store(color.green(l, p, q), green + at)
            store(color.blue(l, p), blue + at)
            index &+= 4
        }
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
