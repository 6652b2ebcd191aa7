// SPDX-License-Identifier: Apache-2.0

/// The patches of a level: where they are, what never changes about them, and where they moved.
struct PatchGrid {
    /// Edge of a patch.
    static let edge = 8

    let columns: Int
    let rows: Int
    let width: Int
    let height: Int
    let spacing: Int
    /// Motion of each patch, row after row.
    let u: UnsafeMutablePointer<Float>
    let v: UnsafeMutablePointer<Float>
    /// How badly each patch matches where it moved: sum of squared differences, the mean difference removed.
    let cost: UnsafeMutablePointer<Float>
    /// 1 where descent came to its end, 0 where its steps were used up.
    let settled: UnsafeMutablePointer<Float>
    /// Inverse of the 2 x 2 matrix of the gradients' products, xx, xy, yy; zero where there is no structure.
    let inverseXX: UnsafeMutablePointer<Float>
    let inverseXY: UnsafeMutablePointer<Float>
    let inverseYY: UnsafeMutablePointer<Float>
    /// Mean gradient in the patch.
    let meanX: UnsafeMutablePointer<Float>
    let meanY: UnsafeMutablePointer<Float>

    init(width: Int, height: Int, spacing: Int, arena: FloatArena) {
        precondition(width >= Self.edge && height >= Self.edge, "a level holds a patch")
        self.width = width
        self.height = height
        self.spacing = spacing
        columns = (width - Self.edge + spacing - 1) / spacing + 1
        rows = (height - Self.edge + spacing - 1) / spacing + 1
        let count = columns * rows
        u = arena.take(count)
        v = arena.take(count)
        cost = arena.take(count)
        settled = arena.take(count)
        inverseXX = arena.take(count)
        inverseXY = arena.take(count)
        inverseYY = arena.take(count)
        meanX = arena.take(count)
        meanY = arena.take(count)
    }

    /// Patches.
    var count: Int { columns * rows }

    /// Left edge of the patches in a column; the last ones end with the picture.
    @inline(__always)
    func left(_ column: Int) -> Int { min(column &* spacing, width &- Self.edge) }

    /// Upper edge of the patches in a row.
    @inline(__always)
    func top(_ row: Int) -> Int { min(row &* spacing, height &- Self.edge) }

    /// Computes what descent needs of every patch from the level's gradients.
    func prepare(_ level: FlowLevel) {
        let area = Float(Self.edge * Self.edge)
        for row in 0..<rows {
            for column in 0..<columns {
                let offset = top(row) * level.stride + left(column)
                let sums = products(level.gradientX + offset, level.gradientY + offset, level.stride)
                let index = row * columns + column
                let determinant = sums.xx * sums.yy - sums.xy * sums.xy
                // Without structure there is no step: the candidate stays.
                let scale = abs(determinant) < 1e-3 ? 0 : 1 / determinant
                inverseXX[index] = sums.yy * scale
                inverseXY[index] = -sums.xy * scale
                inverseYY[index] = sums.xx * scale
                meanX[index] = sums.x / area
                meanY[index] = sums.y / area
            }
        }
    }

    private struct Products {
        var x: Float
        var y: Float
        var xx: Float
        var xy: Float
        var yy: Float
    }

    @inline(__always)
    private func products(_ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ stride: Int) -> Products {
        var (sx, sy, sxx, sxy, syy) = (
            SIMD8<Float>(), SIMD8<Float>(), SIMD8<Float>(), SIMD8<Float>(), SIMD8<Float>()
        )
        for row in 0..<Self.edge {
            let a = Vectors.load8(x + row &* stride)
            let b = Vectors.load8(y + row &* stride)
            sx += a
            sy += b
            sxx += a * a
            sxy += a * b
            syy += b * b
        }
        return Products(
            x: Vectors.sum(sx), y: Vectors.sum(sy), xx: Vectors.sum(sxx), xy: Vectors.sum(sxy), yy: Vectors.sum(syy))
    }
}
