// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Pipeline

/// What stands at the end of the status line where there is room: the node that binds, and how full each edge is.
struct StatusLine {
    /// Between parts.
    private static let gap = "  "
    private static let blocks = Array("▁▂▃▄▅▆▇█")

    /// Whether a colour may be used: on a terminal, unless `NO_COLOR` says otherwise (no-color.org).
    let hasColor: Bool

    /// Asks the terminal and the environment.
    init(
        isTerminal: Bool = Console.Stream.errors.isTerminal,
        noColor: String? = Folders.variable("NO_COLOR"), term: String? = Folders.variable("TERM")
    ) {
        hasColor = isTerminal && (noColor ?? "").isEmpty && term != "dumb"
    }

    /// One bar for each edge, in the order of the graph; an empty edge has the lowest.
    static func bars(_ levels: [Double]) -> String {
        String(levels.map { blocks[min(blocks.count - 1, max(0, Int($0 * Double(blocks.count))))] })
    }

    /// `text`, and of the reading what fits into `width` columns behind it.
    func text(_ text: String, _ reading: RunMeter.Reading?, width: Int) -> String {
        guard text.count <= width else { return String(text.prefix(width)) }
        guard let reading, let binding = reading.binding else { return text }
        var line = text
        var left = width - text.count
        let word = "binds: \(binding)"
        if left >= word.count + Self.gap.count {
            line += Self.gap + (hasColor ? "\u{1B}[33m\(word)\u{1B}[0m" : word)
            left -= word.count + Self.gap.count
        }
        let bars = Self.bars(reading.edges.map(\.level))
        if left >= bars.count + Self.gap.count { line += Self.gap + bars }
        return line
    }
}
