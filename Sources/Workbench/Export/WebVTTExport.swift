// SPDX-License-Identifier: Apache-2.0

/// WebVTT for a text track of kind metadata: https://www.w3.org/TR/webvtt1/.
///
/// A cue for each frame that lasts until the next one, or as long as a frame does; its text is the record's line, in which
/// `-->`, which would be a cue's timing, is written `--\u003e`. A line of JSON is never empty and has no other line ends.
struct WebVTTExport: ExportWriter {
    private let file: ExportFile
    private let seconds: Double
    /// Waits for the next one's time.
    private var last: (start: Int, text: [UInt8])?

    init(_ summary: RecordSummary, at path: String) throws(ExportFault) {
        file = try ExportFile(path)
        seconds = 1 / (summary.start.rate ?? 25)
        try file.write("WEBVTT\n")
    }

    mutating func add(_ frame: RecordFrame) throws {
        let start = max(0, Int((frame.time * 1000).rounded()))
        try write(until: start)
        last = (start, Self.cue(frame.text))
    }

    mutating func finish() throws {
        try write(until: nil)
        try file.close()
    }

    private func write(until next: Int?) throws {
        guard let last else { return }
        let own = last.start + max(1, Int((seconds * 1000).rounded(.up)))
        let end = max(last.start + 1, min(next ?? own, own))
        try file.write("\n\(Self.time(last.start)) --> \(Self.time(end))\n")
        try file.write(last.text)
        try file.write("\n")
    }

    /// `-->` only stands within a string of JSON, where `>` may be escaped.
    private static func cue(_ text: [UInt8]) -> [UInt8] {
        var cue: [UInt8] = []
        for byte in text {
            if byte == UInt8(ascii: ">"), cue.suffix(2).elementsEqual("--".utf8) {
                cue += "\\u003e".utf8
            } else if byte != 13 {
                // A carriage return between values is space; in WebVTT it would end a line.
                cue.append(byte)
            }
        }
        return cue
    }

    /// `hours:minutes:seconds.milliseconds`.
    static func time(_ milliseconds: Int) -> String {
        func digits(_ value: Int, _ count: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        let seconds = milliseconds / 1000
        return "\(digits(seconds / 3600, 2)):\(digits(seconds / 60 % 60, 2)):\(digits(seconds % 60, 2))."
            + digits(milliseconds % 1000, 3)
    }
}
