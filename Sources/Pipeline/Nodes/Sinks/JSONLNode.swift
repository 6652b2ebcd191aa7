// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Dataflow
internal import Media
internal import PipelineLanguage

/// `jsonl`: one JSON object per frame.
final class JSONLNode: Node, NodeType, ReportingNode {
    static let path = Param.path("path", role: .output, doc: "File to write; - is standard output")
    static let overwrite = Param.boolean("overwrite", default: false, doc: "Replace the file if it exists")
    static let skipEmpty = Param.boolean(
        "skipEmpty", default: false, doc: "Leave out frames in which nothing was found")
    static let masks = Param.boolean(
        "masks", default: false,
        doc:
            "Write the labels of segmentations, too, as runs of label and cells; without it only the area of each class"
    )

    static let contract = Contract(
        "jsonl", .sink, summary: "Writes what was found, one JSON object per frame",
        details: "Coordinates are pixels of the source frame, origin top left; times are seconds. Lines are complete "
            + "at any moment: a reader never sees half an object but the last one of a killed process. A segmentation's `mask` "
            + "has `size` (columns, rows), `box` (where they lie), `names` and `runs`: label, cells, label, cells, row by row.",
        inputs: [InputPort(needs: .any)], parameters: [path, overwrite, skipEmpty, masks],
        examples: [.init("Faces", #"{ "type": "jsonl", "input": "faces", "path": "faces.jsonl" }"#)])

    private let file: LineFile
    private let skipsEmpty: Bool
    private var record: JSONWriter
    private var lines: UInt64 = 0

    static func make(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode {
        let settings = node.settings
        let file = try LineFile(
            settings[path], overwrites: settings[overwrite] || context.options.overwrites, flushesAlways: node.isLive)
        return .node(JSONLNode(file, skipsEmpty: settings[skipEmpty], writesMasks: settings[masks]))
    }

    init(_ file: LineFile, skipsEmpty: Bool, writesMasks: Bool = false) {
        self.file = file
        record = JSONWriter(isDetailed: writesMasks)
        self.skipsEmpty = skipsEmpty
    }

    func process(_ item: Item, to output: Output) throws -> Disposition {
        record.removeAll()
        let found = FrameRecord.write(item.frame, to: &record)
        if found || !skipsEmpty {
            record.newline()
            try record.withBytes { try file.write($0) }
            lines += 1
        }
        return .done
    }

    func drain(to output: Output) throws -> Bool {
        try file.close()
        return true
    }

    func stop() { file.abandon() }

    var notes: [String] { ["\(file.path): \(lines) lines"] }
}
