// SPDX-License-Identifier: Apache-2.0

/// Finds where the patches of a level moved: the best candidate, then inverse-compositional descent.
///
/// A pass goes over a stripe's patches from left to right and top to bottom, trying the left and the upper neighbour's
/// motion; a second one comes back the other way. Stripes know nothing of each other.
///
/// `@unchecked Sendable`: a stripe writes its own patches only, and everything else is only read during a search.
struct PatchSearch: @unchecked Sendable {
    static let stripes = 8

    private let level: FlowLevel
    private let grid: PatchGrid
    /// One more motion for each patch to try.
    private let guess: FlowGuess?
    /// Descent steps of a patch in each pass.
    private let steps: Int

    init(_ level: FlowLevel, guess: FlowGuess?, iterations: Int) {
        self.level = level
        self.guess = guess
        grid = level.patches
        steps = max(1, iterations / 2)
    }

    /// Runs both passes over one stripe of patches, which have their first motion.
    func run(stripe: Int) {
        let rows = stripe * grid.rows / Self.stripes..<(stripe + 1) * grid.rows / Self.stripes
        for row in rows {
            for column in 0..<grid.columns {
                let index = row * grid.columns + column
                var patch = Patch(self, row, column)
                patch.evaluate(grid.u[index], grid.v[index])
                if let guess {
                    let motion = guess.motion(atPatch: grid, row, column)
                    patch.consider(motion.u, motion.v)
                }
                if column > 0 { patch.consider(grid.u[index - 1], grid.v[index - 1]) }
                if row > rows.lowerBound {
                    patch.consider(grid.u[index - grid.columns], grid.v[index - grid.columns])
                }
                finish(&patch, index)
            }
        }
        for row in rows.reversed() {
            for column in (0..<grid.columns).reversed() {
                let index = row * grid.columns + column
                var patch = Patch(self, row, column)
                patch.recall(grid.u[index], grid.v[index], grid.cost[index])
                if column + 1 < grid.columns { patch.consider(grid.u[index + 1], grid.v[index + 1]) }
                if row + 1 < rows.upperBound {
                    patch.consider(grid.u[index + grid.columns], grid.v[index + grid.columns])
                }
                if patch.isEvaluated || grid.settled[index] == 0 { finish(&patch, index) }
            }
        }
    }

    @inline(__always)
    private func finish(_ patch: inout Patch, _ index: Int) {
        grid.settled[index] = patch.descend(grid, index, steps: steps) ? 1 : 0
        grid.u[index] = patch.u
        grid.v[index] = patch.v
        grid.cost[index] = patch.cost
    }

    /// A patch with the best motion so far.
    private struct Patch {
        let left: Int
        let top: Int
        private(set) var u: Float = 0
        private(set) var v: Float = 0
        private(set) var cost = Float.infinity
        /// Whether `sums` belong to the motion.
        private(set) var isEvaluated = false
        /// Of the differences e: sum of e, e * gradient across, e * gradient down, e * e.
        private var sums = SIMD4<Float>()
        private let level: FlowLevel
        private let offset: Int

        @inline(__always)
        init(_ search: PatchSearch, _ row: Int, _ column: Int) {
            level = search.level
            left = search.grid.left(column)
            top = search.grid.top(row)
            offset = top &* level.stride &+ left
        }

        @inline(__always)
        mutating func recall(_ u: Float, _ v: Float, _ cost: Float) {
            self.u = u
            self.v = v
            self.cost = cost
        }

        @inline(__always)
        mutating func evaluate(_ u: Float, _ v: Float) {
            take(u, v, compare(u, v))
        }

        /// Takes over another motion when it matches better; one that is hardly another is left to descent.
        @inline(__always)
        mutating func consider(_ otherU: Float, _ otherV: Float) {
            guard abs(otherU - u) + abs(otherV - v) > 0.1 else { return }
            let found = compare(otherU, otherV)
            if PatchSearch.cost(found) < cost { take(otherU, otherV, found) }
        }

        @inline(__always)
        private mutating func take(_ u: Float, _ v: Float, _ sums: SIMD4<Float>) {
            self.u = u
            self.v = v
            self.sums = sums
            cost = PatchSearch.cost(sums)
            isEvaluated = true
        }

        /// Steps downhill until the cost stops falling; false when the steps were used up.
        ///
        /// A last step that raises the cost a little is kept, and one more taken from there: interpolation blurs what
        /// lies between pixels, so that the cost alone would draw all motion to whole ones. A patch that ends more than
        /// its own size from where it began is put back.
        @inline(__always)
        mutating func descend(_ grid: PatchGrid, _ index: Int, steps: Int) -> Bool {
            if !isEvaluated { evaluate(u, v) }
            let start = self
            var before = self
            for step in 0..<steps {
                if step > 0 {
                    evaluate(u, v)
                    if cost > 1.3 * before.cost {
                        self = before
                        return true
                    }
                }
                let isLast = step > 0 && cost >= before.cost
                before = self
                let alongX = sums.y - sums.x * grid.meanX[index]
                let alongY = sums.z - sums.x * grid.meanY[index]
                let stepU = grid.inverseXX[index] * alongX + grid.inverseXY[index] * alongY
                let stepV = grid.inverseXY[index] * alongX + grid.inverseYY[index] * alongY
                u -= stepU
                v -= stepV
                if abs(u - start.u) > Float(PatchGrid.edge) || abs(v - start.v) > Float(PatchGrid.edge) {
                    self = start
                    return true
                }
                if isLast || abs(stepU) + abs(stepV) < 0.01 { return true }
            }
            return false
        }

        /// The sums over the patch of its differences from the second picture, moved by a motion.
        @inline(__always)
        private func compare(_ u: Float, _ v: Float) -> SIMD4<Float> {
            let edge = Float(PatchGrid.edge)
            let x = Vectors.clamp(Float(left) + u, -edge, Float(level.width))
            let y = Vectors.clamp(Float(top) + v, -edge, Float(level.height))
            let wholeX = x.rounded(.down)
            let wholeY = y.rounded(.down)
            return PatchSearch.compare(
                level.first + offset, level.gradientX + offset, level.gradientY + offset,
                level.second + (Int(wholeY) &* level.stride &+ Int(wholeX)), stride: level.stride,
                x - wholeX, y - wholeY)
        }
    }

    /// The sum of squares around the mean.
    @inline(__always)
    private static func cost(_ sums: SIMD4<Float>) -> Float {
        sums.w - sums.x * sums.x * (1 / Float(PatchGrid.edge * PatchGrid.edge))
    }

    @inline(__always)
    static func compare(
        _ first: UnsafePointer<Float>, _ gradientX: UnsafePointer<Float>, _ gradientY: UnsafePointer<Float>,
        _ second: UnsafePointer<Float>, stride: Int, _ x: Float, _ y: Float
    ) -> SIMD4<Float> {
        @inline(__always)
        func across(_ row: UnsafePointer<Float>) -> SIMD8<Float> {
            let a = Vectors.load8(row)
            return a + (Vectors.load8(row + 1) - a) * x
        }
        var sum = SIMD8<Float>()
        var sumX = sum
        var sumY = sum
        var squares = sum
        var upper = across(second)
        var offset = 0
        for _ in 0..<PatchGrid.edge {
            let lower = across(second + (offset &+ stride))
            let difference = upper + (lower - upper) * y - Vectors.load8(first + offset)
            sum += difference
            sumX += difference * Vectors.load8(gradientX + offset)
            sumY += difference * Vectors.load8(gradientY + offset)
            squares += difference * difference
            upper = lower
            offset &+= stride
        }
        return Vectors.sums(
            sum.lowHalf + sum.highHalf, sumX.lowHalf + sumX.highHalf, sumY.lowHalf + sumY.highHalf,
            squares.lowHalf + squares.highHalf)
    }
}
