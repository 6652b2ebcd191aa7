// SPDX-License-Identifier: Apache-2.0
internal import Foundation

/// Text to people.
enum Console {
    /// Where text goes.
    enum Stream: Int32 {
        case output = 1
        case errors = 2

        /// Whether a person looks at it rather than a file or a program.
        var isTerminal: Bool { isatty(rawValue) == 1 }
    }

    /// Prints `text` as it is; a closed stream is not an error.
    static func print(_ text: String, to stream: Stream = .output) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { write(stream.rawValue, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }

    /// Prints a line.
    static func line(_ text: String = "", to stream: Stream = .output) { print(text + "\n", to: stream) }

    /// Columns of the terminal behind `stream`; 80 where it does not say.
    static func width(of stream: Stream) -> Int {
        var size = winsize()
        guard ioctl(stream.rawValue, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }
}

/// Rows of text set in columns.
struct TextTable {
    private var rows: [[String]]
    private let rightAligned: Set<Int>

    /// Starts with a header; the columns in `rightAligned` hold numbers.
    init(_ header: [String], rightAligned: Set<Int> = []) {
        rows = [header]
        self.rightAligned = rightAligned
    }

    /// Adds a row as long as the header.
    mutating func add(_ row: [String]) { rows.append(row) }

    /// The rows, two spaces between columns.
    var lines: [String] {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                let space = String(repeating: " ", count: widths[column] - cell.count)
                line += (column == 0 ? "" : "  ") + (rightAligned.contains(column) ? space + cell : cell + space)
            }
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}
