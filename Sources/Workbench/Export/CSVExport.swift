// SPDX-License-Identifier: Apache-2.0

/// A table (RFC 4180) with a row for each box and line, as the record has them: frames, times and ids are each run's own.
///
/// A box has `x,y,width,height`, a line `x,y` and `x2,y2`; `landmarks` are `x y x y ...`.
struct CSVExport: ExportWriter {
    private let file: ExportFile

    init(_ summary: RecordSummary, at path: String) throws(ExportFault) {
        file = try ExportFile(path)
        try file.write(
            "run,source,frame,pts,file,kind,node,id,class,state,score,x,y,width,height,x2,y2,landmarks,age\n")
    }

    mutating func add(_ frame: RecordFrame) throws {
        let begin = [
            String(frame.run), frame.source, String(frame.frame), numeral(frame.pts, places: 6),
            frame.file ?? "",
        ]
        for found in frame.found {
            let landmarks = found.landmarks.map { "\(pixels($0.x)) \(pixels($0.y))" }.joined(separator: " ")
            try row(
                begin + [
                    found.kind, found.node ?? "", found.id.map { String($0 - frame.idOffset) } ?? "", found.label,
                    found.id == nil ? "" : found.isSeen ? "seen" : "lost", score(found.score), pixels(found.x),
                    pixels(found.y), pixels(found.width), pixels(found.height), "", "", landmarks, age(found.age),
                ])
        }
        for segment in frame.segments {
            try row(
                begin + [
                    segment.kind, segment.node ?? "", "", "", "", score(segment.score), pixels(segment.from.x),
                    pixels(segment.from.y), "", "", pixels(segment.to.x), pixels(segment.to.y), "", age(segment.age),
                ])
        }
    }

    mutating func finish() throws { try file.close() }

    private func score(_ value: Double?) -> String { value.map { numeral($0, places: 4) } ?? "" }

    private func age(_ value: Double?) -> String { value.map { numeral($0, places: 6) } ?? "" }

    private func row(_ fields: [String]) throws {
        let cells = fields.map { text in
            text.utf8.contains { $0 == 0x22 || $0 == 0x2C || $0 == 10 || $0 == 13 }
                ? "\"" + text.replacing("\"", with: "\"\"") + "\"" : text
        }
        try file.write(cells.joined(separator: ",") + "\n")
    }
}
