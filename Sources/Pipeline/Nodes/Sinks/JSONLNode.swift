// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Basics
internal import Dataflow
internal import Media
internal import PipelineLanguage

/// `jsonl`: one JSON object per frame.
final class JSONLNode: Node, NodeType, ReportingNode, ReopeningNode {
    static let path = Param.path(
        "path", role: .output,
        doc: "File to write; its name may hold the date (found-%Y%m%d.jsonl); - is standard output")
    static let skipEmpty = Param.boolean(
        "skipEmpty", default: false, doc: "Leave out frames in which nothing was found")
    static let header = Param.boolean(
        "header", default: true,
        doc:
            "Begin with a line that says what the others are about: source, size, frame rate, nodes, files and their hashes"
    )
    static let masks = Param.boolean(
        "masks", default: false,
        doc:
            "Write the labels of segmentations, too, as runs of label and cells; without it only the area of each class"
    )

    private static let own: [any ParamDeclaration] = [path, header, skipEmpty, masks]

    static let contract = Contract(
        "jsonl", .sink, summary: "Writes what was found, one JSON object per frame",
        details:
            "Coordinates are pixels of the source frame, origin top left; times are seconds. Lines are appended whole: "
            + "a reader never sees half an object but the last one of a killed process, which the next run takes off. A "
            + "file that is moved away or cut off by logrotate, with or without `copytruncate`, is gone on with under its "
            + "name; SIGHUP does so at once. A date in the name begins a new file when it changes. A segmentation's `mask` "
            + "has `size` (columns, rows), `box` (where they lie), `names` and `runs`: label, cells, label, cells, row by row.",
        inputs: [InputPort(needs: .any)],
        parameters: own + OutputParams.existing + [OutputParams.timeZone] + SegmentParams.all + OutputParams.retention,
        discloses: { _ in .tensors },
        examples: [
            .init("Faces", #"{ "type": "jsonl", "input": "faces", "path": "faces.jsonl" }"#),
            .init(
                "A file a day, for a month",
                #"{ "type": "jsonl", "input": "faces", "path": "found-%Y%m%d.jsonl", "keepFor": "31d" }"#),
        ],
        check: { OutputParams.problems($0, name: path) + SegmentParams.problems($0) })

    private let file: LineFile
    private let header: RecordHeader?
    /// The kinds of result that several nodes find.
    private let shared: Set<String>
    private let isLive: Bool
    private var accepted = 0
    private var lost = 0
    private var source: UInt16 = 0
    private let skipsEmpty: Bool
    private var record: JSONWriter

    static func make(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode {
        let settings = node.settings
        let file = try LineFile(OutputParams.lines(settings[path], settings, in: context, flushesAlways: node.isLive))
        let header = RecordHeader(node, in: context)
        return .node(
            JSONLNode(
                file, header, hasHeader: settings[Self.header], skipsEmpty: settings[skipEmpty],
                writesMasks: settings[masks], isLive: node.isLive))
    }

    private init(
        _ file: LineFile, _ header: RecordHeader, hasHeader: Bool, skipsEmpty: Bool, writesMasks: Bool, isLive: Bool
    ) {
        self.isLive = isLive
        self.file = file
        self.header = hasHeader ? header : nil
        shared = header.shared
        record = JSONWriter(isDetailed: writesMasks)
        self.skipsEmpty = skipsEmpty
    }

    func process(_ item: Item, to output: Output) throws -> Disposition {
        let frame = item.frame
        let taken = WallTime.of(instant: frame.ticket.capturedAt, present: output.now)
        record.removeAll()
        let found = FrameRecord.write(
            frame, taken: isLive ? taken : nil, shared: shared, to: &record)
        if found || !skipsEmpty {
            do {
                try file.prepare(at: frame.pts.seconds, taken: taken)
            } catch {
                settle(output)
                throw error
            }
            if file.isFresh, let header {
                var line = JSONWriter()
                header.write(before: frame, at: taken, to: &line)
                line.withBytes { file.begin(with: $0) }
            }
            record.newline()
            source = item.ticket.source
            do {
                try record.withBytes { try file.write($0) }
                accepted += 1
            } catch {
                // This frame's own line is among them, and its fate is the node's failure.
                settle(output, but: 1)
                throw error
            }
        }
        return .done
    }

    func drain(to output: Output) throws -> Bool {
        do {
            try file.close()
            settle(output)
        } catch {
            settle(output)
            throw error
        }
        return true
    }

    /// Puts frames whose lines could not be stored right in the books.
    private func settle(_ output: Output, but own: Int = 0) {
        let lost = file.takeLosses()
        self.lost += lost
        output.retract(min(lost - own, accepted), of: source, cause: .diskFull)
    }

    func stop() { file.abandon() }

    func reopenFiles() { file.reopen() }

    var notes: [String] {
        let files = file.files > 1 ? " in \(file.files) files" : ""
        return ["\(file.path): \(file.lines) lines\(files)"]
            + (lost > 0 ? ["\(lost) lines are not on disk: they could not be written"] : []) + file.warnings
    }
}
