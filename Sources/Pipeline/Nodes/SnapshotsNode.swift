// SPDX-License-Identifier: Apache-2.0
internal import Dataflow
internal import Glibc
internal import Media

/// `snapshots`: stores frames as images.
final class SnapshotsNode: Node, NodeType, ReportingNode {
    /// How an image is stored.
    enum Format: String, CaseIterable, Sendable { case png, jpg }

    static let folder = Param.path(
        "path", synonyms: ["folder", "directory"], doc: "Folder the images go to; made if missing")
    static let format = Param.choice(
        "format", default: Format.jpg, docs: ["png": "lossless", "jpg": "small"], doc: "How images are stored")
    static let every = Param.duration(
        "every", default: .seconds(1), seconds: 0...86_400, doc: "Stream time between images; 0 stores each frame")
    static let quality = Param.integer("quality", default: 90, range: 1...100, doc: "JPEG quality, higher is better")
    static let onlyWithResults = Param.boolean(
        "onlyWithResults", default: false, doc: "Store only frames in which something was found")
    static let overwrite = Param.boolean("overwrite", default: false, doc: "Replace images that exist")

    static let contract = Contract(
        "snapshots", .sink, summary: "Stores frames as PNG or JPEG images",
        details: "Images are named by source and frame number, camera-000042.jpg, and appear whole.",
        parameters: [folder, format, every, quality, onlyWithResults, overwrite],
        examples: [
            .init("One a minute", #"{ "type": "snapshots", "input": "overlay", "path": "shots", "every": "60s" }"#)
        ])

    private let folder: String
    private let format: Format
    private let interval: Double
    private let quality: Int
    private let onlyWithResults: Bool
    private let overwrites: Bool
    private let writer = ImageWriter()
    private var next = -Double.infinity
    private var stored = 0

    static func make(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode {
        let settings = node.settings
        let path = settings[folder]
        guard mkdir(path, 0o755) == 0 || errno == EEXIST else {
            throw OutputError("\(path): cannot make the folder: \(String(cString: strerror(errno)))")
        }
        return .node(
            SnapshotsNode(
                settings, folder: path, overwrites: settings[overwrite] || context.options.overwrites))
    }

    private init(_ settings: Settings, folder: String, overwrites: Bool) {
        self.folder = folder
        self.overwrites = overwrites
        format = settings[Self.format]
        interval = settings[Self.every].inSeconds
        quality = settings[Self.quality]
        onlyWithResults = settings[Self.onlyWithResults]
    }

    func process(_ item: Item, to output: Output) throws -> Disposition {
        let frame = item.frame
        let time = frame.pts.seconds
        guard time >= next, !onlyWithResults || frame.results.hasFindings else { return .done }
        let number = String(frame.ticket.sequence)
        let padded = String(repeating: "0", count: max(0, 6 - number.count)) + number
        let path = "\(folder)/\(frame.stream.source)-\(padded).\(format.rawValue)"
        try writer.write(frame.picture, to: path, quality: quality, overwrites: overwrites)
        stored += 1
        next = time + interval
        return .done
    }

    var notes: [String] { ["\(folder): \(stored) images"] }
}

extension Results {
    /// Whether any node found anything.
    var hasFindings: Bool {
        var found = false
        forEach { entry in
            switch entry.result {
            case .lines(let lines): found = found || !lines.isEmpty
            case .faces(let faces): found = found || !faces.isEmpty
            case .objects(let objects): found = found || !objects.isEmpty
            case .tensors: break
            }
        }
        return found
    }
}
