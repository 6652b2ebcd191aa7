// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Media

/// Blends a class map into a picture's planes, row by row, straight from the map's cells.
///
/// A row of the picture is cut into runs of one class, inside or border, and each run is blended 16 bytes at a time:
///
///     labels        3  3  3  3  7  7        border: the left or right, upper or lower neighbour differs
///     runs     |  fill 3    |e3|e7| fill 7 |         new = (old * (128 - alpha) + colour * alpha + 64) / 128
///
/// What is void is painted clear, and so is its side of a border. Rows that lie in the same cells share their runs. A chroma sample takes the run of the upper left of its pixels.
/// - Note: Thread-safety: confined. Allocates nothing once it has seen a map of the size.
final class MaskBlender {
    private let runs = MaskRuns()
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
        columns.withUnsafeBufferPointer { columns in
            guard let columns = columns.baseAddress else { return }
            for y in bounds {
                above = row(of: max(bounds.lowerBound, y - border), from: above)
                here = row(of: y, from: here)
                below = row(of: min(bounds.upperBound - 1, y + border), from: below)
                if known != (above, here, below) {
                    known = (above, here, below)
                    let cells = MaskRuns.Cells(
                        row: labels + here * map.width, above: labels + above * map.width,
                        below: labels + below * map.width, count: map.width)
                    runs.find(cells, columns, border, in: span)
                }
                blend(y, surface)
            }
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

    // MARK: - Blending

    private func preparePaints(_ classes: ClassSet, _ style: MaskStyle, _ spec: ColorSpec) {
        if let look, look.style == style, look.spec == spec, look.classes == classes { return }
        look = (classes, style, spec)
        let clear = MaskPaint(YUVColor(Color.black.opacity(0), in: spec))
        paints = [MaskPaint](repeating: clear, count: 2 * (Int(ClassMap.void) + 1))
        for (label, member) in classes.members.enumerated() {
            // Borders are lighter: many palettes are dark, and so are roads.
            paints[2 * label] = MaskPaint(YUVColor(member.color.opacity(style.fill), in: spec))
            paints[2 * label + 1] = MaskPaint(
                YUVColor(member.color.lightened(by: 0.35).opacity(style.edge), in: spec))
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
    ///
    /// Each block of 16 bytes is loaded and stored once, however many runs meet in it: to load what was just stored in
    /// part would stall.
    @inline(__always)
    private func blend(
        _ line: UnsafeMutablePointer<UInt8>, shift: Int, bytes: Int, _ samples: Int,
        _ pair: (MaskPaint) -> (even: UInt16, odd: UInt16)
    ) {
        let limit = samples &* bytes
        func place(_ pixel: Int) -> Int { ((pixel &+ shift) >> shift) &* bytes }
        func brush(_ run: MaskRuns.Run, _ paints: UnsafeBufferPointer<MaskPaint>) -> MaskBrush {
            let paint = paints[run.paint]
            let (even, odd) = pair(paint)
            return MaskBrush(keep: paint.keep, even: even, odd: odd, end: place(run.end))
        }
        paints.withUnsafeBufferPointer { paints in
            var rest = runs.all[...]
            guard let first = rest.popFirst() else { return }
            var here = brush(first, paints)
            var x = place(span.lowerBound)
            let stop = place(span.upperBound)
            while x < stop, x &+ 16 <= limit {
                let old = loadPairs(line + x)
                var new = here.mixed(old)
                while here.end < x &+ 16 {
                    let done = firstBytes(here.end &- x)
                    // After the last run nothing changes.
                    here = rest.popFirst().map { brush($0, paints) } ?? .none
                    new = (new & done) | (here.mixed(old) & ~done)
                }
                storePairs(new, line + x)
                x &+= 16
            }
            while x < stop {
                while here.end <= x, let next = rest.popFirst() { here = brush(next, paints) }
                line[x] = here.mixed(line[x], isOdd: x & 1 != 0)
                x &+= 1
            }
        }
    }
}
