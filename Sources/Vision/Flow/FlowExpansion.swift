// SPDX-License-Identifier: Apache-2.0

/// Enlarges a level's flow to a field bilinearly, the motion in proportion.
struct FlowExpansion {
    /// Field pixels per level pixel: a power of two.
    private let scale: Int
    /// A row of the level between two of its rows, then that row enlarged.
    private let blended: UnsafeMutablePointer<Float>
    private let enlarged: UnsafeMutablePointer<Float>

    init(from level: FlowLevel, scale: Int, arena: FloatArena) {
        self.scale = scale
        blended = arena.take(level.width)
        enlarged = arena.take(level.width * scale)
    }

    func run(_ level: FlowLevel, into flow: FlowField) {
        run(level, level.u, into: flow.u, flow)
        run(level, level.v, into: flow.v, flow)
    }

    private func run(
        _ level: FlowLevel, _ source: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>, _ flow: FlowField
    ) {
        for row in 0..<flow.height {
            let position = Vectors.clamp((Float(row) + 0.5) / Float(scale) - 0.5, 0, Float(level.height - 1))
            let upper = min(Int(position), level.height - 2)
            blend(source + upper * level.stride, level.stride, position - Float(upper), count: level.width)
            enlarge(count: level.width)
            (target + row * flow.width).update(from: enlarged, count: flow.width)
        }
    }

    /// Interpolates between two rows, and scales the motion.
    private func blend(_ row: UnsafePointer<Float>, _ stride: Int, _ fraction: Float, count: Int) {
        let gain = Float(scale)
        let lower = row + stride
        for column in 0..<count {
            blended[column] = (row[column] + (lower[column] - row[column]) * fraction) * gain
        }
    }

    private func enlarge(count: Int) {
        guard scale > 1 else { return enlarged.update(from: blended, count: count) }
        let half = scale / 2
        enlarged.update(repeating: blended[0], count: half)
        var out = enlarged + half
        if scale == 2 {
            for column in 0..<count - 1 {
                let step = blended[column &+ 1] - blended[column]
                out[0] = blended[column] + step * 0.25
                out[1] = blended[column] + step * 0.75
                out += 2
            }
        } else {
            let fractions = SIMD4<Float>(0.5, 1.5, 2.5, 3.5) / Float(scale)
            for column in 0..<count - 1 {
                let step = blended[column &+ 1] - blended[column]
                var start = SIMD4(repeating: blended[column]) + fractions * step
                for _ in 0..<scale / 4 {
                    Vectors.store(start, out)
                    start += step * 4 / Float(scale)
                    out += 4
                }
            }
        }
        out.update(repeating: blended[count - 1], count: half)
    }
}
