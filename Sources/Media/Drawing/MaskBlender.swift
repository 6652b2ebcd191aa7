// SPDX-License-Identifier: Apache-2.0

/// How a class map is blended into a picture.
public struct MaskStyle: Sendable, Hashable {
    /// Opacity inside an area, 0...1.
    public var fill: Float
    /// Opacity along the border of an area, 0...1.
    public var edge: Float
    /// Width of the border on each side, in pixels of the picture; not beyond one cell.
    public var edgeWidth: Int

    /// Makes a style.
    public init(fill: Float = 0.4, edge: Float = 0.9, edgeWidth: Int = 1) {
        self.fill = fill
        self.edge = edge
        self.edgeWidth = edgeWidth
    }
}

/// Blends a class map into a picture's planes, row by row, straight from the map's cells.
///
/// A row of the picture is cut into runs of one class, inside or border, and each run is blended 16 bytes at a time:
///
///     labels        3  3  3  3  7  7        border: the left or right, upper or lower neighbour differs
///     runs     |  fill 3    |e3|e7| fill 7 |         new = (old * (128 - alpha) + colour * alpha + 64) / 128
///
/// Rows that lie in the same cells share their runs. A chroma sample takes the run of the upper left of its pixels.
/// - Note: Thread-safety: confined. Allocates nothing once it has seen a map of the size.
final class MaskBlender {
    /// Pixels up to, without, `end` with one paint: `label * 2`, and 1 more on a border.
    private struct Run {
        var end: Int
        var paint: Int
    }

    private var runs: [Run] = []
    /// The pixels of a row that the map covers.
    private var span = 0..<0
    /// The first pixel of every cell, and one past the last of the last; also beyond the picture.
    private var columns: [Int] = []
    private var rows: [Int] = []
    private var paints: [MaskPaint] = []
    private var look: (classes: ClassSet, style: MaskStyle, spec: ColorSpec)?

    /// Blends `map`, whose region is in pixels of the picture.
    func draw(_ map: ClassMap, _ style: MaskStyle, on surface: Surface, _ spec: ColorSpec) {
        let region = map.region
        guard region.width > 0, region.height > 0, region.x.isFinite, region.y.isFinite, region.width.isFinite,
            region.height.isFinite
        else { return }
        Self.edges(region.x, region.width, cells: map.width, limit: surface.width, into: &columns)
        Self.edges(region.y, region.height, cells: map.height, limit: surface.height, into: &rows)
        span = Self.visible(columns[0], columns[map.width], of: surface.width)
        preparePaints(map.classes, style, spec)
        let border = max(0, min(style.edgeWidth, 64))
        map.labels.withUnsafeBufferPointer { labels in
            guard let labels = labels.baseAddress else { return }
            drawRows(labels, map, border, surface)
        }
    }

    private func drawRows(
        _ labels: UnsafePointer<UInt8>, _ map: ClassMap, _ border: Int, _ surface: Surface
    ) {
        let bounds = Self.visible(rows[0], rows[map.height], of: surface.height)
        guard !span.isEmpty else { return }
        // The map's rows that hold the picture's rows y - border, y and y + border.
        var (above, here, below) = (0, 0, 0)
        var known = (-1, -1, -1)
        for y in bounds {
            above = row(of: max(bounds.lowerBound, y - border), from: above)
            here = row(of: y, from: here)
            below = row(of: min(bounds.upperBound - 1, y + border), from: below)
            if known != (above, here, below) {
                known = (above, here, below)
                let start = { labels + $0 * map.width }
                findRuns(start(here), start(above), start(below), width: map.width, border)
            }
            blend(y, surface)
        }
    }

    // MARK: - Geometry

    /// The first pixel of each cell, and one past the last pixel of the last: a pixel belongs to the cell of its centre.
    private static func edges(_ start: Float, _ extent: Float, cells: Int, limit: Int, into edges: inout [Int]) {
        edges.removeAll(keepingCapacity: true)
        let step = Double(extent) / Double(cells)
        for cell in 0...cells {
            let edge = (Double(start) + Double(cell) * step - 0.5).rounded(.up)
            // Far outside is as good as anywhere outside, beyond the reach of a border.
            edges.append(Int(max(-1024, min(Double(limit) + 1024, edge))))
        }
    }

    private static func visible(_ start: Int, _ end: Int, of limit: Int) -> Range<Int> {
        let first = max(0, min(limit, start))
        return first..<max(first, min(limit, end))
    }

    /// The cell row that a picture row lies in; not before `from`.
    private func row(of y: Int, from: Int) -> Int {
        var cell = from
        while rows[cell + 1] <= y { cell += 1 }
        return cell
    }

    // MARK: - Runs

    private func findRuns(
        _ row: UnsafePointer<UInt8>, _ above: UnsafePointer<UInt8>, _ below: UnsafePointer<UInt8>, width: Int,
        _ border: Int
    ) {
        runs.removeAll(keepingCapacity: true)
        var cell = 0
        while cell < width {
            // Sixteen cells whose neighbours are all of their class: the inside of an area.
            if cell >= 1, cell &+ 17 <= width {
                let centre = load(row + cell)
                let differs =
                    (centre ^ load(row + cell - 1)) | (centre ^ load(row + cell + 1)) | (centre ^ load(above + cell))
                    | (centre ^ load(below + cell))
                if isZero(differs) {
                    add(columns[cell &+ 16], Int(row[cell]) &* 2)
                    cell &+= 16
                    continue
                }
            }
            addCell(cell, row, above, below, width, border)
            cell &+= 1
        }
    }

    private func addCell(
        _ cell: Int, _ row: UnsafePointer<UInt8>, _ above: UnsafePointer<UInt8>, _ below: UnsafePointer<UInt8>,
        _ width: Int, _ border: Int
    ) {
        let label = row[cell]
        let fill = Int(label) &* 2
        let (start, end) = (columns[cell], columns[cell &+ 1])
        guard start < end else { return }
        guard above[cell] == label, below[cell] == label else { return add(end, fill &+ 1) }
        let isLeft = cell > 0 && row[cell &- 1] != label
        let isRight = cell &+ 1 < width && row[cell &+ 1] != label
        if isLeft { add(min(start &+ border, end), fill &+ 1) }
        if isRight { add(max(start, end &- border), fill) }
        add(end, isRight ? fill &+ 1 : fill)
    }

    /// Goes on to `end`, within the picture; longer than the last run where the paint is the same.
    private func add(_ end: Int, _ paint: Int) {
        let end = min(end, span.upperBound)
        guard end > runs.last?.end ?? span.lowerBound else { return }
        if let last = runs.last, last.paint == paint {
            runs[runs.count &- 1].end = end
        } else {
            runs.append(Run(end: end, paint: paint))
        }
    }

    // MARK: - Blending

    private func preparePaints(_ classes: ClassSet, _ style: MaskStyle, _ spec: ColorSpec) {
        if let look, look.style == style, look.spec == spec, look.classes == classes { return }
        look = (classes, style, spec)
        paints = classes.members.flatMap { member in
            // Borders are lighter: many palettes are dark, and so are roads.
            [member.color.opacity(style.fill), member.color.lightened(by: 0.35).opacity(style.edge)].map {
                MaskPaint(YUVColor($0, in: spec))
            }
        }
    }

    private func blend(_ y: Int, _ surface: Surface) {
        let line = surface.luma + y &* surface.lumaStride
        blend(line, shift: 0, bytes: 1, surface.width) { ($0.y, $0.y) }
        let isHalved = surface.chroma == .quarter || surface.chroma == .quarterInterleaved
        guard surface.chroma != .none, !isHalved || y & 1 == 0 else { return }
        let shift = surface.chroma == .full ? 0 : 1
        let u = surface.first + (isHalved ? y >> 1 : y) &* surface.firstStride
        let width = (surface.width &+ shift) >> shift
        if surface.chroma == .quarterInterleaved {
            return blend(u, shift: shift, bytes: 2, width) { ($0.u, $0.v) }
        }
        let v = surface.second + (isHalved ? y >> 1 : y) &* surface.secondStride
        blend(u, shift: shift, bytes: 1, width) { ($0.u, $0.u) }
        blend(v, shift: shift, bytes: 1, width) { ($0.v, $0.v) }
    }

    /// Blends the runs into a line of a plane whose samples are `bytes` long and `1 << shift` pixels wide.
    @inline(__always)
    private func blend(
        _ line: UnsafeMutablePointer<UInt8>, shift: Int, bytes: Int, _ samples: Int,
        _ pair: (MaskPaint) -> (even: UInt16, odd: UInt16)
    ) {
        let limit = samples &* bytes
        var x = ((span.lowerBound &+ shift) >> shift) &* bytes
        runs.withUnsafeBufferPointer { runs in
            paints.withUnsafeBufferPointer { paints in
                for run in runs {
                    let paint = paints[run.paint]
                    let (even, odd) = pair(paint)
                    let end = ((run.end &+ shift) >> shift) &* bytes
                    fill(line, from: x, to: end, limit, paint.keep, even, odd)
                    x = max(x, end)
                }
            }
        }
    }

    /// `line[x] = (line[x] * keep + even or odd) / 128` for the bytes `from` up to, without, `to`.
    @inline(__always)
    private func fill(
        _ line: UnsafeMutablePointer<UInt8>, from: Int, to end: Int, _ limit: Int, _ keep: UInt16, _ even: UInt16,
        _ odd: UInt16
    ) {
        var x = from
        let keeps = SIMD8<UInt16>(repeating: keep)
        let (evens, odds) = (SIMD8<UInt16>(repeating: even), SIMD8<UInt16>(repeating: odd))
        while x &+ 16 <= end {
            store(mix(load(line + x), keeps, evens, odds), line + x)
            x &+= 16
        }
        guard x < end else { return }
        if x &+ 16 <= limit {
            let old = load(line + x)
            let inside = firstBytes(end &- x)
            store((mix(old, keeps, evens, odds) & inside) | (old & ~inside), line + x)
        } else {
            while x < end {
                // Runs start at even bytes where the two differ.
                let offset = (x &- from) & 1 == 0 ? even : odd
                line[x] = UInt8(truncatingIfNeeded: (UInt16(line[x]) &* keep &+ offset) >> 7)
                x &+= 1
            }
        }
    }
}

/// A colour times its opacity in a picture's values, rounding added: what is left to do is one product and one sum.
private struct MaskPaint {
    /// 128 minus the opacity in 128ths: the part of the old value that stays.
    let keep: UInt16
    let y: UInt16
    let u: UInt16
    let v: UInt16

    init(_ color: YUVColor) {
        keep = UInt16(128 - color.alpha)
        y = UInt16(color.y * color.alpha + 64)
        u = UInt16(color.u * color.alpha + 64)
        v = UInt16(color.v * color.alpha + 64)
    }
}

// Sixteen bytes as eight 16-bit numbers: the even bytes are the low halves, and no vector has to be widened.
// 255 * 128 + 64 fits 16 bits.

@inline(__always)
private func mix(
    _ old: SIMD8<UInt16>, _ keep: SIMD8<UInt16>, _ even: SIMD8<UInt16>, _ odd: SIMD8<UInt16>
) -> SIMD8<UInt16> {
    let low = ((old & 0xFF) &* keep &+ even) &>> 7
    let high = (((old &>> 8) &* keep &+ odd) &<< 1) & 0xFF00
    return low | high
}

/// All bits of the first `count` bytes, 0...16.
@inline(__always)
private func firstBytes(_ count: Int) -> SIMD8<UInt16> {
    let ends = SIMD8<Int16>(repeating: Int16(truncatingIfNeeded: count)) &- SIMD8<Int16>(0, 2, 4, 6, 8, 10, 12, 14)
    // Negative where the byte is inside: 0 - count + place.
    let low = unsafeBitCast((0 &- ends) &>> 15, to: SIMD8<UInt16>.self) & 0xFF
    let high = unsafeBitCast((1 &- ends) &>> 15, to: SIMD8<UInt16>.self) & 0xFF00
    return low | high
}

@inline(__always)
private func load(_ from: UnsafePointer<UInt8>) -> SIMD8<UInt16> {
    UnsafeRawPointer(from).loadUnaligned(as: SIMD8<UInt16>.self)
}

@inline(__always)
private func store(_ values: SIMD8<UInt16>, _ to: UnsafeMutablePointer<UInt8>) {
    UnsafeMutableRawPointer(to).storeBytes(of: values, as: SIMD8<UInt16>.self)
}

@inline(__always)
private func isZero(_ vector: SIMD8<UInt16>) -> Bool {
    let words = unsafeBitCast(vector, to: SIMD2<UInt64>.self)
    return words.x | words.y == 0
}
