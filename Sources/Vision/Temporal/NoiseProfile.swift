// SPDX-License-Identifier: Apache-2.0

/// How strong the noise of a video is at each brightness, as it is left by a mean over a few pixels.
///
/// A gain makes the noise of dark parts many times that of bright ones, and compression leaves noise that means do not
/// remove as they would white noise. So the profile looks at the next scale, at differences between means of 2x2
/// pixels, apart for each brightness, and says what white noise would leave the same.
///
///     blocks of 16x16 by mean brightness --flattest third of each--> median |HH| of 2x2 means --> deviation
///
/// - Note: Thread-safety: confined. Allocates when made.
final class NoiseProfile {
    /// Steps of brightness.
    private static let levels = 12
    /// Entries of the table that pixels are looked up in.
    private static let entries = 64
    private static let block = 16
    /// Differences of a block: 4x4 squares in three colours.
    private static let cells = 48
    /// Fewer blocks of a brightness say nothing; its neighbours are asked.
    private static let fewest = 6
    /// How much of the profile each frame renews.
    private static let renewal: Float = 0.1

    private struct Block {
        let level: Int
        let activity: Float
    }

    private let columns: Int
    private let rows: Int
    /// Blocks from one used to the next, on both axes: large pictures have more than enough.
    private let spacing: Int
    private var blocks: [Block] = []
    /// The differences of every block, `cells` each.
    private let differences: UnsafeMutablePointer<Float>
    private let arena = FloatArena()
    private var activities = MagnitudeHistogram()
    private var details = MagnitudeHistogram()
    private var noise = [Float](repeating: 0, count: NoiseProfile.levels)
    private var found = [Float](repeating: 0, count: NoiseProfile.levels)
    private var isKnown = false
    /// One over the deviation, by brightness.
    private let table: UnsafeMutablePointer<Float>

    /// Prepares for pictures of one size.
    init(width: Int, height: Int) {
        columns = width / Self.block
        rows = height / Self.block
        spacing = columns * rows > 1200 ? 2 : 1
        differences = arena.take(max(1, columns * rows * Self.cells))
        blocks.reserveCapacity(columns * rows)
        table = arena.take(Self.entries)
    }

    /// Forgets what was seen.
    func reset() { isKnown = false }

    /// Looks at the next frame; nothing is known from one smaller than a block.
    func update(_ picture: FloatPlanes, least: Float) {
        guard columns > 0, rows > 0 else { return }
        blocks.removeAll(keepingCapacity: true)
        for row in stride(from: 0, to: rows, by: spacing) {
            for column in stride(from: 0, to: columns, by: spacing) {
                blocks.append(describe(picture, Self.block * (row * picture.width + column)))
            }
        }
        for level in 0..<Self.levels { found[level] = measure(level) }
        guard fillGaps() else { return }
        let share = isKnown ? Self.renewal : 1
        for index in 0..<Self.levels { noise[index] += (found[index] - noise[index]) * share }
        isKnown = true
        for entry in 0..<Self.entries {
            let position = Float(entry) / Float(Self.entries - 1) * Float(Self.levels) - 0.5
            let low = min(max(Int(position), 0), Self.levels - 1)
            let high = min(low + 1, Self.levels - 1)
            let part = min(max(position - Float(low), 0), 1)
            table[entry] = 1 / max(noise[low] + (noise[high] - noise[low]) * part, least)
        }
    }

    /// Turns a row of residuals into what they would be if the noise were `uniform` everywhere.
    func normalise(_ residuals: UnsafeMutablePointer<Float>, of picture: FloatPlanes, row: Int, uniform: Float) {
        guard isKnown else { return }
        let start = row * picture.width
        let (red, green, blue) = (picture.plane(0) + start, picture.plane(1) + start, picture.plane(2) + start)
        let scale = 0.25 * Float(Self.entries - 1)
        for x in 0..<picture.width {
            let brightness = (red[x] + 2 * green[x] + blue[x]) * scale
            residuals[x] *= uniform * table[Int(Vectors.clamp(brightness, 0, Float(Self.entries - 1)))]
        }
    }

    // MARK: - Steps

    /// Leaves a block's differences behind those of the blocks before it.
    private func describe(_ picture: FloatPlanes, _ offset: Int) -> Block {
        let out = differences + blocks.count * Self.cells
        let width = picture.width
        var (sum, activity): (Float, Float) = (0, 0)
        for channel in 0..<3 {
            let plane = picture.plane(channel) + offset
            for cell in 0..<16 {
                let corner = plane + cell / 4 * 4 * width + cell % 4 * 4
                func mean(_ x: Int, _ y: Int) -> Float {
                    let at = corner + y * width + x
                    return (at[0] + at[1] + at[width] + at[width + 1]) * 0.25
                }
                let (a, b, c, d) = (mean(0, 0), mean(2, 0), mean(0, 2), mean(2, 2))
                sum += (a + b + c + d) * (channel == 1 ? 2 : 1)
                activity += abs((a + c) - (b + d)) + abs((a + b) - (c + d))
                out[channel * 16 + cell] = ((a + d) - (b + c)) * 0.5
            }
        }
        let level = Int(Vectors.clamp(sum / 256 * Float(Self.levels), 0, Float(Self.levels - 1)))
        return Block(level: level, activity: activity)
    }

    /// The deviation of white noise that would give the differences of a brightness; 0 where too little is seen of it.
    private func measure(_ level: Int) -> Float {
        activities.clear()
        details.clear()
        var count = 0
        for block in blocks where block.level == level {
            activities.add(block.activity)
            count += 1
        }
        guard count >= Self.fewest else { return 0 }
        let limit = activities.quantile(1.0 / 3)
        for (index, block) in blocks.enumerated() where block.level == level && block.activity <= limit {
            for cell in 0..<Self.cells { details.add(differences[index * Self.cells + cell]) }
        }
        // Means of four samples halve white noise; the median of |x| is 0.6745 when x is normal with deviation 1.
        return 2 * details.quantile(0.5) / 0.6745
    }

    /// Gives every brightness the deviation of the nearest one that has some; false when none has.
    private func fillGaps() -> Bool {
        guard found.contains(where: { $0 > 0 }) else { return false }
        let known = found
        for level in 0..<Self.levels where known[level] == 0 {
            for distance in 1..<Self.levels {
                let below = level >= distance ? known[level - distance] : 0
                let above = level + distance < Self.levels ? known[level + distance] : 0
                guard below > 0 || above > 0 else { continue }
                found[level] = below > 0 && above > 0 ? (below + above) / 2 : max(below, above)
                break
            }
        }
        return true
    }
}
