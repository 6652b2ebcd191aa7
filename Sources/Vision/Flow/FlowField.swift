// SPDX-License-Identifier: Apache-2.0

/// Where each pixel of one picture lies in another: `other(x + u, y + v)` shows what `picture(x, y)` shows.
///
/// - Note: Shape: two planes `[2, height, width]`, `u` across then `v` down, in pixels of the field's own size.
/// - Note: Thread-safety: confined.
public final class FlowField {
    let image: FloatImage
    /// Columns.
    public let width: Int
    /// Rows.
    public let height: Int

    /// A field of zero motion.
    public init(width: Int, height: Int) {
        image = FloatImage(channels: 2, width: width, height: height)
        self.width = width
        self.height = height
    }

    /// Motion across, row after row.
    public var u: UnsafeMutablePointer<Float> { image.planes.base }
    /// Motion down, row after row.
    public var v: UnsafeMutablePointer<Float> { image.planes.base + width * height }

    /// Sets all motion to zero.
    public func clear() { image.fill(0) }

    /// Fills `smaller` with the mean of each `factor` x `factor` cell, in its own pixels: motion of maps at `1/factor`.
    ///
    /// Cells at the right and lower edge that are not whole average what there is.
    /// - Precondition: `smaller` has `width / factor` columns and `height / factor` rows, rounded up.
    public func reduce(by factor: Int, into smaller: FlowField) {
        precondition(
            factor > 0 && smaller.width == (width + factor - 1) / factor
                && smaller.height == (height + factor - 1) / factor, "a field of another size")
        reduce(u, by: factor, into: smaller.u, smaller)
        reduce(v, by: factor, into: smaller.v, smaller)
    }

    private func reduce(
        _ source: UnsafePointer<Float>, by factor: Int, into target: UnsafeMutablePointer<Float>, _ smaller: FlowField
    ) {
        for row in 0..<smaller.height {
            let rows = min(factor, height - row * factor)
            for column in 0..<smaller.width {
                let columns = min(factor, width - column * factor)
                var sum: Float = 0
                let start = source + (row &* factor &* width &+ column &* factor)
                if columns == 4 {
                    var four = SIMD4<Float>()
                    for y in 0..<rows { four += Vectors.load4(start + y &* width) }
                    sum = (four.x + four.y) + (four.z + four.w)
                } else {
                    for y in 0..<rows {
                        for x in 0..<columns { sum += start[y &* width &+ x] }
                    }
                }
                target[row * smaller.width + column] = sum / Float(rows * columns * factor)
            }
        }
    }
}
