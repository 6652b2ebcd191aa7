// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Foundation
internal import Synchronization

/// Text to people.
///
/// Nobody waits for a reader of the standard error stream: what it does not take within a second is left out and counted,
/// and from then on everything that it does not take at once.
enum Console {
    private static let isStuck = Atomic<Bool>(false)
    private static let lost = Atomic<Int>(0)

    /// Where text goes.
    enum Stream: Int32 {
        case output = 1
        case errors = 2

        /// Whether a person looks at it rather than a file or a program.
        var isTerminal: Bool { isatty(rawValue) == 1 }
    }

    /// Prints `text` as it is; a closed stream is not an error.
    ///
    /// What is of others goes through `line`.
    static func print(_ text: String, to stream: Stream = .output) {
        guard stream == .errors else {
            put(Array(text.utf8)[...], on: stream)
            return
        }
        let missed = lost.exchange(0, ordering: .acquiringAndReleasing)
        let note = missed == 0 ? "" : "\(missed) messages were left out: nobody read them\n"
        if put(Array((note + text).utf8)[...], on: stream) {
            isStuck.store(false, ordering: .releasing)
        } else {
            isStuck.store(true, ordering: .releasing)
            lost.wrappingAdd(missed + 1, ordering: .acquiringAndReleasing)
        }
    }

    /// Prints a line, whatever is in `text`.
    static func line(_ text: String = "", to stream: Stream = .output) { print(printable(text) + "\n", to: stream) }

    /// Takes back the line of status on a terminal.
    static let clearLine = "\r\u{1B}[K"

    /// Writes all of `bytes`; false where the stream does not take them in time.
    @discardableResult
    private static func put(_ bytes: ArraySlice<UInt8>, on stream: Stream) -> Bool {
        var bytes = bytes
        while !bytes.isEmpty {
            // A pipe that takes anything takes so much.
            let part = bytes.prefix(stream == .errors ? 512 : bytes.count)
            if stream == .errors {
                var watched = pollfd(fd: stream.rawValue, events: Int16(POLLOUT), revents: 0)
                let patience: Int32 = isStuck.load(ordering: .acquiring) ? 0 : 1000
                if poll(&watched, 1, patience) == 0 { return false }
            }
            let count = part.withUnsafeBytes { write(stream.rawValue, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN {
                var watched = pollfd(fd: stream.rawValue, events: Int16(POLLOUT), revents: 0)
                _ = poll(&watched, 1, 1000)
                continue
            }
            // A closed stream has nobody to miss anything.
            guard count > 0 else { return true }
            bytes = bytes.dropFirst(count)
        }
        return true
    }

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
