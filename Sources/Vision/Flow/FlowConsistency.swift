// SPDX-License-Identifier: Apache-2.0

/// Compares the way there with the way back: where they do not cancel, a pixel is hidden in the other picture.
///
/// Hidden when `|F + B|^2 > 0.01 (|F|^2 + |B|^2) + 0.5`, with B the way back fetched at the far end. Sundaram, Brox,
/// Keutzer: "Dense Point Trajectories by GPU-accelerated Large Displacement Optical Flow" (ECCV 2010).
/// - Note: Thread-safety: confined. Allocates when made only.
public final class FlowConsistency {
    private let fetched: FloatImage

    /// Prepares for fields of one size.
    public init(width: Int, height: Int) {
        fetched = FloatImage(channels: 2, width: width, height: height)
    }

    /// Sets `valid` to 0 where the flows disagree, and leaves it elsewhere.
    ///
    /// - Precondition: both fields and `valid`, one plane, have the size given at the start.
    public func invalidate(_ valid: MutableFloatPlanes, there: FlowField, back: FlowField) {
        precondition(valid.width == fetched.width && valid.height == fetched.height, "a plane of another size")
        Warp.sample(back.image.readOnly, along: there, into: fetched.planes)
        let (u, v) = (fetched.planes.plane(0), fetched.planes.plane(1))
        for index in 0..<valid.area {
            let (fu, fv, bu, bv) = (there.u[index], there.v[index], u[index], v[index])
            let apart = (fu + bu) * (fu + bu) + (fv + bv) * (fv + bv)
            let length = fu * fu + fv * fv + bu * bu + bv * bv
            if apart > 0.01 * length + 0.5 { valid.base[index] = 0 }
        }
    }
}
