// SPDX-License-Identifier: Apache-2.0

/// Standard deviation of a picture's noise: the median of Haar's diagonal details in its flattest blocks.
///
/// ```
///   block of 16 x 16  -->  8 x 8 Haar cells (a b / c d):  across (a+c) - (b+d), down (a+b) - (c+d), diagonal (a+d) - (b+c)
///   flat: across and down small beside those of other blocks, which says nothing about the diagonal of white noise
///   sigma = median |diagonal / 2| over the flattest third of the blocks / 0.6745
/// ```
/// Blocks and cells without any detail were clipped to black or white, or flattened by a codec: they are left out.
/// - Note: Thread-safety: confined. Allocates when made only.
final class NoiseEstimate {
    private static let block = 16
    /// Detail below half a grey level a cell is none.
    private static let leastActivity = Float(block * block / 4) * 0.5 / 255
    /// The median of |x| when x is normal with deviation 1.
    private static let medianOfNormal: Float = 0.6745
    /// Its mean.
    private static let meanOfNormal: Float = 0.7979
    /// A diagonal of a quarter of a grey level is none.
    private static let leastDetail: Float = 0.25 / 255

    private let columns: Int
    private let rows: Int
    /// Blocks from one used to the next, on both axes: large pictures have more than enough.
    private let spacing: Int
    private var activities = MagnitudeHistogram()
    private var details = MagnitudeHistogram()
    private let activity: UnsafeMutablePointer<Float>
    private let arena = FloatArena()

    /// Prepares for pictures of one size.
    init(width: Int, height: Int) {
        columns = width / Self.block
        rows = height / Self.block
        spacing = columns * rows > 400 ? 2 : 1
        activity = arena.take(max(1, columns * rows))
    }

    /// The mean over the planes of the noise in each; nil when a picture is smaller than a block.
    func measure(_ picture: FloatPlanes) -> Float? {
        guard columns > 0, rows > 0 else { return nil }
        var sum: Float = 0
        for channel in 0..<picture.channels { sum += measure(picture.plane(channel), picture.width) }
        return sum / Float(picture.channels)
    }

    private func measure(_ plane: UnsafePointer<Float>, _ width: Int) -> Float {
        activities.clear()
        details.clear()
        forEachBlock { row, column in
            let found = Self.activity(plane + Self.block * (row * width + column), width)
            activity[row * columns + column] = found
            if found >= Self.leastActivity { activities.add(found) }
        }
        // With nothing to go by this is the least, and no block is used.
        let limit = max(activities.quantile(1.0 / 3), Self.leastActivity)
        forEachBlock { row, column in
            guard (Self.leastActivity...limit).contains(activity[row * columns + column]) else { return }
            addDetails(plane + Self.block * (row * width + column), width)
        }
        let median = details.quantile(0.5)
        // Where a codec left most diagonals at nothing the few others still say how much the rest may differ.
        return median > Self.leastDetail ? median / Self.medianOfNormal : details.mean / Self.meanOfNormal
    }

    @inline(__always)
    private func forEachBlock(_ body: (Int, Int) -> Void) {
        for row in stride(from: 0, to: rows, by: spacing) {
            for column in stride(from: 0, to: columns, by: spacing) { body(row, column) }
        }
    }

    private static func activity(_ start: UnsafePointer<Float>, _ width: Int) -> Float {
        var sum: Float = 0
        for y in 0..<block / 2 {
            let upper = start + 2 &* y &* width
            let lower = upper + width
            for x in 0..<block / 2 {
                let (a, b) = (upper[2 &* x], upper[2 &* x &+ 1])
                let (c, d) = (lower[2 &* x], lower[2 &* x &+ 1])
                sum += abs((a + c) - (b + d)) + abs((a + b) - (c + d))
            }
        }
        return sum
    }

    private func addDetails(_ start: UnsafePointer<Float>, _ width: Int) {
        for y in 0..<Self.block / 2 {
            let upper = start + 2 &* y &* width
            let lower = upper + width
            for x in 0..<Self.block / 2 {
                let (a, b) = (upper[2 &* x], upper[2 &* x &+ 1])
                let (c, d) = (lower[2 &* x], lower[2 &* x &+ 1])
                if a != b || b != c || c != d { details.add(((a + d) - (b + c)) * 0.5) }
            }
        }
    }
}

/// Counts magnitudes in 32 bins an octave, so that quantiles of numbers of any size are right to about 1 %.
struct MagnitudeHistogram {
    /// Bits of a float below those that make the bin.
    private static let shift: UInt32 = 18
    private var counts = [Int32](repeating: 0, count: 1 << 13)
    private var total: Int32 = 0
    private var sum: Float = 0

    /// The mean magnitude; 0 when none was added.
    var mean: Float { total > 0 ? sum / Float(total) : 0 }

    mutating func clear() {
        sum = 0
        for index in counts.indices { counts[index] = 0 }
        total = 0
    }

    mutating func add(_ value: Float) {
        counts[Int((value.bitPattern & 0x7FFF_FFFF) >> Self.shift)] &+= 1
        total &+= 1
        sum += abs(value)
    }

    /// The magnitude that `share` of those added do not exceed, interpolated within its bin; 0 when there are none.
    func quantile(_ share: Float) -> Float {
        var wanted = Float(total) * share
        for (bin, count) in counts.enumerated() where count > 0 {
            if wanted <= Float(count) {
                let low = Float(bitPattern: UInt32(bin) << Self.shift)
                let high = Float(bitPattern: UInt32(bin + 1) << Self.shift)
                return low + (high - low) * wanted / Float(count)
            }
            wanted -= Float(count)
        }
        return 0
    }
}
