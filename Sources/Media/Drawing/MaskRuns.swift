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
        var writer = Writer(runs: base, end: span.lowerBound, limit: span.upperBound)
        var cell = 0
        while cell < cells.count {
            let inside = Self.inside(cells, from: cell)
            if inside > 0 {
                writer.add(columns[cell &+ inside], Int(cells.row[cell]) &* 2)
                cell &+= inside
            } else {
                Self.add(cell, cells, columns, border, to: &writer)
                cell &+= 1
            }
        }
        count = writer.count
    }

    /// How many cells from `cell` on have neighbours of their own class only; looks at sixteen at once.
    @inline(__always)
    private static func inside(_ cells: Cells, from cell: Int) -> Int {
        guard cell >= 1, cell &+ 17 <= cells.count else { return 0 }
        let row = cells.row + cell
        let centre = loadPairs(row)
        let across = (centre ^ loadPairs(row - 1)) | (centre ^ loadPairs(row + 1))
        let down = (centre ^ loadPairs(cells.above + cell)) | (centre ^ loadPairs(cells.below + cell))
        return equalBytes(across | down)
    }

    @inline(__always)
    private static func add(
        _ cell: Int, _ cells: Cells, _ columns: UnsafePointer<Int>, _ border: Int, to writer: inout Writer
    ) {
        let label = cells.row[cell]
        let fill = Int(label) &* 2
        let (start, end) = (columns[cell], columns[cell &+ 1])
        guard start < end else { return }
        guard cells.above[cell] == label, cells.below[cell] == label else { return writer.add(end, fill &+ 1) }
        let isLeft = cell > 0 && cells.row[cell &- 1] != label
        let isRight = cell &+ 1 < cells.count && cells.row[cell &+ 1] != label
        if isLeft { writer.add(min(start &+ border, end), fill &+ 1) }
        if isRight { writer.add(max(start, end &- border), fill) }
        writer.add(end, isRight ? fill &+ 1 : fill)
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
