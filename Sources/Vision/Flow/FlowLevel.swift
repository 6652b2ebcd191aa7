// SPDX-License-Identifier: Apache-2.0

/// One level of the pyramid: both pictures, the first one's gradients, the flow so far, and the patches.
///
/// All planes have one layout, with a border of 16 samples on every side, so that one offset serves them all. Vectors
/// of 8 may run past a row's end, and patches may lie outside the picture.
/// ```
///   +--------------------------+
///   | border                   |    a plane's pointer is its first sample inside
///   |    +----------------+    |
///   |    | width x height |    |    stride = width rounded up to 8, and two borders
///   |    +----------------+    |
///   +--------------------------+
/// ```
final class FlowLevel {
    static let border = 16

    let width: Int
    let height: Int
    let stride: Int
    /// The picture whose pixels move; its border repeats the outermost samples.
    let first: UnsafeMutablePointer<Float>
    /// The picture they move to; its border repeats the outermost samples.
    let second: UnsafeMutablePointer<Float>
    /// Derivative of `first` across, in grey values per pixel.
    let gradientX: UnsafeMutablePointer<Float>
    /// Derivative of `first` down.
    let gradientY: UnsafeMutablePointer<Float>
    /// Motion across of each pixel, in pixels of this level.
    let u: UnsafeMutablePointer<Float>
    /// Motion down of each pixel.
    let v: UnsafeMutablePointer<Float>
    let patches: PatchGrid

    private let arena: FloatArena

    init(width: Int, height: Int, spacing: Int, arena: FloatArena) {
        self.width = width
        self.height = height
        self.arena = arena
        let stride = (width + 7) & ~7 + 2 * Self.border
        func plane() -> UnsafeMutablePointer<Float> {
            arena.take(stride * (height + 2 * Self.border)) + (Self.border * stride + Self.border)
        }
        self.stride = stride
        first = plane()
        second = plane()
        gradientX = plane()
        gradientY = plane()
        u = plane()
        v = plane()
        patches = PatchGrid(width: width, height: height, spacing: spacing, arena: arena)
    }

    /// Another plane of this layout, all zero.
    func makePlane() -> UnsafeMutablePointer<Float> {
        arena.take(stride * (height + 2 * Self.border)) + (Self.border * stride + Self.border)
    }

    /// Fills one sample of border around a plane with what lies nearest.
    func replicateEdge(_ plane: UnsafeMutablePointer<Float>) {
        replicate(plane, 1)
    }

    /// Fills the whole border of both pictures with what lies nearest.
    func replicateBorders() {
        replicate(first, Self.border)
        replicate(second, Self.border)
    }

    private func replicate(_ plane: UnsafeMutablePointer<Float>, _ border: Int) {
        for row in 0..<height {
            let start = plane + row * stride
            (start - border).update(repeating: start[0], count: border)
            (start + width).update(repeating: start[width - 1], count: border)
        }
        let top = plane - border
        let bottom = top + (height - 1) * stride
        let count = width + 2 * border
        for row in 1...border {
            (top - row * stride).update(from: top, count: count)
            (bottom + row * stride).update(from: bottom, count: count)
        }
    }
}
