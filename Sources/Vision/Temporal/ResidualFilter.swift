// SPDX-License-Identifier: Apache-2.0

/// How an estimate and its warped past differ around each pixel: `r = box5(mean over planes of |box3(o - wp)|)`.
///
/// Boxes are means; pixels outside repeat the nearest.
/// - Note: Thread-safety: confined. Allocates when made only.
final class ResidualFilter {
    private let width: Int
    private let height: Int
    private let arena = FloatArena()
    /// The differences' last three rows, row y in place y % 3, with one sample more on both sides.
    private let differences: UnsafeMutablePointer<Float>
    private let differenceStride: Int
    /// The mean magnitudes, with two samples more on both sides.
    private let magnitudes: UnsafeMutablePointer<Float>
    private let magnitudeStride: Int
    /// A row summed down.
    private let sums: UnsafeMutablePointer<Float>

    init(width: Int, height: Int) {
        self.width = width
        self.height = height
        differenceStride = width + 2
        magnitudeStride = width + 4
        differences = arena.take(3 * differenceStride)
        magnitudes = arena.take(height * magnitudeStride)
        sums = arena.take(magnitudeStride)
    }

    /// Takes in both pictures; the mean of |o - wp| over all samples.
    func load(estimate: FloatPlanes, history: FloatPlanes) -> Float {
        var total = 0.0
        for row in 0..<height { (magnitudes + row * magnitudeStride).update(repeating: 0, count: magnitudeStride) }
        for channel in 0..<estimate.channels {
            let (first, second) = (estimate.plane(channel), history.plane(channel))
            for row in 0...height {
                if row < height { total += Double(subtract(first + row * width, second + row * width, row)) }
                if row > 0 { addMagnitudes(row - 1, scale: 1 / Float(9 * estimate.channels)) }
            }
        }
        for row in 0..<height { extend(magnitudes + (row * magnitudeStride + 2), count: width, by: 2) }
        return Float(total / Double(estimate.count))
    }

    /// Stores a row of differences and sums their magnitudes.
    private func subtract(_ first: UnsafePointer<Float>, _ second: UnsafePointer<Float>, _ row: Int) -> Float {
        let out = differences + (row % 3 * differenceStride + 1)
        for index in 0..<width { out[index] = first[index] - second[index] }
        extend(out, count: width, by: 1)
        var sum = SIMD8<Float>()
        var index = 0
        while index + 8 <= width {
            sum += Vectors.magnitude(Vectors.load8(out + index))
            index &+= 8
        }
        var rest: Float = 0
        while index < width {
            rest += abs(out[index])
            index &+= 1
        }
        return Vectors.sum(sum) + rest
    }

    /// Adds |box3| of a row to its mean magnitudes.
    private func addMagnitudes(_ row: Int, scale: Float) {
        let above = differences + max(row - 1, 0) % 3 * differenceStride
        let middle = differences + row % 3 * differenceStride
        let below = differences + min(row + 1, height - 1) % 3 * differenceStride
        for index in 0..<differenceStride { sums[index] = above[index] + middle[index] + below[index] }
        let out = magnitudes + (row * magnitudeStride + 2)
        let right = sums + 2
        for index in 0..<width {
            out[index] += abs(sums[index] + sums[index &+ 1] + right[index]) * scale
        }
    }

    /// Writes row `row` of r to `out`.
    func residual(_ row: Int, into out: UnsafeMutablePointer<Float>) {
        for offset in -2...2 {
            let source = magnitudes + min(max(row + offset, 0), height - 1) * magnitudeStride
            if offset == -2 {
                for index in 0..<magnitudeStride { sums[index] = source[index] }
            } else {
                for index in 0..<magnitudeStride { sums[index] += source[index] }
            }
        }
        let scale: Float = 1.0 / 25
        for index in 0..<width {
            let pairs = (sums[index] + sums[index &+ 1]) + (sums[index &+ 3] + sums[index &+ 4])
            out[index] = (pairs + sums[index &+ 2]) * scale
        }
    }

    private func extend(_ row: UnsafeMutablePointer<Float>, count: Int, by margin: Int) {
        (row - margin).update(repeating: row[0], count: margin)
        (row + count).update(repeating: row[count - 1], count: margin)
    }
}
