// SPDX-License-Identifier: Apache-2.0
internal import Media
#if canImport(Glibc)
    internal import Glibc
#endif

/// What flow is computed on in noisy pictures: luma, smoothed (Gaussian, sigma 1.2) and halved (means of 2 x 2 pixels).
///
/// Smoothing and halving are one filter of ten taps, evaluated at every second pixel of both axes.
/// - Note: Thread-safety: confined. Allocates when made only.
public final class LumaPreparation {
    /// Order of the colours in planes of three.
    public enum ColorOrder: Sendable, Hashable {
        /// Red first.
        case rgb
        /// Blue first.
        case bgr
    }

    /// Mean and standard deviation of prepared luma.
    public struct Statistics: Sendable, Hashable {
        /// Mean, in grey values.
        public var mean: Float
        /// Standard deviation, in grey values.
        public var deviation: Float

        /// Measures one plane.
        public init(_ prepared: FloatPlanes) {
            var sum = 0.0
            var squares = 0.0
            for row in 0..<prepared.height {
                let start = prepared.base + row * prepared.width
                var (rowSum, rowSquares) = (SIMD4<Float>(), SIMD4<Float>())
                var column = 0
                while column + 4 <= prepared.width {
                    let values = Vectors.load4(start + column)
                    rowSum += values
                    rowSquares += values * values
                    column &+= 4
                }
                while column < prepared.width {
                    rowSum.x += start[column]
                    rowSquares.x += start[column] * start[column]
                    column &+= 1
                }
                sum += Double((rowSum.x + rowSum.y) + (rowSum.z + rowSum.w))
                squares += Double((rowSquares.x + rowSquares.y) + (rowSquares.z + rowSquares.w))
            }
            let count = Double(prepared.area)
            mean = Float(sum / count)
            deviation = Float(max(0, squares / count - (sum / count) * (sum / count)).squareRoot())
        }
    }

    private static let taps = 10
    /// Taps before the first pixel of a pair.
    private static let reach = 4

    /// Columns of the pictures.
    public let width: Int
    /// Rows of the pictures.
    public let height: Int
    private let order: ColorOrder
    private let arena = FloatArena()
    private let kernel: UnsafeMutablePointer<Float>
    /// The last 16 rows of luma, row y in place y % 16.
    private let luma: UnsafeMutablePointer<Float>
    /// Luma filtered down: even columns, then odd ones, each with two samples before and three after.
    private let even: UnsafeMutablePointer<Float>
    private let odd: UnsafeMutablePointer<Float>
    private let column: UnsafeMutablePointer<Float>

    /// Columns of what is prepared.
    public var halfWidth: Int { (width + 1) / 2 }
    /// Rows of what is prepared.
    public var halfHeight: Int { (height + 1) / 2 }

    /// Makes the tables for pictures of one size.
    public init(width: Int, height: Int, order: ColorOrder = .rgb) {
        precondition(width > 0 && height > 0, "pictures are not empty")
        self.width = width
        self.height = height
        self.order = order
        kernel = arena.take(Self.taps)
        luma = arena.take(16 * width)
        even = arena.take((width + 1) / 2 + 5) + 2
        odd = arena.take((width + 1) / 2 + 5) + 2
        column = arena.take(width + 1)
        fillKernel()
    }

    /// The Gaussian and the mean of two neighbours, convolved.
    private func fillKernel() {
        let spread = 2 * 1.2 * 1.2
        let gaussian = (-Self.reach...Self.reach).map { (x: Int) -> Double in exp(-Double(x * x) / spread) }
        let total = gaussian.reduce(0, +)
        for (index, value) in gaussian.enumerated() {
            kernel[index] += Float(value / total / 2)
            kernel[index + 1] += Float(value / total / 2)
        }
    }

    /// Writes the prepared luma of `picture` (`[3, h, w]`, or one plane that is luma already) to `out`, times 255.
    ///
    /// - Precondition: `out` is one plane of half the size, rounded up.
    public func prepare(_ picture: FloatPlanes, into out: MutableFloatPlanes) {
        precondition(picture.width == width && picture.height == height, "a picture of another size")
        precondition(
            out.width == halfWidth && out.height == halfHeight && out.channels == 1, "an output of another size")
        precondition(picture.channels == 1 || picture.channels == 3, "luma or three colours")
        var made = 0
        for row in 0..<halfHeight {
            let last = min(2 * row + Self.taps - Self.reach - 1, height - 1)
            while made <= last {
                makeLuma(picture, made)
                made += 1
            }
            filterDown(2 * row - Self.reach)
            filterAcross(into: out.base + row * halfWidth)
        }
    }

    private func makeLuma(_ picture: FloatPlanes, _ row: Int) {
        let out = luma + (row & 15) * width
        let first = picture.base + row * width
        guard picture.channels == 3 else {
            for index in 0..<width { out[index] = first[index] * 255 }
            return
        }
        let second = first + picture.area
        let third = second + picture.area
        let weights = ColorSpec.Matrix.bt601.luma
        let (red, blue) = (Float(weights.red * 255), Float(weights.blue * 255))
        let (ofFirst, ofThird) = order == .rgb ? (red, blue) : (blue, red)
        let green = Float(weights.green * 255)
        for index in 0..<width {
            var luma: Float = first[index] * ofFirst
            luma += second[index] * green
            luma += third[index] * ofThird
            out[index] = luma
        }
    }

    /// Filters the ten rows from `first` on, those outside replaced by the nearest, and parts even from odd columns.
    private func filterDown(_ first: Int) {
        for tap in 0..<Self.taps {
            let source = luma + (min(max(first + tap, 0), height - 1) & 15) * width
            let weight = kernel[tap]
            if tap == 0 {
                for index in 0..<width { column[index] = source[index] * weight }
            } else {
                for index in 0..<width { column[index] += source[index] * weight }
            }
        }
        column[width] = column[width - 1]
        for index in 0..<halfWidth {
            even[index] = column[2 &* index]
            odd[index] = column[2 &* index &+ 1]
        }
        let (start, end) = (column[0], column[width - 1])
        for index in 1...2 {
            even[-index] = start
            odd[-index] = start
        }
        for index in 0..<3 {
            even[halfWidth + index] = end
            odd[halfWidth + index] = end
        }
    }

    private func filterAcross(into out: UnsafeMutablePointer<Float>) {
        for pair in 0..<Self.taps / 2 {
            let (first, second) = (even + (pair - 2), odd + (pair - 2))
            let (a, b) = (kernel[2 * pair], kernel[2 * pair + 1])
            if pair == 0 {
                for index in 0..<halfWidth { out[index] = first[index] * a + second[index] * b }
            } else {
                for index in 0..<halfWidth { out[index] += first[index] * a + second[index] * b }
            }
        }
    }

    /// Rounds prepared luma to bytes, shifted and stretched from its own mean and deviation to those of `target`.
    ///
    /// - Parameters:
    ///   - out: `prepared.area` bytes, row after row.
    public static func quantise(
        _ prepared: FloatPlanes, from own: Statistics, to target: Statistics, into out: UnsafeMutablePointer<UInt8>
    ) {
        // A flat picture has nothing to stretch.
        let gain = own.deviation > 0.5 ? target.deviation / own.deviation : 1
        let offset = target.mean - own.mean * gain
        let source = prepared.base
        for index in 0..<prepared.area {
            let value = Vectors.clamp(source[index] * gain + offset, 0, 255)
            // Adding 2^23 rounds; the number is in the low bits.
            out[index] = UInt8(truncatingIfNeeded: (value + 8_388_608).bitPattern)
        }
    }
}
