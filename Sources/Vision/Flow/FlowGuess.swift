// SPDX-License-Identifier: Apache-2.0

/// Motion for patches to try or to start from, read from a field of another size.
struct FlowGuess {
    let u: UnsafePointer<Float>
    let v: UnsafePointer<Float>
    let width: Int
    let height: Int
    let stride: Int
    /// Pixels of the field per pixel of the level.
    let scale: Float

    /// The motion at the centre of a patch.
    @inline(__always)
    func motion(atPatch patches: PatchGrid, _ row: Int, _ column: Int) -> (u: Float, v: Float) {
        let half = Float(PatchGrid.edge) / 2
        let x = Int(Vectors.clamp((Float(patches.left(column)) + half) * scale, 0, Float(width - 1)))
        let y = Int(Vectors.clamp((Float(patches.top(row)) + half) * scale, 0, Float(height - 1)))
        let index = y &* stride &+ x
        return (u[index] / scale, v[index] / scale)
    }
}
