// SPDX-License-Identifier: Apache-2.0

/// Refines a level's flow: minimises how much grey values and gradients differ between a pixel and where it moved, and
/// how much motion differs between neighbours.
///
/// ```
///   E(du, dv) = sum over pixels  delta * psi(grey difference)  +  gamma * psi(gradient difference)
///                              + alpha * psi(differences of motion),      psi(s) = sqrt(s^2 + 0.001^2)
/// ```
/// Linear in du and dv around the flow given; psi's slope is held fixed for a few sweeps of successive
/// over-relaxation, then renewed. Pixels of one colour of a checkerboard depend on those of the other only, so that
/// vectors and threads do not change the result. Brox, Bruhn, Papenberg, Weickert: "High Accuracy Optical Flow
/// Estimation Based on a Theory for Warping" (ECCV 2004).
struct FlowRefinement {
    static let alpha: Float = 20
    static let gamma: Float = 10
    static let delta: Float = 5
    static let relaxation: Float = 1.6
    static let sweeps = 5
    private static let epsilon2: Float = 0.001 * 0.001
    /// Keeps the normalised constraints finite where there is no structure.
    private static let floor2: Float = 0.1 * 0.1

    /// A linear constraint per pixel, normalised: x * du + y * dv + t = 0.
    private struct Constraint {
        let x: UnsafeMutablePointer<Float>
        let y: UnsafeMutablePointer<Float>
        let t: UnsafeMutablePointer<Float>

        init(_ level: FlowLevel) {
            x = level.makePlane()
            y = level.makePlane()
            t = level.makePlane()
        }
    }

    private let level: FlowLevel
    /// Mean of the first picture and the second one moved, and their difference.
    private let mean: UnsafeMutablePointer<Float>
    private let change: UnsafeMutablePointer<Float>
    private let meanX: UnsafeMutablePointer<Float>
    private let meanY: UnsafeMutablePointer<Float>
    /// Grey values stay, and so do both derivatives.
    private let grey: Constraint
    private let alongX: Constraint
    private let alongY: Constraint
    /// The correction sought.
    private let du: UnsafeMutablePointer<Float>
    private let dv: UnsafeMutablePointer<Float>
    /// The equations: rightU and rightV without the neighbours' du and dv, the coupling, and 1 over the diagonals.
    private let rightU: UnsafeMutablePointer<Float>
    private let rightV: UnsafeMutablePointer<Float>
    private let coupling: UnsafeMutablePointer<Float>
    private let inverseU: UnsafeMutablePointer<Float>
    private let inverseV: UnsafeMutablePointer<Float>
    /// How strongly a pixel is tied to its right and lower neighbour; zero across the picture's edge.
    private let tieRight: UnsafeMutablePointer<Float>
    private let tieDown: UnsafeMutablePointer<Float>

    init(_ level: FlowLevel) {
        self.level = level
        mean = level.makePlane()
        change = level.makePlane()
        meanX = level.makePlane()
        meanY = level.makePlane()
        grey = Constraint(level)
        alongX = Constraint(level)
        alongY = Constraint(level)
        du = level.makePlane()
        dv = level.makePlane()
        rightU = level.makePlane()
        rightV = level.makePlane()
        coupling = level.makePlane()
        inverseU = level.makePlane()
        inverseV = level.makePlane()
        tieRight = level.makePlane()
        tieDown = level.makePlane()
    }

    /// Improves the level's `u` and `v`.
    func run(fixedPoints: Int) {
        warp()
        linearise()
        level.replicateEdge(level.u)
        level.replicateEdge(level.v)
        for row in 0..<level.height {
            (du + row * level.stride).update(repeating: 0, count: level.width)
            (dv + row * level.stride).update(repeating: 0, count: level.width)
        }
        for _ in 0..<fixedPoints {
            tie()
            weigh()
            for _ in 0..<Self.sweeps {
                sweep(parity: 0)
                sweep(parity: 1)
            }
        }
        for row in 0..<level.height {
            let start = row * level.stride
            for index in start..<start + level.width {
                level.u[index] += du[index]
                level.v[index] += dv[index]
            }
        }
    }

    // MARK: - Constraints

    /// Fills `mean` and `change` with the second picture moved by the flow.
    private func warp() {
        let (right, bottom) = (Float(level.width), Float(level.height))
        for row in 0..<level.height {
            let start = row * level.stride
            for column in 0..<level.width {
                let index = start + column
                let x = Vectors.clamp(Float(column) + level.u[index], -1, right)
                let y = Vectors.clamp(Float(row) + level.v[index], -1, bottom)
                let wholeX = x.rounded(.down)
                let wholeY = y.rounded(.down)
                let source = level.second + (Int(wholeY) &* level.stride &+ Int(wholeX))
                let upper = source[0] + (source[1] - source[0]) * (x - wholeX)
                let lower = source[level.stride] + (source[level.stride + 1] - source[level.stride]) * (x - wholeX)
                let moved = upper + (lower - upper) * (y - wholeY)
                mean[index] = (level.first[index] + moved) * 0.5
                change[index] = moved - level.first[index]
            }
        }
        level.replicateEdge(mean)
        level.replicateEdge(change)
    }

    private func linearise() {
        let stride = level.stride
        forEachVector { index in
            Vectors.store(
                (Vectors.load8(mean + (index &+ 1)) - Vectors.load8(mean + (index &- 1))) * 0.5, meanX + index)
            Vectors.store(
                (Vectors.load8(mean + (index &+ stride)) - Vectors.load8(mean + (index &- stride))) * 0.5, meanY + index
            )
        }
        level.replicateEdge(meanX)
        level.replicateEdge(meanY)
        forEachVector { index in
            @inline(__always)
            func across(_ plane: UnsafeMutablePointer<Float>) -> SIMD8<Float> {
                (Vectors.load8(plane + (index &+ 1)) - Vectors.load8(plane + (index &- 1))) * 0.5
            }
            @inline(__always)
            func down(_ plane: UnsafeMutablePointer<Float>) -> SIMD8<Float> {
                (Vectors.load8(plane + (index &+ stride)) - Vectors.load8(plane + (index &- stride))) * 0.5
            }
            let xy = across(meanY)
            store(
                grey, index, Vectors.load8(meanX + index), Vectors.load8(meanY + index), Vectors.load8(change + index))
            store(alongX, index, across(meanX), xy, across(change))
            store(alongY, index, xy, down(meanY), down(change))
        }
    }

    @inline(__always)
    private func store(
        _ constraint: Constraint, _ index: Int, _ x: SIMD8<Float>, _ y: SIMD8<Float>, _ t: SIMD8<Float>
    ) {
        let scale = 1 / (x * x + y * y + Self.floor2).squareRoot()
        Vectors.store(x * scale, constraint.x + index)
        Vectors.store(y * scale, constraint.y + index)
        Vectors.store(t * scale, constraint.t + index)
    }

    // MARK: - Equations

    /// Ties neighbours the looser the more their motion differs.
    private func tie() {
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
    private func weigh() {
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
    private func sweep(parity: Int) {
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

    /// Calls `body` with the index of each vector of 8, row by row; the last one of a row may run into the border.
    @inline(__always)
    private func forEachVector(_ body: (Int) -> Void) {
        for row in 0..<level.height {
            var index = row &* level.stride
            let end = index &+ level.width
            while index < end {
                body(index)
                index &+= 8
            }
        }
    }
}
