// SPDX-License-Identifier: Apache-2.0

/// Fetches each pixel of a picture from where the flow says it lies in another, bilinearly.
///
/// Positions outside take the nearest pixel of the border. Whole-pixel motion is exact.
/// - Note: Thread-safety: functions without state; they allocate nothing.
public enum Warp {
    /// `out(x, y) = source(x + u, y + v)` in every plane.
    ///
    /// - Precondition: `flow` and both sets of planes have one size, and `out` is not `source`.
    public static func sample(_ source: FloatPlanes, along flow: FlowField, into out: MutableFloatPlanes) {
    }

    /// 1 where `flow` points inside the picture, 0 elsewhere.
    ///
    /// - Precondition: `valid` is one plane of the field's size.
    public static func validity(of flow: FlowField, into valid: MutableFloatPlanes) {
    }
}
