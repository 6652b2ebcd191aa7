// SPDX-License-Identifier: Apache-2.0
public import Annotations
internal import Glibc
public import Media

/// Makes parts of pictures unrecognisable, for good.
///
/// `fill` leaves nothing. `pixelate` and `blur` keep the mean of 8 cells at most across and down, in eight levels, with
/// noise that no one can subtract: what can be made of that is a stain, not a face.
/// - Note: Thread-safety: confined. Allocates nothing once it is made.
public final class PictureRedactor {
    /// What is left of a part.
    public enum Method: String, Sendable, CaseIterable { case fill, pixelate, blur }

    /// Cells across and down at most.
    private static let cells = 8
    /// Distance of the levels that means are rounded to, and how far noise goes to either side.
    private static let (step, noise): (Int32, Int32) = (32, 12)

    private var grid: [Int32] = Array(repeating: 0, count: cells * cells)
    private var random: UInt64

    /// Makes a redactor with noise of its own.
    public init() {
        random = .random(in: 1 ... .max)
    }

    /// Covers a part of a picture that nobody else has yet, and what lies within of its edge pixels.
    ///
    /// - Parameter box: in pixels of the picture; what is no number covers everything.
    public func cover(_ box: Box, of picture: Picture, _ method: Method) {
        guard let area = Self.area(of: box, in: picture) else { return }
        for index in 0..<picture.format.planeCount {
            let plane = picture.mutablePlane(index)
            let isChroma = index > 0
            let (shiftX, shiftY) = isChroma ? (picture.format.chromaShiftX, picture.format.chromaShiftY) : (0, 0)
            let columns = area.left >> shiftX..<min(plane.width, (area.right + (1 << shiftX) - 1) >> shiftX)
            let rows = area.top >> shiftY..<min(plane.height, (area.bottom + (1 << shiftY) - 1) >> shiftY)
            guard !columns.isEmpty, !rows.isEmpty else { continue }
            let samples = isChroma && picture.format == .nv12 ? 2 : 1
            for channel in 0..<samples {
                let part = Part(
                    base: plane.base + channel, stride: plane.stride, step: samples, columns: columns, rows: rows)
                switch method {
                case .fill: part.fill(isChroma ? 128 : picture.color.range == .full ? 0 : 16)
                case .pixelate, .blur: blend(part, isSmooth: method == .blur)
                }
            }
        }
    }

    /// Covers all of a picture that nobody else has yet.
    public func coverAll(of picture: Picture) {
        cover(
            Box(x: 0, y: 0, width: Float(picture.width), height: Float(picture.height)), of: picture, .fill)
    }

    /// The pixels of a box, out to whole chroma samples; nil where it lies beside the picture.
    private static func area(of box: Box, in picture: Picture) -> (left: Int, top: Int, right: Int, bottom: Int)? {
        let ends = [box.x, box.y, box.x + box.width, box.y + box.height]
        // Whoever cannot say where something is has it covered wherever it may be.
        guard ends.allSatisfy({ !$0.isNaN }) else { return (0, 0, picture.width, picture.height) }
        func pixel(_ value: Float, _ rule: FloatingPointRoundingRule, _ limit: Int) -> Int {
            Int(max(0, min(Float(limit), value.rounded(rule))))
        }
        let left = pixel(ends[0], .down, picture.width) & ~1
        let top = pixel(ends[1], .down, picture.height) & ~1
        let right = min(picture.width, (pixel(ends[2], .up, picture.width) + 1) & ~1)
        let bottom = min(picture.height, (pixel(ends[3], .up, picture.height) + 1) & ~1)
        return left < right && top < bottom ? (left, top, right, bottom) : nil
    }

    /// Samples of one channel, `step` bytes apart.
    private struct Part {
        let base: UnsafeMutablePointer<UInt8>
        let stride: Int
        let step: Int
        let columns: Range<Int>
        let rows: Range<Int>

        func row(_ y: Int) -> UnsafeMutablePointer<UInt8> { base + y * stride }

        func fill(_ value: UInt8) {
            for y in rows {
                let row = row(y)
                if step == 1 {
                    memset(row + columns.lowerBound, Int32(value), columns.count)
                } else {
                    for x in columns { row[x * step] = value }
                }
            }
        }
    }

    private func blend(_ part: Part, isSmooth: Bool) {
        let across = min(Self.cells, part.columns.count), down = min(Self.cells, part.rows.count)
        func edge(_ index: Int, _ count: Int, _ range: Range<Int>) -> Int {
            range.lowerBound + index * range.count / count
        }
        for row in 0..<down {
            for column in 0..<across {
                var sum: Int32 = 0
                let columns = edge(column, across, part.columns)..<edge(column + 1, across, part.columns)
                let rows = edge(row, down, part.rows)..<edge(row + 1, down, part.rows)
                for y in rows {
                    let line = part.row(y)
                    for x in columns { sum &+= Int32(line[x * part.step]) }
                }
                let mean = sum / Int32(columns.count * rows.count)
                let level = mean / Self.step * Self.step + Self.step / 2
                grid[row * Self.cells + column] = max(0, min(255, level + next()))
            }
        }
        for y in part.rows {
            let line = part.row(y)
            let v = position(y, part.rows, down)
            for x in part.columns {
                let u = position(x, part.columns, across)
                line[x * part.step] = isSmooth ? mixed(u, v, across, down) : grid[v.cell * Self.cells + u.cell].byte
            }
        }
    }

    /// The cell of a sample, and how far it lies beyond the middle of the cell before, in 256ths.
    private func position(_ place: Int, _ range: Range<Int>, _ count: Int) -> (cell: Int, before: Int, share: Int32) {
        let offset = place - range.lowerBound
        let cell = min(count - 1, (offset * count + count - 1) / range.count)
        let fixed = (2 * offset + 1) * count * 128 / range.count - 128
        let before = max(0, min(count - 1, fixed >> 8))
        return (cell, before, fixed < 0 ? 0 : Int32(fixed & 255))
    }

    private func mixed(
        _ u: (cell: Int, before: Int, share: Int32), _ v: (cell: Int, before: Int, share: Int32), _ across: Int,
        _ down: Int
    ) -> UInt8 {
        let (u1, v1) = (min(across - 1, u.before + 1), min(down - 1, v.before + 1))
        let top = grid[v.before * Self.cells + u.before] * (256 - u.share) + grid[v.before * Self.cells + u1] * u.share
        let bottom = grid[v1 * Self.cells + u.before] * (256 - u.share) + grid[v1 * Self.cells + u1] * u.share
        return ((top * (256 - v.share) + bottom * v.share) >> 16).byte
    }

    /// The next noise.
    private func next() -> Int32 {
        // xorshift64 (Marsaglia, 2003), from a seed of the system's.
        random ^= random << 13
        random ^= random >> 7
        random ^= random << 17
        return Int32(truncatingIfNeeded: random % UInt64(2 * Self.noise + 1)) - Self.noise
    }
}

extension Int32 {
    fileprivate var byte: UInt8 { UInt8(clamping: self) }
}
