// SPDX-License-Identifier: Apache-2.0

/// A row of the picture cut into runs of one paint, from the row of cells it lies in and those above and below.
///
/// - Note: Thread-safety: confined. Allocates when a wider map than before comes.
final class MaskRuns {
    /// Pixels up to, without, `end` with one paint: `label * 2`, and 1 more on a border.
    struct Run {
        var end: Int
        var paint: Int
    }

    /// Three neighbouring rows of cells.
    struct Cells {
        let row: UnsafePointer<UInt8>
        let above: UnsafePointer<UInt8>
        let below: UnsafePointer<UInt8>
        let count: Int
    }

    private var memory: UnsafeMutableBufferPointer<Run> = .allocate(capacity: 0)
    private var count = 0

    deinit { memory.deallocate() }

    /// The runs found last, from left to right.
    var all: UnsafeBufferPointer<Run> { UnsafeBufferPointer(rebasing: memory[..<count]) }

    /// Finds the runs of the pixels `span`.
    ///
    /// - Parameters:
    ///   - columns: the first pixel of each cell, and one past the last pixel of the last.
    ///   - border: pixels on each side of a boundary that are painted as border.
    func find(_ cells: Cells, _ columns: UnsafePointer<Int>, _ border: Int, in span: Range<Int>) {
        // A cell gives three runs at most: border, inside, border.
        if memory.count < 3 * cells.count {
            memory.deallocate()
            memory = .allocate(capacity: 3 * cells.count)
        }
        guard let base = memory.baseAddress else { return }
        var cutter = Cutter(cells, columns, border, Writer(runs: base, end: span.lowerBound, limit: span.upperBound))
        var cell = 1
        while cell &+ 16 <= cells.count {
            let (low, high) = Self.changes(cells, cell)
            cutter.cut(low, from: cell)
            cutter.cut(high, from: cell &+ 8)
            cell &+= 16
        }
        while cell < cells.count {
            cutter.cut(cell)
            cell &+= 1
        }
        count = cutter.finish()
    }

    /// Of the sixteen cells from `cell` on, a bit of a byte for those whose paint may differ from that of the cell before.
    @inline(__always)
    private static func changes(_ cells: Cells, _ cell: Int) -> (low: UInt64, high: UInt64) {
        let (row, above, below) = (cells.row + cell, cells.above + cell, cells.below + cell)
        let (here, before) = (loadBytes(row), loadBytes(row - 1))
        let isInside = (loadBytes(above) .== here) .& (loadBytes(below) .== here)
        let wasInside = (loadBytes(above - 1) .== before) .& (loadBytes(below - 1) .== before)
        let changes = (here .!= before) .| (isInside .^ wasInside)
        let words = unsafeBitCast(
            SIMD16<UInt8>(repeating: 0).replacing(with: 1, where: changes), to: SIMD2<UInt64>.self)
        return (words.x, words.y)
    }

    /// Goes along a row of cells from change to change.
    private struct Cutter {
        private let cells: Cells
        private let columns: UnsafePointer<Int>
        private let border: Int
        private var writer: Writer
        /// Of the cell before.
        private var label: UInt8
        private var isBorder: Bool

        init(_ cells: Cells, _ columns: UnsafePointer<Int>, _ border: Int, _ writer: Writer) {
            self.cells = cells
            self.columns = columns
            self.border = border
            self.writer = writer
            label = cells.row[0]
            isBorder = cells.above[0] != label || cells.below[0] != label
        }

        /// Cuts at the cells that have a bit; the lowest byte is the first: both architectures are little endian.
        @inline(__always)
        mutating func cut(_ changes: UInt64, from cell: Int) {
            var rest = changes
            while rest != 0 {
                cut(cell &+ rest.trailingZeroBitCount >> 3)
                rest &= rest &- 1
            }
        }

        /// Ends the paint of the cells before `cell`, where its own differs.
        @inline(__always)
        mutating func cut(_ cell: Int) {
            let start = columns[cell]
            let next = cells.row[cell]
            let isNextBorder = cells.above[cell] != next || cells.below[cell] != next
            let fill = Int(label) &* 2
            if next == label {
                writer.add(start, isBorder ? fill &+ 1 : fill)
            } else {
                if !isBorder { writer.add(max(columns[cell &- 1], start &- border), fill) }
                writer.add(start, fill &+ 1)
                if !isNextBorder { writer.add(min(start &+ border, columns[cell &+ 1]), Int(next) &* 2 &+ 1) }
            }
            (label, isBorder) = (next, isNextBorder)
        }

        /// Ends the last cell; how many runs there are.
        mutating func finish() -> Int {
            let fill = Int(label) &* 2
            writer.add(columns[cells.count], isBorder ? fill &+ 1 : fill)
            return writer.count
        }
    }

    /// Lives in registers while a row is cut.
    private struct Writer {
        let runs: UnsafeMutablePointer<Run>
        var end: Int
        let limit: Int
        var count = 0
        var paint = -1

        init(runs: UnsafeMutablePointer<Run>, end: Int, limit: Int) {
            self.runs = runs
            self.end = end
            self.limit = limit
        }

        /// Goes on to `next`, within the span; lengthens the last run where the paint is the same.
        @inline(__always)
        mutating func add(_ next: Int, _ paint: Int) {
            let next = min(next, limit)
            guard next > end else { return }
            end = next
            if paint == self.paint {
                runs[count &- 1].end = next
            } else {
                (runs + count).initialize(to: Run(end: next, paint: paint))
                count &+= 1
                self.paint = paint
            }
        }
    }
}
