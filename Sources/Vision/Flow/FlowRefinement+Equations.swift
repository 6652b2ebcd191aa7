// SPDX-License-Identifier: Apache-2.0

extension FlowRefinement {
    // Bodies of loops are functions with small expressions: Swift 6.0 gives up on checking the closures they would be.

    /// Ties neighbours the looser the more their motion differs.
    func tie() {
        let stride = level.stride
        // Motion does not change across the picture's edge.
        level.replicateEdge(du)
        level.replicateEdge(dv)
        forEachVector { tie(at: $0) }
        for row in 0..<level.height { tieRight[row * stride + level.width - 1] = 0 }
        (tieDown + (level.height - 1) * stride).update(repeating: 0, count: level.width)
    }

    @inline(__always)
    private func tie(at index: Int) {
        let u = motion(level.u, du, index)
        let v = motion(level.v, dv, index)
        let ux = motion(level.u, du, index &+ 1) - u
        let vx = motion(level.v, dv, index &+ 1) - v
        let uy = motion(level.u, du, index &+ level.stride) - u
        let vy = motion(level.v, dv, index &+ level.stride) - v
        let across: SIMD8<Float> = ux * ux + vx * vx
        let change: SIMD8<Float> = across + uy * uy + vy * vy
        let tie: SIMD8<Float> = Self.alpha / (change + Self.epsilon2).squareRoot()
        Vectors.store(tie, tieRight + index)
        Vectors.store(tie, tieDown + index)
    }

    @inline(__always)
    private func motion(
        _ base: UnsafeMutablePointer<Float>, _ more: UnsafeMutablePointer<Float>, _ index: Int
    ) -> SIMD8<Float> { Vectors.load8(base + index) + Vectors.load8(more + index) }

    /// Weighs the constraints by psi's slope and writes the equations.
    func weigh() { forEachVector { weigh(at: $0) } }

    @inline(__always)
    private func weigh(at index: Int) {
        let u = Vectors.load8(du + index)
        let v = Vectors.load8(dv + index)
        let (gx, gy, gt) = load(grey, index)
        let (ax, ay, at) = load(alongX, index)
        let (bx, by, bt) = load(alongY, index)
        let g = along(gt, gx, u, gy, v)
        let a = along(at, ax, u, ay, v)
        let b = along(bt, bx, u, by, v)
        let p: SIMD8<Float> = Self.delta / (g * g + Self.epsilon2).squareRoot()
        let gradients: SIMD8<Float> = a * a + b * b
        let q: SIMD8<Float> = Self.gamma / (gradients + Self.epsilon2).squareRoot()
        let ties = Ties(
            right: Vectors.load8(tieRight + index), left: Vectors.load8(tieRight + (index &- 1)),
            lower: Vectors.load8(tieDown + index), upper: Vectors.load8(tieDown + (index &- level.stride)))
        let sum = ties.sum
        let px: SIMD8<Float> = p * gx
        let py: SIMD8<Float> = p * gy
        let xx: SIMD8<Float> = px * gx + q * products(ax, ax, bx, bx)
        let yy: SIMD8<Float> = py * gy + q * products(ay, ay, by, by)
        let xy: SIMD8<Float> = px * gy + q * products(ax, ay, bx, by)
        Vectors.store(1 / (xx + sum + 1e-6), inverseU + index)
        Vectors.store(1 / (yy + sum + 1e-6), inverseV + index)
        Vectors.store(xy, coupling + index)
        let pullU: SIMD8<Float> = ties.pull(level.u + index, level.stride) - sum * Vectors.load8(level.u + index)
        let pullV: SIMD8<Float> = ties.pull(level.v + index, level.stride) - sum * Vectors.load8(level.v + index)
        let xt: SIMD8<Float> = q * products(ax, at, bx, bt)
        let yt: SIMD8<Float> = q * products(ay, at, by, bt)
        Vectors.store(pullU - px * gt - xt, rightU + index)
        Vectors.store(pullV - py * gt - yt, rightV + index)
    }

    /// `t + x u + y v`, the constraint's error.
    @inline(__always)
    private func along(
        _ t: SIMD8<Float>, _ x: SIMD8<Float>, _ u: SIMD8<Float>, _ y: SIMD8<Float>, _ v: SIMD8<Float>
    ) -> SIMD8<Float> {
        let first: SIMD8<Float> = t + x * u
        return first + y * v
    }

    /// `a b + c d`; a function for the type checker's sake.
    @inline(__always)
    private func products(
        _ a: SIMD8<Float>, _ b: SIMD8<Float>, _ c: SIMD8<Float>, _ d: SIMD8<Float>
    ) -> SIMD8<Float> { a * b + c * d }

    /// How strongly eight pixels are tied to each neighbour.
    private struct Ties {
        let right, left, lower, upper: SIMD8<Float>

        var sum: SIMD8<Float> {
            @inline(__always) get { right + left + lower + upper }
        }

        /// What the neighbours of `pixels` say, each by its tie.
        @inline(__always)
        func pull(_ pixels: UnsafeMutablePointer<Float>, _ stride: Int) -> SIMD8<Float> {
            let across: SIMD8<Float> = right * Vectors.load8(pixels + 1) + left * Vectors.load8(pixels - 1)
            let down: SIMD8<Float> = lower * Vectors.load8(pixels + stride) + upper * Vectors.load8(pixels - stride)
            return across + down
        }
    }

    @inline(__always)
    private func load(_ constraint: Constraint, _ index: Int) -> (SIMD8<Float>, SIMD8<Float>, SIMD8<Float>) {
        (Vectors.load8(constraint.x + index), Vectors.load8(constraint.y + index), Vectors.load8(constraint.t + index))
    }

    // MARK: - Solution

    /// One half of a sweep: the pixels of one colour, by relaxation that is zero at the others.
    func sweep(parity: Int) {
        let stride = level.stride
        let r = Self.relaxation
        let even = SIMD8<Float>(r, 0, r, 0, r, 0, r, 0)
        let odd = SIMD8<Float>(0, r, 0, r, 0, r, 0, r)
        for row in 0..<level.height {
            let relax = (row &+ parity) & 1 == 0 ? even : odd
            var column = 0
            while column < level.width {
                let index = row &* stride &+ column
                let ties = Ties(
                    right: Vectors.load8(tieRight + index), left: Vectors.load8(tieRight + (index &- 1)),
                    lower: Vectors.load8(tieDown + index), upper: Vectors.load8(tieDown + (index &- stride)))
                let u = Vectors.load8(du + index)
                let v = Vectors.load8(dv + index)
                let c = Vectors.load8(coupling + index)
                let sumU: SIMD8<Float> = Vectors.load8(rightU + index) + ties.pull(du + index, stride) - c * v
                let newU: SIMD8<Float> = u + relax * (sumU * Vectors.load8(inverseU + index) - u)
                let sumV: SIMD8<Float> = Vectors.load8(rightV + index) + ties.pull(dv + index, stride) - c * newU
                let newV: SIMD8<Float> = v + relax * (sumV * Vectors.load8(inverseV + index) - v)
                Vectors.store(newU, du + index)
                Vectors.store(newV, dv + index)
                column &+= 8
            }
        }
    }
}
