// SPDX-License-Identifier: Apache-2.0

/// Turns the patches' motion into that of each pixel: the mean of the patches over it, those that match better there
/// counting more (by 1 over the difference in grey values, at most 1).
struct PatchBlend {
    /// Sum of weights at each pixel.
    private let total: UnsafeMutablePointer<Float>

    init(_ level: FlowLevel) { total = level.makePlane() }

    func run(_ level: FlowLevel) {
        for row in 0..<level.height {
            let start = row * level.stride
            (level.u + start).update(repeating: 0, count: level.width)
            (level.v + start).update(repeating: 0, count: level.width)
            (total + start).update(repeating: 0, count: level.width)
        }
        let grid = level.patches
        for row in 0..<grid.rows {
            for column in 0..<grid.columns {
                add(level, left: grid.left(column), top: grid.top(row), index: row * grid.columns + column)
            }
        }
        normalise(level)
    }

    @inline(__always)
    private func add(_ level: FlowLevel, left: Int, top: Int, index: Int) {
        let u = level.patches.u[index]
        let v = level.patches.v[index]
        let edge = Float(PatchGrid.edge)
        let x = Vectors.clamp(Float(left) + u, -edge, Float(level.width))
        let y = Vectors.clamp(Float(top) + v, -edge, Float(level.height))
        let wholeX = x.rounded(.down)
        let wholeY = y.rounded(.down)
        let stride = level.stride
        let moved = level.second + (Int(wholeY) &* stride &+ Int(wholeX))
        let (fractionX, fractionY) = (x - wholeX, y - wholeY)
        @inline(__always)
        func across(_ row: UnsafePointer<Float>) -> SIMD8<Float> {
            let a = Vectors.load8(row)
            return a + (Vectors.load8(row + 1) - a) * fractionX
        }
        var upper = across(moved)
        var offset = top &* stride &+ left
        for row in 1...PatchGrid.edge {
            let lower = across(moved + row &* stride)
            let difference = upper + (lower - upper) * fractionY - Vectors.load8(level.first + offset)
            let weight = 1 / Vectors.atLeastOne(Vectors.magnitude(difference))
            Vectors.store(Vectors.load8(level.u + offset) + weight * u, level.u + offset)
            Vectors.store(Vectors.load8(level.v + offset) + weight * v, level.v + offset)
            Vectors.store(Vectors.load8(total + offset) + weight, total + offset)
            upper = lower
            offset &+= stride
        }
    }

    private func normalise(_ level: FlowLevel) {
        for row in 0..<level.height {
            let start = row * level.stride
            for index in start..<start + level.width {
                let scale = 1 / total[index]
                level.u[index] *= scale
                level.v[index] *= scale
            }
        }
    }
}
