// SPDX-License-Identifier: Apache-2.0
internal import Basics
package import Dataflow
package import Media
package import PipelineLanguage

/// `file`: encodes frames into a video file that plays whatever happens to the process.
package final class FileNode: Node, NodeType, ReportingNode {
    /// Which of the source's audio goes into the file.
    package enum Audio: String, CaseIterable, Sendable { case copy, none }

    /// Fast enough to leave the cores to the networks.
    package static let presetDefault = "veryfast"

    package static let path = Param.path("path", role: .output, doc: "File to write; the ending names the container")
    private static let copied = ParamKind.Choice(
        "copy", "the source's own packets, untouched: no quality lost, no encoder run")
    package static let codec = Param.choice(
        "codec", of: VideoCodec.allCases.map { .init($0.rawValue, "") } + [copied],
        doc: "Video codec; the container's usual one when absent"
    ).optional
    package static let quality = Param.integer(
        "quality", range: 0...63, synonyms: ["crf"],
        doc: "Constant quality on the codec's own scale, lower is better (H.264: 23 by default)"
    ).optional
    package static let bitRate = Param.bitrate("bitRate", doc: "Mean bits per second, instead of a quality").optional
    package static let preset = Param.choice(
        "preset", of: VideoCodec.presets.map { .init($0, "") }, default: presetDefault,
        doc: "Encoder speed: slower makes smaller files")
    package static let keyframes = Param.integer(
        "keyframeInterval", range: 1...100_000, unit: "frames", doc: "Frames between keyframes at most"
    ).optional
    package static let threads = Param.integer(
        "threads", default: 0, range: 0...64,
        doc: "Encoder threads; 0 chooses so that encoding does not fight inference for cores")
    package static let audio = Param.choice(
        "audio", default: Audio.copy, docs: ["copy": "carry the source's audio over, in sync", "none": "video only"],
        doc: "What happens to the source's audio")
    package static let overwrite = Param.boolean(
        "overwrite", default: false, doc: "Replace the file if it exists, once the new one plays")

    package static let contract = Contract(
        "file", .sink, summary: "Encodes into a video file that always plays",
        details: "Written in fragments under its own name, so that what is on disk plays after a crash or a power cut; "
            + "an mp4 or mov is finished as an ordinary fast-start file. A full disk ends this node, not the file.\n\n"
            + "With `\"codec\": \"copy\"` the file holds the video as a `video` source reads it, beside nodes that find something in "
            + "it. Where frames are dropped on the way, their packets are left out; what follows must begin with a keyframe, "
            + "else the node ends with an error and what was written plays.",
        parameters: [path, codec, quality, bitRate, preset, keyframes, threads, audio, overwrite],
        examples: [
            .init("H.264 in mp4", #"{ "type": "file", "input": "overlay", "path": "out.mp4", "overwrite": true }"#),
            .init("The video as it is", #"{ "type": "file", "input": "video", "path": "clean.mkv", "codec": "copy" }"#),
        ], check: problems)

    private let writer: VideoWriter
    private var written: WriterStatistics?
    private var isEmpty = false

    package static func make(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode {
        let given = node.settings
        var settings = WriterSettings()
        let copied = given[codec] == copied.value ? try packets(for: node, in: context) : nil
        settings.codec = given[codec].flatMap { VideoCodec(rawValue: $0) }
        settings.quality = given[quality]
        settings.bitRate = given[bitRate]
        settings.preset = given[preset]
        settings.keyframeInterval = given[keyframes]
        settings.threads = given[threads] == 0 ? usualThreads(settings, given[path], context) : given[threads]
        settings.overwrites = given[overwrite] || context.options.overwrites
        settings.hasLowLatency = node.isLive
        let source = context.source(of: node)
        if let rate = (source as? any MeasuredSource)?.frameRate { settings.frameRate = rate }
        let tap = given[audio] == .copy ? try (source as? any AudioSource)?.makeAudioTap() : nil
        return .node(FileNode(try VideoWriter(given[path], settings: settings, audio: tap, copying: copied)))
    }

    /// The packets of the pictures that reach `node`.
    ///
    /// - Throws: a sentence where the pictures are not those of a file or stream that is read here.
    private static func packets(for node: ValidatedNode, in context: BuildContext) throws -> VideoTap {
        var inputs = node.inputs
        while let input = inputs.first, let before = context.pipeline[input.from], before.contract.category != .source {
            guard before.contract.category == .inference, before.contract.outputs.contains(where: { !$0.adds.isEmpty })
            else {
                throw OutputError(
                    "\"codec\": \"copy\" stores the source's own packets, but \"\(before.id)\" (\(before.type)) changes or "
                        + "chooses frames on the way; take \"input\" from the source, or name a codec")
            }
            inputs = before.inputs
        }
        guard let source = context.source(of: node) as? any PacketSource else {
            throw OutputError(
                "\"codec\": \"copy\" needs a source with packets to copy: a \"video\" that is a file or a recording; name a "
                    + "codec instead")
        }
        return try source.makeVideoTap()
    }

    /// What packets that are copied have no use for.
    @Sendable private static func problems(_ settings: Settings) -> [SettingsProblem] {
        guard settings[codec] == copied.value else { return [] }
        let given = [
            ("quality", settings[quality] != nil), ("bitRate", settings[bitRate] != nil),
            ("keyframeInterval", settings[keyframes] != nil),
        ]
        return given.filter(\.1).map {
            SettingsProblem(
                parameter: $0.0, message: "is the encoder's, and \"codec\": \"copy\" runs none",
                fix: "leave it out, or name a codec")
        }
    }

    /// ``threadsBesideNetworks(cores:)`` for an encoder that is light beside the networks of the pipeline, the encoder's own
    /// choice (0) else.
    private static func usualThreads(_ settings: WriterSettings, _ path: String, _ context: BuildContext) -> Int {
        let hasNetworks = context.pipeline.nodes.contains { $0.contract.category == .inference }
        let codec = settings.codec ?? (try? Container(path: path))?.defaultCodec
        let presets = VideoCodec.presets
        let place = settings.preset.flatMap { presets.firstIndex(of: $0) } ?? presets.count
        let isLight = codec == .h264 && place <= presets.firstIndex(of: presetDefault) ?? 0
        return hasNetworks && isLight ? threadsBesideNetworks(cores: context.options.cores) : 0
    }

    /// Half of the cores, but two where there are as many: a network in 8 bits costs less than the encoder, and one thread of
    /// it would then bind the whole pipeline.
    ///
    /// x264 works on as many pictures at once as it has threads, each 20 MB at 720p, and would choose half as many again.
    package static func threadsBesideNetworks(cores: Int) -> Int { max(min(cores, 2), cores / 2) }

    package init(_ writer: VideoWriter) { self.writer = writer }

    package func process(_ item: Item, to output: Output) throws -> Disposition {
        let frame = item.frame
        if writer.isCopy {
            try writer.copy(
                frame.picture, sequence: frame.ticket.sequence, pts: frame.pts, duration: frame.duration)
        } else {
            try writer.write(frame.picture, pts: frame.pts, duration: frame.duration)
        }
        return .done
    }

    package func drain(to output: Output) throws -> Bool {
        do {
            written = try writer.finish()
        } catch {
            // A `where` in its place crashes Swift 6.0's compiler.
            guard error.code == .noPicture else { throw error }
            // Whoever is to blame, a source that failed or a filter that let nothing through, reports it.
            isEmpty = true
        }
        return true
    }

    package var notes: [String] {
        if isEmpty { return ["\(writer.path): no picture came, so no file was made"] }
        let seen = written ?? writer.statistics
        let size =
            seen.videoBytes < 1_000_000
            ? "\(seen.videoBytes / 1000) kB" : "\(seen.videoBytes / 100_000 / 10).\(seen.videoBytes / 100_000 % 10) MB"
        var notes = [
            "\(writer.path): \(seen.packets) frames of \(seen.encoder) in \(writer.container.rawValue), \(size)"
        ]
        if seen.gaps > 0 {
            notes.append(
                "packets left out \(NumberText.times(seen.gaps)), up to a keyframe: frames were dropped on the way")
        }
        if seen.rescaled > 0 { notes.append("\(seen.rescaled) pictures scaled to the size of the first") }
        return notes + seen.warnings
    }
}
