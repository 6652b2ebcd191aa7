// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Basics
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
    static let name = Param.string(
        "name",
        doc:
            "Name of an image without its ending, which may hold the date (%Y%m%d-%H%M%S); its source and frame number, "
            + "or the name of the photograph it shows, when absent"
    ).optional

    private static let own: [any ParamDeclaration] = [
        folder, name, content, format, every, quality, onlyWithResults,
    ]

    static let contract = Contract(
        "snapshots", knownElsewhereAs: ["photo", "screenshot"], .sink, summary: "Stores frames as PNG or JPEG images",
        details:
            "Images are named by source and frame number, camera-000042.jpg, or by the photograph they show, and appear "
            + "whole. Those of a live source are dated with the instant of capture. The path, too, may hold the date.",
        parameters: own + OutputParams.existing + [OutputParams.timeZone] + OutputParams.retention,
        discloses: { $0[content] == .picture ? .pictures : [] },
        examples: [
            .init("One a minute", #"{ "type": "snapshots", "input": "overlay", "path": "shots", "every": "60s" }"#),
            .init(
                "The mask of every frame",
                #"{ "type": "snapshots", "input": "road", "path": "masks", "content": "mask", "every": 0 }"#),
            .init(
                "Named by the time, for a week",
                #"""
                { "type": "snapshots", "input": "overlay", "path": "shots/%Y-%m-%d", "name": "%H%M%S", "keepFor": "7d" }
                """#),
        ],
        check: { settings in
            OutputParams.problems(settings, name: folder)
                + (settings[name].map { OutputParams.problems(in: $0, parameter: "name") } ?? [])
        })

    private let folder: String
    private let content: Content
    private let format: Format
    private let interval: Double
    private let quality: Int
    private let onlyWithResults: Bool
    private let ifExists: IfExists
    private let pattern: FileNamePattern?
    private let retention: Retention
    private let isLive: Bool
    private let hasNames: Bool
    private let writer = ImageWriter()
    private var next = -Double.infinity
    private var stored = 0
    private var lastFolder = ""
    /// Names this run has given: a photograph of the same name in another folder gets a number.
    private var given: Set<String> = []

    static func make(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode {
        let settings = node.settings
        let folder = try OutputParams.pattern(settings[folder], settings)
        let today = folder.path(at: .now)
        try OutputFolder.make(today)
        try OutputFolder.checkWritable(for: today + "/image")
        return .node(
            try SnapshotsNode(settings, folder: folder, context, source: node.sources.first ?? "", isLive: node.isLive))
    }

    private init(_ settings: Settings, folder: FileNamePattern, _ context: BuildContext, source: String, isLive: Bool)
        throws
    {
        self.folder = folder.text
        self.isLive = isLive
        content = settings[Self.content]
        format = content == .mask ? .png : settings[Self.format]
        interval = settings[Self.every].inSeconds
        quality = settings[Self.quality]
        onlyWithResults = settings[Self.onlyWithResults]
        let name = settings[Self.name]
        let ending = "." + format.rawValue
        // What retention looks after: the names given, or those of the source's frames.
        let names = try name.map { try OutputParams.pattern(folder.text + "/" + $0 + ending, settings) }
        pattern = try names ?? (folder.isDated ? OutputParams.pattern(folder.text + "/", settings) : nil)
        hasNames = names != nil
        ifExists = OutputParams.rule(settings, context, isDated: pattern != nil)
        let looked =
            try names
            ?? FileNamePattern(
                numberedIn: folder.text, prefix: source + "-", ending: ending, zone: settings[OutputParams.timeZone])
        retention = Retention(looked, OutputParams.rules(settings))
        retention.sweep()
    }

    func process(_ item: Item, to output: Output) throws -> Disposition {
        let frame = item.frame
        let time = frame.pts.seconds
        guard time >= next, !onlyWithResults || frame.annotations.hasFindings else { return .done }
        let taken = WallTime.of(instant: frame.ticket.capturedAt, present: output.now)
        let mask = content == .mask ? Self.mask(of: frame) : nil
        guard content == .picture || mask != nil else { return .done }
        let path = try store(frame, mask, as: name(of: frame, taken: taken))
        if isLive { WholeFile.date(path, taken) }
        retention.add(path)
        retention.sweep()
        stored += 1
        next = time + interval
        return .done
    }

    /// Stores the image under `name`, or under the next number where that is taken and may not be replaced.
    private func store(_ frame: Frame, _ mask: IndexedImage?, as name: String) throws -> String {
        let folder = FilePath.split(name).folder
        if folder != lastFolder { try OutputFolder.make(folder) }
        lastFolder = folder
        var number = 1
        while true {
            let path = FileNamePattern.numbered(name, number)
            let replaces = ifExists == .replace && !given.contains(path)
            do throws(MediaError) {
                if let mask {
                    try mask.write(to: path, overwrites: replaces)
                } else {
                    try writer.write(frame.picture, to: path, quality: quality, overwrites: replaces)
                }
                if frame.file != nil { given.insert(path) }
                return path
            } catch {
                guard error.code == .alreadyExists, ifExists != .fail || given.contains(path) else {
                    throw OutputParams.explained(error)
                }
                number += 1
            }
        }
    }

    private func name(of frame: Frame, taken: WallTime) -> String {
        let ending = "." + format.rawValue
        if hasNames, let pattern { return pattern.path(at: taken) }
        let folder = pattern?.path(at: taken) ?? self.folder + "/"
        if let file = frame.file {
            let name = FilePath.split(file).name
            return folder + (name.lastIndex(of: ".").map { String(name[..<$0]) } ?? name) + ending
        }
        let number = String(frame.ticket.sequence)
        return folder + "\(frame.stream.source)-" + String(repeating: "0", count: max(0, 6 - number.count)) + number
            + ending
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

    var notes: [String] {
        let gone = retention.statistics
        return ["\(folder): \(stored) images"] + (gone.deleted > 0 ? ["\(gone.deleted) older images deleted"] : [])
            + (gone.failure.map { ["could not delete \($0)"] } ?? [])
    }
}
