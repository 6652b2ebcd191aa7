// SPDX-License-Identifier: Apache-2.0
internal import Media

/// Makes the levels' pictures by area averaging, and their gradients.
///
/// Sizes are halved rounding up; where a cell is not whole, the last sample counts twice.
enum FlowPyramid {
    /// Writes the means of `factor` x `factor` bytes (1, 2, 4 or a multiple of 4) to a plane of `level`.
    ///
    /// `sums` holds a row of column sums: `factor * level.width` of them.
    static func reduce(
        _ bytes: Plane, by factor: Int, into plane: UnsafeMutablePointer<Float>, of level: FlowLevel,
        sums: UnsafeMutablePointer<UInt16>
    ) {
        let scale = 1 / Float(factor * factor)
        sumCells(bytes, factor, columns: level.width, rows: level.height, sums) { row, column, sum in
            plane[row &* level.stride &+ column] = Float(sum) * scale
        }
    }

    /// The same, rounded to bytes; `plane` has the size that the means call for.
    static func reduce(
        _ bytes: Plane, by factor: Int, into plane: MutablePlane, sums: UnsafeMutablePointer<UInt16>
    ) {
        let area = Int32(factor * factor)
        sumCells(bytes, factor, columns: plane.width, rows: plane.height, sums) { row, column, sum in
            plane.base[row &* plane.stride &+ column] = UInt8(truncatingIfNeeded: (sum &+ area / 2) / area)
        }
    }

    @inline(__always)
    private static func sumCells(
        _ bytes: Plane, _ factor: Int, columns: Int, rows: Int, _ sums: UnsafeMutablePointer<UInt16>,
        _ put: (_ row: Int, _ column: Int, _ sum: Int32) -> Void
    ) {
        for row in 0..<rows {
            sumColumns(bytes, from: row * factor, rows: factor, into: sums)
            (sums + bytes.width).update(repeating: sums[bytes.width - 1], count: factor * columns - bytes.width)
            for column in 0..<columns { put(row, column, sumNeighbours(sums + column &* factor, factor)) }
        }
    }

    private static func sumColumns(
        _ bytes: Plane, from first: Int, rows: Int, into sums: UnsafeMutablePointer<UInt16>
    ) {
        for row in 0..<rows {
            let source = bytes.row(min(first + row, bytes.height - 1))
            if row == 0 {
                for column in 0..<bytes.width { sums[column] = UInt16(source[column]) }
            } else {
                for column in 0..<bytes.width { sums[column] &+= UInt16(source[column]) }
            }
        }
    }

    /// The sum of `count` sums, several in one multiplication: each fits 16 bits, and so does their total.
    @inline(__always)
    private static func sumNeighbours(_ sums: UnsafeMutablePointer<UInt16>, _ count: Int) -> Int32 {
        let raw = UnsafeRawPointer(sums)
        if count == 1 { return Int32(sums[0]) }
        if count == 2 {
            return Int32(truncatingIfNeeded: (raw.loadUnaligned(as: UInt32.self) &* 0x1_0001) >> 16)
        }
        var total: Int32 = 0
        for group in 0..<count / 4 {
            let four = raw.loadUnaligned(fromByteOffset: group &* 8, as: UInt64.self)
            total &+= Int32(truncatingIfNeeded: (four &* 0x0001_0001_0001_0001) >> 48)
        }
        return total
    }

    /// Writes the means of 2 x 2 samples of a plane of `finer` to one of `coarser`; the border must be filled.
    static func halve(
        _ source: UnsafePointer<Float>, of finer: FlowLevel, into plane: UnsafeMutablePointer<Float>,
        of coarser: FlowLevel
    ) {
        for row in 0..<coarser.height {
            let upper = source + 2 * row * finer.stride
            let lower = upper + finer.stride
            let out = plane + row * coarser.stride
            var column = 0
            while column < coarser.width {
                let sums = Vectors.load8(upper + 2 &* column) + Vectors.load8(lower + 2 &* column)
                Vectors.store((sums.evenHalf + sums.oddHalf) * 0.25, out + column)
                column &+= 4
            }
        }
    }

    /// Sobel's derivatives of `level.first`, whose border must be filled.
    static func differentiate(_ level: FlowLevel) {
        for row in 0..<level.height {
            let start = row * level.stride
            let middle = level.first + start
            let (upper, lower) = (middle - level.stride, middle + level.stride)
            var column = 0
            while column < level.width {
                let a = Vectors.load8(upper + (column &- 1))
                let b = Vectors.load8(upper + column)
                let c = Vectors.load8(upper + (column &+ 1))
                let d = Vectors.load8(middle + (column &- 1))
                let e = Vectors.load8(middle + (column &+ 1))
                let f = Vectors.load8(lower + (column &- 1))
                let g = Vectors.load8(lower + column)
                let h = Vectors.load8(lower + (column &+ 1))
                let x: SIMD8<Float> = (c - a) + (e - d) * 2
                let y: SIMD8<Float> = (f - a) + (g - b) * 2
                Vectors.store((x + (h - f)) * 0.125, level.gradientX + (start &+ column))
                Vectors.store((y + (h - c)) * 0.125, level.gradientY + (start &+ column))
                column &+= 8
            }
        }
    }
}
