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
    static let epsilon2: Float = 0.001 * 0.001
    /// Keeps the normalised constraints finite where there is no structure.
    private static let floor2: Float = 0.1 * 0.1

    /// A linear constraint per pixel, normalised: x * du + y * dv + t = 0.
    struct Constraint {
        let x: UnsafeMutablePointer<Float>
        let y: UnsafeMutablePointer<Float>
        let t: UnsafeMutablePointer<Float>

        init(_ level: FlowLevel) {
            x = level.makePlane()
            y = level.makePlane()
            t = level.makePlane()
        }
    }

    let level: FlowLevel
    /// Mean of the first picture and the second one moved, and their difference.
    private let mean: UnsafeMutablePointer<Float>
    private let change: UnsafeMutablePointer<Float>
    private let meanX: UnsafeMutablePointer<Float>
    private let meanY: UnsafeMutablePointer<Float>
    /// Grey values stay, and so do both derivatives.
    let grey: Constraint
    let alongX: Constraint
    let alongY: Constraint
    /// The correction sought.
    let du: UnsafeMutablePointer<Float>
    let dv: UnsafeMutablePointer<Float>
    /// The equations: rightU and rightV without the neighbours' du and dv, the coupling, and 1 over the diagonals.
    let rightU: UnsafeMutablePointer<Float>
    let rightV: UnsafeMutablePointer<Float>
    let coupling: UnsafeMutablePointer<Float>
    let inverseU: UnsafeMutablePointer<Float>
    let inverseV: UnsafeMutablePointer<Float>
    /// How strongly a pixel is tied to its right and lower neighbour; zero across the picture's edge.
    let tieRight: UnsafeMutablePointer<Float>
    let tieDown: UnsafeMutablePointer<Float>

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
        let square: SIMD8<Float> = x * x + y * y
        let scale: SIMD8<Float> = 1 / (square + Self.floor2).squareRoot()
        Vectors.store(x * scale, constraint.x + index)
        Vectors.store(y * scale, constraint.y + index)
        Vectors.store(t * scale, constraint.t + index)
    }

    /// Calls `body` with the index of each vector of 8, row by row; the last one of a row may run into the border.
    @inline(__always)
    func forEachVector(_ body: (Int) -> Void) {
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
