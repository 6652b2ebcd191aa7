// SPDX-License-Identifier: Apache-2.0
internal import Annotations
public import Media

/// Finds a time code in a filmed picture and reads it.
///
///     luma --reduce--> brightness levels --> dark regions --> hollow ones of the frame's shape --> cells --> checksum
///
/// The frame's four corners say where the cells are, so that the code may be anywhere, of any size from about three
/// pixels a cell, and a little askew. Two codes that the camera saw as one fail the checksum and are not read.
///
/// Confined; allocates when the pictures' size changes.
public final class TimeCodeReader {
    /// Columns of the reduced picture in which the frame is looked for, at most.
    private static let columns = 640
    /// Shares of the way from the darkest to the brightest at which black and white are told apart, best first.
    private static let thresholds: [Float] = [0.5, 0.35, 0.65, 0.2]

    private var width = 0
    private var height = 0
    private var step = 1
    private var small: [UInt8] = []
    private var labels: [UInt8] = []
    private var stack: [Int32] = []

    /// Makes a reader.
    public init() {}

    /// The code in a picture; nil where none can be read.
    public func read(_ picture: Picture) -> TimeCode? { read(picture.plane(0)) }

    func read(_ luma: Plane) -> TimeCode? {
        reduce(luma)
        let (dark, bright) = range()
        guard bright - dark >= 24 else { return nil }
        for share in Self.thresholds {
            let threshold = UInt8(Float(dark) + Float(bright - dark) * share)
            labels.withUnsafeMutableBufferPointer { $0.update(repeating: 0) }
            for start in small.indices where small[start] < threshold && labels[start] == 0 {
                let region = flood(from: start, below: threshold)
                if region.isFrame, let code = cells(in: region, of: luma) { return code }
            }
        }
        return nil
    }

    // MARK: The frame

    /// A dark region of the reduced picture: how large, and its outermost pixels towards the four corners.
    private struct Region {
        var area = 0
        var left = Int.max
        var right = -1
        var top = Int.max
        var bottom = -1
        /// Top left, top right, bottom right, bottom left.
        var corners = [(x: Int, y: Int)](repeating: (0, 0), count: 4)
        private var reach = [Int](repeating: .min, count: 4)

        mutating func add(_ x: Int, _ y: Int) {
            area += 1
            (left, right) = (min(left, x), max(right, x))
            (top, bottom) = (min(top, y), max(bottom, y))
            for (index, value) in [-x - y, x - y, x + y, y - x].enumerated() where value > reach[index] {
                reach[index] = value
                corners[index] = (x, y)
            }
        }

        /// Whether it could be the frame, 12 x 10 cells outside and hollow.
        ///
        /// A third of it is black.
        var isFrame: Bool {
            let (across, down) = (right - left + 1, bottom - top + 1)
            guard across >= 24, down >= 20, across < 2 * down, down < across * 5 / 4 else { return false }
            let share = Float(area) / Float(across * down)
            return share > 0.18 && share < 0.6
        }
    }

    private func flood(from start: Int, below threshold: UInt8) -> Region {
        var region = Region()
        stack.removeAll(keepingCapacity: true)
        stack.append(Int32(start))
        labels[start] = 1
        while let index = stack.popLast().map(Int.init) {
            let (x, y) = (index % width, index / width)
            region.add(x, y)
            for (dx, dy) in [(-1, 0), (1, 0), (0, -1), (0, 1)] {
                let (nx, ny) = (x + dx, y + dy)
                guard nx >= 0, ny >= 0, nx < width, ny < height else { continue }
                let next = ny * width + nx
                guard labels[next] == 0, small[next] < threshold else { continue }
                labels[next] = 1
                stack.append(Int32(next))
            }
        }
        return region
    }

    // MARK: The cells

    /// Reads the cells inside a frame, sampled from the full picture.
    private func cells(in region: Region, of luma: Plane) -> TimeCode? {
        // The outer corners of the outermost pixels.
        let scale = Float(step)
        let outward: [(Float, Float)] = [(0, 0), (1, 0), (1, 1), (0, 1)]
        let corners = zip(region.corners, outward).map { corner, out in
            Point(x: (Float(corner.x) + out.0) * scale, y: (Float(corner.y) + out.1) * scale)
        }
        let (across, down) = (Float(TimeCode.columns + 4), Float(TimeCode.rows + 4))
        /// The brightness at a place in cells of the frame.
        func brightness(_ x: Float, _ y: Float) -> Float {
            let (u, v) = (x / across, y / down)
            func blend(_ a: Float, _ b: Float, _ c: Float, _ d: Float) -> Float {
                (a * (1 - u) + b * u) * (1 - v) + (d * (1 - u) + c * u) * v
            }
            let centre = Point(
                x: blend(corners[0].x, corners[1].x, corners[2].x, corners[3].x),
                y: blend(corners[0].y, corners[1].y, corners[2].y, corners[3].y))
            let reach = max(0, (corners[1].x - corners[0].x) / across * 0.2)
            return mean(luma, around: centre, reach: reach)
        }
        var (black, white): (Float, Float) = (0, 0)
        let ring: [(Float, Float)] = [(0.5, 0.5), (11.5, 0.5), (11.5, 9.5), (0.5, 9.5), (6, 0.5), (6, 9.5)]
        let quiet: [(Float, Float)] = [(1.5, 1.5), (10.5, 1.5), (10.5, 8.5), (1.5, 8.5), (6, 1.5), (6, 8.5)]
        for place in ring { black += brightness(place.0, place.1) / Float(ring.count) }
        for place in quiet { white += brightness(place.0, place.1) / Float(quiet.count) }
        guard white - black >= 16 else { return nil }
        let middle = (white + black) / 2
        let cells = (0..<TimeCode.columns * TimeCode.rows).map { index in
            brightness(Float(index % TimeCode.columns) + 2.5, Float(index / TimeCode.columns) + 2.5) < middle
        }
        return TimeCode(cells: cells)
    }

    private func mean(_ luma: Plane, around centre: Point, reach: Float) -> Float {
        func bounds(_ middle: Float, _ extent: Int) -> ClosedRange<Int> {
            let low = max(0, min(Float(extent - 1), middle - reach))
            let high = max(low, min(Float(extent - 1), middle + reach))
            return Int(low)...Int(high)
        }
        let (columns, rows) = (bounds(centre.x, luma.width), bounds(centre.y, luma.height))
        var sum = 0
        for y in rows {
            let row = luma.row(y)
            for x in columns { sum += Int(row[x]) }
        }
        return Float(sum) / Float(columns.count * rows.count)
    }

    // MARK: The reduced picture

    /// Means of `step` x `step` pixels; what does not fill a last cell is left out.
    private func reduce(_ luma: Plane) {
        step = max(1, (luma.width + Self.columns - 1) / Self.columns)
        (width, height) = (luma.width / step, luma.height / step)
        if small.count != width * height {
            small = Array(repeating: 0, count: width * height)
            labels = Array(repeating: 0, count: width * height)
        }
        for y in 0..<height {
            for x in 0..<width {
                var sum = 0
                for dy in 0..<step {
                    let row = luma.row(y * step + dy)
                    for dx in 0..<step { sum += Int(row[x * step + dx]) }
                }
                small[y * width + x] = UInt8(sum / (step * step))
            }
        }
    }

    /// The brightness below which a fiftieth of the picture lies, and that above which one does.
    private func range() -> (dark: Int, bright: Int) {
        var counts = [Int](repeating: 0, count: 256)
        for value in small { counts[Int(value)] += 1 }
        let limit = small.count / 50
        func level(_ values: some Sequence<Int>) -> Int {
            var seen = 0
            for value in values {
                seen += counts[value]
                if seen > limit { return value }
            }
            return 0
        }
        return (level(0...255), level((0...255).reversed()))
    }
}
