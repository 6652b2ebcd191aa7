// SPDX-License-Identifier: Apache-2.0
package import Annotations
package import Inference
package import Networks

/// M-LSD's decoding: local maxima of the centre map, best first, each with the displacements of its two ends.
///
/// - Note: Shape: `centre` `[1, 1, H/2, W/2]` scores 0...1 and `displacement` `[1, 4, H/2, W/2]` in map pixels.
/// - Note: Source: the reference's decoding (score and length tests, 3x3 maxima, 200 best); section 3.3 of the paper.
package final class LineDecoder: OutputDecoder {
    /// What counts as a line.
    package struct Options: Sendable, Hashable {
        /// Centres must score more.
        package var scoreThreshold: Float
        /// Lines must be longer, in pixels of the network's output map (two input pixels each).
        package var minimumLength: Float
        /// At most this many centres are looked at, best first; the length test may leave fewer lines.
        package var limit: Int

        /// The reference's own defaults.
        package init(scoreThreshold: Float = 0.1, minimumLength: Float = 20, limit: Int = 200) {
            self.scoreThreshold = scoreThreshold
            self.minimumLength = minimumLength
            self.limit = limit
        }
    }

    /// What counts as a line.
    package let options: Options
    /// Columns of the output maps.
    let width: Int
    /// Rows of the output maps.
    let height: Int
    private let centreIndex: Int
    private let displacementIndex: Int
    private let best: TopK

    /// Prepares for a model with `outputs`, built at an input of `size`.
    ///
    /// - Throws: `VisionError.Code.outputs`.
    package init(outputs: [TensorInfo], size: InputSize, options: Options = Options()) throws(VisionError) {
        width = size.width / 2
        height = size.height / 2
        centreIndex = try outputs.position(of: "centre", shape: [1, 1, height, width])
        displacementIndex = try outputs.position(of: "displacement", shape: [1, 4, height, width])
        self.options = options
        best = TopK(capacity: min(max(0, options.limit), width * height))
    }

    /// The lines, best first; ends may lie outside the picture.
    ///
    /// Numbers that are not finite make no line.
    package func decode(_ outputs: [TensorBuffer], placement: Placement) -> [LineSegment] {
        guard let centre = outputs[centreIndex].floats.baseAddress,
            let displacement = outputs[displacementIndex].floats.baseAddress
        else { return [] }
        return decode(centre: centre, displacement: displacement, placement: placement)
    }

    func decode(
        centre: UnsafePointer<Float>, displacement: UnsafePointer<Float>, placement: Placement
    ) -> [LineSegment] {
        findCentres(centre)
        var lines: [LineSegment] = []
        lines.reserveCapacity(best.count)
        let area = width * height
        let minimum = options.minimumLength
        for position in 0..<best.count {
            let index = Int(best[position].index)
            let cell = displacement + index
            let x = Float(index % width)
            let y = Float(index / width)
            let (startX, startY, endX, endY) = (cell[0], cell[area], cell[2 * area], cell[3 * area])
            let (dx, dy) = (endX - startX, endY - startY)
            let length = (dx * dx + dy * dy).squareRoot()
            // The sums are checked rather than each term: one NaN or infinity makes a sum so.
            guard length > minimum, length.isFinite, (startX + startY).isFinite else { continue }
            // The map has half the input's resolution.
            lines.append(
                LineSegment(
                    from: placement.source(x: 2 * (x + startX), y: 2 * (y + startY)),
                    to: placement.source(x: 2 * (x + endX), y: 2 * (y + endY)), score: best[position].score))
        }
        return lines
    }

    /// Leaves the best local maxima in `best`, sorted.
    ///
    /// A cell is one unless a neighbour is greater: plateaus stay whole.
    private func findCentres(_ scores: UnsafePointer<Float>) {
        best.removeAll()
        let threshold = options.scoreThreshold
        for y in 0..<height {
            let row = scores + y * width
            for x in 0..<width where row[x] > threshold && isMaximum(row + x, x, y) {
                best.offer(row[x], y &* width &+ x)
            }
        }
        best.sort()
    }

    /// Comparisons with NaN are false, so that a NaN never hides its neighbours.
    private func isMaximum(_ cell: UnsafePointer<Float>, _ x: Int, _ y: Int) -> Bool {
        let score = cell[0]
        let left = x > 0 ? -1 : 0
        let right = x &+ 1 < width ? 1 : 0
        let above = y > 0 ? -1 : 0
        let below = y &+ 1 < height ? 1 : 0
        for dy in above...below {
            for dx in left...right where cell[dy &* width &+ dx] > score { return false }
        }
        return true
    }
}
