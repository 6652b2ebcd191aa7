// SPDX-License-Identifier: Apache-2.0

extension FlowRefinement {
    /// Ties neighbours the looser the more their motion differs.
    func tie() {
        let stride = level.stride
        // Motion does not change across the picture's edge.
        level.replicateEdge(du)
        level.replicateEdge(dv)
        forEachVector { index in
            @inline(__always)
            func motion(_ base: UnsafeMutablePointer<Float>, _ more: UnsafeMutablePointer<Float>, _ at: Int)
                -> SIMD8<Float>
            { Vectors.load8(base + at) + Vectors.load8(more + at) }
            let u = motion(level.u, du, index)
            let v = motion(level.v, dv, index)
            let ux = motion(level.u, du, index &+ 1) - u
            let vx = motion(level.v, dv, index &+ 1) - v
            let uy = motion(level.u, du, index &+ stride) - u
            let vy = motion(level.v, dv, index &+ stride) - v
            let tie = Self.alpha / (ux * ux + vx * vx + uy * uy + vy * vy + Self.epsilon2).squareRoot()
            Vectors.store(tie, tieRight + index)
            Vectors.store(tie, tieDown + index)
        }
        for row in 0..<level.height { tieRight[row * stride + level.width - 1] = 0 }
        (tieDown + (level.height - 1) * stride).update(repeating: 0, count: level.width)
    }

    /// Weighs the constraints by psi's slope and writes the equations.
    func weigh() {
        let stride = level.stride
        forEachVector { index in
            let u = Vectors.load8(du + index)
            let v = Vectors.load8(dv + index)
            let (gx, gy, gt) = load(grey, index)
            let (ax, ay, at) = load(alongX, index)
            let (bx, by, bt) = load(alongY, index)
            let g = gt + gx * u + gy * v
            let a = at + ax * u + ay * v
            let b = bt + bx * u + by * v
            let p = Self.delta / (g * g + Self.epsilon2).squareRoot()
            let q = Self.gamma / (a * a + b * b + Self.epsilon2).squareRoot()
            let right = Vectors.load8(tieRight + index)
            let left = Vectors.load8(tieRight + (index &- 1))
            let lower = Vectors.load8(tieDown + index)
            let upper = Vectors.load8(tieDown + (index &- stride))
            let ties = right + left + lower + upper
            Vectors.store(1 / (p * gx * gx + q * (ax * ax + bx * bx) + ties + 1e-6), inverseU + index)
            Vectors.store(1 / (p * gy * gy + q * (ay * ay + by * by) + ties + 1e-6), inverseV + index)
            Vectors.store(p * gx * gy + q * (ax * ay + bx * by), coupling + index)
            @inline(__always)
            func pull(_ plane: UnsafeMutablePointer<Float>) -> SIMD8<Float> {
                let sum = right * Vectors.load8(plane + (index &+ 1)) + left * Vectors.load8(plane + (index &- 1))
                let more =
                    lower * Vectors.load8(plane + (index &+ stride)) + upper * Vectors.load8(plane + (index &- stride))
                return sum + more - ties * Vectors.load8(plane + index)
            }
            Vectors.store(pull(level.u) - p * gx * gt - q * (ax * at + bx * bt), rightU + index)
            Vectors.store(pull(level.v) - p * gy * gt - q * (ay * at + by * bt), rightV + index)
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
                let right = Vectors.load8(tieRight + index)
                let left = Vectors.load8(tieRight + (index &- 1))
                let lower = Vectors.load8(tieDown + index)
                let upper = Vectors.load8(tieDown + (index &- stride))
                @inline(__always)
                func pull(_ plane: UnsafeMutablePointer<Float>) -> SIMD8<Float> {
                    (right * Vectors.load8(plane + (index &+ 1)) + left * Vectors.load8(plane + (index &- 1)))
                        + (lower * Vectors.load8(plane + (index &+ stride))
                            + upper * Vectors.load8(plane + (index &- stride)))
                }
                let u = Vectors.load8(du + index)
                let v = Vectors.load8(dv + index)
                let c = Vectors.load8(coupling + index)
                let wantedU = (Vectors.load8(rightU + index) + pull(du) - c * v) * Vectors.load8(inverseU + index)
                let newU = u + relax * (wantedU - u)
                let wantedV = (Vectors.load8(rightV + index) + pull(dv) - c * newU) * Vectors.load8(inverseV + index)
                Vectors.store(newU, du + index)
                Vectors.store(v + relax * (wantedV - v), dv + index)
                column &+= 8
            }
        }
    }
}
