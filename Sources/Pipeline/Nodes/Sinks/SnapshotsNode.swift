// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Dataflow
internal import Media
internal import PipelineLanguage

/// `snapshots`: stores frames as images.
final class SnapshotsNode: Node, NodeType, ReportingNode {
    /// What an image shows.
    enum Content: String, CaseIterable, Sendable { case picture, mask }

    /// How an image is stored.
    enum Format: String, CaseIterable, Sendable { case png, jpg }

    static let folder = Param.path(
        "path", role: .output, synonyms: ["folder", "directory"], doc: "Folder the images go to; made if missing")
    static let format = Param.choice(
        "format", default: Format.jpg, docs: ["png": "lossless", "jpg": "small"], doc: "How images are stored")
    static let content = Param.choice(
        "content", default: Content.picture,
        docs: [
            "picture": "the frame",
            "mask": "a PNG of the picture's size whose palette indices are the labels of a segmentation",
        ], doc: "What is stored; a mask is always a PNG, and frames without a segmentation are passed over")
    static let every = Param.duration(
        "every", default: .seconds(1), seconds: 0...86_400, doc: "Stream time between images; 0 stores each frame")
    static let quality = Param.integer("quality", default: 90, range: 1...100, doc: "JPEG quality, higher is better")
    static let onlyWithResults = Param.boolean(
        "onlyWithResults", default: false, doc: "Store only frames in which something was found")
    static let overwrite = Param.boolean("overwrite", default: false, doc: "Replace images that exist")

    static let contract = Contract(
        "snapshots", .sink, summary: "Stores frames as PNG or JPEG images",
        details: "Images are named by source and frame number, camera-000042.jpg, and appear whole.",
        parameters: [folder, content, format, every, quality, onlyWithResults, overwrite],
        examples: [
            .init("One a minute", #"{ "type": "snapshots", "input": "overlay", "path": "shots", "every": "60s" }"#),
            .init(
                "The mask of every frame",
                #"{ "type": "snapshots", "input": "road", "path": "masks", "content": "mask", "every": 0 }"#),
        ])

    private let folder: String
    private let content: Content
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
        try OutputFolder.make(path)
        return .node(
            SnapshotsNode(
                settings, folder: path, overwrites: settings[overwrite] || context.options.overwrites))
    }

    private init(_ settings: Settings, folder: String, overwrites: Bool) {
        self.folder = folder
        self.overwrites = overwrites
        content = settings[Self.content]
        format = content == .mask ? .png : settings[Self.format]
        interval = settings[Self.every].inSeconds
        quality = settings[Self.quality]
        onlyWithResults = settings[Self.onlyWithResults]
    }

    func process(_ item: Item, to output: Output) throws -> Disposition {
        let frame = item.frame
        let time = frame.pts.seconds
        guard time >= next, !onlyWithResults || frame.annotations.hasFindings else { return .done }
        let number = String(frame.ticket.sequence)
        let padded = String(repeating: "0", count: max(0, 6 - number.count)) + number
        let path = "\(folder)/\(frame.stream.source)-\(padded).\(format.rawValue)"
        switch content {
        case .picture: try writer.write(frame.picture, to: path, quality: quality, overwrites: overwrites)
        case .mask:
            guard let mask = Self.mask(of: frame) else { return .done }
            try mask.write(to: path, overwrites: overwrites)
        }
        stored += 1
        next = time + interval
        return .done
    }

    /// The newest class map laid over the frame's picture; what it does not cover is black, one past the last label.
    static func mask(of frame: Frame) -> IndexedImage? {
        guard let map = frame.annotations.newest(ClassMap.self)?.item else { return nil }
        let (width, height) = (frame.picture.width, frame.picture.height)
        let here = map.moved(to: frame.map.inverse(map.region))
        return IndexedImage(
            width: width, height: height,
            indices: here.expanded(width: width, height: height, other: UInt8(map.classes.count)),
            palette: map.classes.members.map(\.color) + [.black])
    }

    var notes: [String] { ["\(folder): \(stored) images"] }
}
