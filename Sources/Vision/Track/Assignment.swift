// SPDX-License-Identifier: Apache-2.0

/// The assignment of rows to columns with the largest sum (the Hungarian method by shortest augmenting paths).
///
/// R. Jonker, A. Volgenant: "A shortest augmenting path algorithm for dense and sparse linear assignment problems" (1987).
/// Of several best ones always the same is found. Keeps its memory between problems. Confined.
struct Assignment {
    /// The column of each row; -1 where there are fewer columns than rows.
    private(set) var columns: [Int] = []

    private var rowPrice: [Double] = []
    private var columnPrice: [Double] = []
    private var rowOfColumn: [Int] = []
    private var shortest: [Double] = []
    private var previous: [Int] = []
    private var isDone: [Bool] = []

    /// Solves the problem of `rows * columns` gains, row by row; gains are finite.
    mutating func solve(rows: Int, columns count: Int, gains: UnsafePointer<Double>) {
        columns.removeAll(keepingCapacity: true)
        for _ in 0..<rows { columns.append(-1) }
        guard rows > 0, count > 0 else { return }
        // The method wants no more rows than columns.
        let isTurned = rows > count
        let (n, m) = isTurned ? (count, rows) : (rows, count)
        func cost(_ row: Int, _ column: Int) -> Double {
            isTurned ? -gains[column * count + row] : -gains[row * count + column]
        }
        reset(n, m)
        for row in 1...n {
            rowOfColumn[0] = row
            var column = 0
            for index in 0...m {
                shortest[index] = .infinity
                isDone[index] = false
            }
            repeat {
                isDone[column] = true
                let current = rowOfColumn[column]
                var (step, next) = (Double.infinity, 0)
                for index in 1...m where !isDone[index] {
                    let reduced = cost(current - 1, index - 1) - rowPrice[current] - columnPrice[index]
                    if reduced < shortest[index] {
                        shortest[index] = reduced
                        previous[index] = column
                    }
                    if shortest[index] < step { (step, next) = (shortest[index], index) }
                }
                for index in 0...m {
                    if isDone[index] {
                        rowPrice[rowOfColumn[index]] += step
                        columnPrice[index] -= step
                    } else {
                        shortest[index] -= step
                    }
                }
                column = next
            } while rowOfColumn[column] != 0
            repeat {
                let before = previous[column]
                rowOfColumn[column] = rowOfColumn[before]
                column = before
            } while column != 0
        }
        for column in 1...m where rowOfColumn[column] != 0 {
            let row = rowOfColumn[column]
            if isTurned { columns[column - 1] = row - 1 } else { columns[row - 1] = column - 1 }
        }
    }

    /// Places for `n` rows and `m` columns, counted from 1; 0 stands for none.
    private mutating func reset(_ n: Int, _ m: Int) {
        rowPrice.removeAll(keepingCapacity: true)
        columnPrice.removeAll(keepingCapacity: true)
        rowOfColumn.removeAll(keepingCapacity: true)
        shortest.removeAll(keepingCapacity: true)
        previous.removeAll(keepingCapacity: true)
        isDone.removeAll(keepingCapacity: true)
        for _ in 0...n { rowPrice.append(0) }
        for _ in 0...m {
            columnPrice.append(0)
            rowOfColumn.append(0)
            shortest.append(0)
            previous.append(0)
            isDone.append(false)
        }
    }
}
