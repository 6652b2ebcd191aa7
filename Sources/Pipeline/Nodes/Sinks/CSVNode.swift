// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Basics
internal import Dataflow
internal import Media
internal import PipelineLanguage

/// `csv`: a table of what was found.
final class CSVNode: Node, NodeType, ReportingNode, ReopeningNode {
    /// What the rows are.
    enum Rows: String, CaseIterable, Sendable { case boxes, passages, events }

    static let path = Param.path("path", role: .output, doc: "File to write; - is standard output")
    static let rows = Param.choice(
        "rows", default: Rows.boxes,
        docs: [
            "boxes": "a row for every face, object and track of every frame",
            "passages": "a row for everybody who crosses a line or the border of an area",
            "events": "a row for every event, at its end",
        ], doc: "What the rows are")

    static let contract = Contract(
        "csv", .sink, summary: "Writes what was found as a table for spreadsheets",
        details:
            "The first line names the columns. Coordinates are pixels of the source frame, times seconds of the stream, and of "
            + "events the wall clock. Texts are quoted as RFC 4180 has it. Rows are appended whole, as `jsonl` appends lines.",
        inputs: [InputPort(needs: .any)],
        parameters: [path, rows] + OutputParams.existing + [OutputParams.timeZone] + SegmentParams.all
            + OutputParams.retention,
        discloses: { _ in [] },
        examples: [
            .init("Who came and went", #"{ "type": "csv", "input": "zones", "path": "door.csv", "rows": "passages" }"#)
        ],
        check: { OutputParams.problems($0, name: path) + SegmentParams.problems($0) })

    private let file: LineFile
    private let content: Rows
    private var text: [UInt8] = []
    /// Rows of the frame at hand.
    private var rows = 0
    /// Whether they have been handed over.
    private var hasTaken = false
    /// Rows of the frames that may not be on disk yet, oldest first.
    private var unsettled: [Int] = []
    private var lost = 0
    private var source: UInt16 = 0

    static func make(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode {
        let settings = node.settings
        var lines = try OutputParams.lines(settings[path], settings, in: context, flushesAlways: node.isLive)
        lines.isTable = true
        return .node(CSVNode(try LineFile(lines), settings[rows]))
    }

    init(_ file: LineFile, _ rows: Rows) {
        self.file = file
        content = rows
        file.head = Array(head.utf8)
    }

    /// The names of the columns.
    private var head: String {
        switch content {
        case .boxes: "source,frame,pts,kind,id,class,score,x,y,width,height,age\n"
        case .passages: "source,frame,pts,zone,direction,track,class\n"
        case .events: "source,id,rule,start,end,startPts,endPts,zone,direction,most\n"
        }
    }

    func process(_ item: Item, to output: Output) throws -> Disposition {
        settle(output)
        source = item.ticket.source
        do {
            try write(item.frame, taken: WallTime.of(instant: item.ticket.capturedAt, present: output.now))
        } catch {
            // This frame's own rows are among them, and its fate is the node's failure.
            settle(output, butNewest: hasTaken)
            throw error
        }
        return .done
    }

    /// Puts frames whose rows could not be stored right in the books: those that were taken last.
    private func settle(_ output: Output, butNewest: Bool = false) {
        var rows = file.takeLosses()
        lost += rows
        var frames = 0
        if butNewest { rows -= unsettled.popLast() ?? 0 }
        while rows > 0, let some = unsettled.popLast() {
            rows -= some
            frames += 1
        }
        if file.isFlushed { unsettled.removeAll(keepingCapacity: true) }
        output.retract(frames, of: source, cause: .diskFull)
    }

    /// Writes the rows of a frame.
    ///
    /// - Parameter taken: its instant of capture.
    func write(_ frame: Frame, taken: WallTime) throws {
        (rows, hasTaken) = (0, false)
        text.removeAll(keepingCapacity: true)
        try file.prepare(at: frame.pts.seconds, taken: taken)
        frame.annotations.forEach { entry in
            switch content {
            case .boxes: writeBoxes(entry, frame)
            case .passages: for zone in entry.list.items(Zone.self) ?? [] { write(zone, frame) }
            case .events: for event in entry.list.items(Event.self) ?? [] where event.phase == .end { write(event) }
            }
        }
        guard !text.isEmpty else { return }
        unsettled.append(rows)
        hasTaken = true
        try text.withUnsafeBytes { try file.write($0) }
    }

    func drain(to output: Output) throws -> Bool {
        do {
            try finish()
            settle(output)
        } catch {
            settle(output)
            throw error
        }
        return true
    }

    /// Writes what is left, at least the names of the columns.
    func finish() throws { try file.close() }

    func stop() { file.abandon() }

    func reopenFiles() { file.reopen() }

    var notes: [String] {
        ["\(file.path): \(file.lines) rows"]
            + (lost > 0 ? ["\(lost) rows are not on disk: they could not be written"] : []) + file.warnings
    }

    private func writeBoxes(_ entry: FrameAnnotations.Entry, _ frame: Frame) {
        func row(_ box: Box, _ score: Float, _ name: String, id: Int?) {
            begin(frame)
            field(entry.list.kind.name)
            field(id.map { String($0) } ?? "")
            field(name)
            number(Double(score), 4)
            for value in [box.x, box.y, box.width, box.height] { number(Double(value), 2) }
            if let age = entry.age { number(age, 6) } else { field("") }
            end()
        }
        if let tracks = entry.list.items(Track.self) {
            for track in tracks { row(track.box, track.score, track.name, id: track.id) }
        } else {
            entry.list.forEachBox { row($0, $1, $2, id: nil) }
        }
    }

    private func write(_ zone: Zone, _ frame: Frame) {
        for passage in zone.passages {
            field(frame.stream.source, isFirst: true)
            field(String(frame.ticket.sequence))
            number(passage.time, 3)
            field(zone.name)
            field(passage.direction.rawValue)
            field(String(passage.track))
            field(passage.name)
            end()
        }
    }

    private func write(_ event: Event) {
        field(event.source, isFirst: true)
        field(event.id)
        field(event.rule)
        field(event.start.wall.rfc3339)
        field(event.end?.wall.rfc3339 ?? "")
        number(event.start.pts, 3)
        if let end = event.end { number(end.pts, 3) } else { field("") }
        field(event.zone ?? "")
        field(event.direction?.rawValue ?? "")
        field(String(event.most))
        end()
    }

    private func begin(_ frame: Frame) {
        field(frame.stream.source, isFirst: true)
        field(String(frame.ticket.sequence))
        number(frame.pts.seconds, 6)
    }

    private func end() {
        text.append(0x0A)
        rows += 1
    }

    private func number(_ value: Double, _ decimals: Int) {
        guard value.isFinite, abs(value) < 1e9 else { return field("") }
        field(NumberText.decimal(value, places: decimals))
    }

    /// A field, quoted where it must be.
    private func field(_ value: String, isFirst: Bool = false) {
        if !isFirst { text.append(0x2C) }
        // A comma, a quote, or an end of line.
        guard value.utf8.contains(where: { $0 == 0x2C || $0 == 0x22 || $0 == 0x0A || $0 == 0x0D }) else {
            text.append(contentsOf: value.utf8)
            return
        }
        text.append(0x22)
        for byte in value.utf8 {
            if byte == 0x22 { text.append(0x22) }
            text.append(byte)
        }
        text.append(0x22)
    }
}
