// SPDX-License-Identifier: Apache-2.0
internal import Basics
package import Dataflow
internal import Media
package import PipelineLanguage

/// `file`: encodes frames into a video file that plays whatever happens to the process.
package final class FileNode: Node, NodeType, ReportingNode {
    /// Which of the source's audio goes into the file.
    package enum Audio: String, CaseIterable, Sendable { case copy, none }

    /// Fast enough to leave the cores to the networks.
    package static let presetDefault = "veryfast"

    package static let path = Param.path(
        "path", role: .output,
        doc:
            "File to write, or - for standard output; the ending names the container, and the name may hold the date (door-%Y%m%d-%H%M%S.mp4)"
    )
    package static let container = Param.choice(
        "container", of: Container.allCases.map { .init($0.rawValue, "") },
        doc: "Container, where the ending does not name it; mkv on standard output"
    ).optional
    static let copied = ParamKind.Choice(
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
    package static let index = Param.path(
        "index", role: .output, doc: "File that lists the recordings there are, one JSON object a line"
    ).optional

    private static let encoding: [any ParamDeclaration] = [
        path, container, codec, quality, bitRate, preset, keyframes, threads, audio,
    ]

    package static let contract = Contract(
        "file", knownElsewhereAs: ["save", "record", "writer", "filesink", "output"], .sink,
        summary: "Encodes into a video file, or many, that always play",
        details: "Written in fragments under its own name, so that what is on disk plays after a crash or a power cut; "
            + "an mp4 or mov is finished as an ordinary fast-start file. A full disk ends this node, not the file; with one "
            + "of the keep rules it makes room and goes on.\n\n"
            + "`segment`, `segmentBytes` and `onTheClock` begin new files, each with a keyframe of its own, without losing "
            + "or doubling a frame; a name without a date is numbered. `index` lists them: `from` is where a file's zero "
            + "lies on the stream's clock. The keep rules delete the oldest files whose names the path can give, never one "
            + "that is being written.\n\n"
            + "With `\"codec\": \"copy\"` the file holds the video as a `video` source reads it, beside nodes that find something in "
            + "it. Where frames are dropped on the way, their packets are left out; what follows must begin with a keyframe, "
            + "else the node ends with an error and what was written plays. New files then begin at the source's own keyframes.",
        parameters: encoding + OutputParams.existing + [OutputParams.timeZone] + SegmentParams.all
            + OutputParams.retention + [index],
        discloses: { settings in
            var given: Disclosure = settings[codec] == copied.value ? [.pictures, .packets] : .pictures
            if settings[audio] == .copy { given.insert(.sound) }
            return given
        },
        examples: [
            .init("H.264 in mp4", #"{ "type": "file", "input": "overlay", "path": "out.mp4", "ifExists": "replace" }"#),
            .init("The video as it is", #"{ "type": "file", "input": "video", "path": "clean.mkv", "codec": "copy" }"#),
            .init(
                "A file for each full hour, for a month",
                #"""
                { "type": "file", "input": "overlay", "path": "rec/%Y-%m-%d/door-%H%M%S.mp4", "segment": "1h",
                  "onTheClock": true, "keepFor": "31d", "keepFree": "5G", "index": "rec/index.jsonl" }
                """#),
        ],
        check: { settings in
            OutputParams.problems(settings, name: path) + SegmentParams.problems(settings) + problems(settings)
                + copyProblems(settings)
        })

    /// What is known of path, container and codec without opening anything.
    private static func problems(_ settings: Settings) -> [SettingsProblem] {
        var problems: [SettingsProblem] = []
        if settings[path] == "-", settings[SegmentParams.segment] != nil || settings[SegmentParams.segmentBytes] != nil
        {
            problems.append(
                SettingsProblem(
                    parameter: "path", message: "is standard output, which is one stream, not many files",
                    fix: "give a file name, or leave out \"segment\""))
        }
        let container = settings[container].flatMap { Container(rawValue: $0) } ?? (settings[path] == "-" ? .mkv : nil)
        return problems
            + formatProblems(
                path: settings[path], container: container, codec: settings[codec], quality: settings[quality],
                fix: "end the name so, or say \"container\"")
    }

    /// What is wrong with a container, a codec and its quality together; `container` is that of the path's ending when nil.
    static func formatProblems(
        path: String, container: Container?, codec: String?, quality: Int?, fix: String = "end the name so"
    ) -> [SettingsProblem] {
        let target: Container
        do throws(MediaError) {
            if let container { target = container } else { target = try Container(path: path) }
        } catch {
            return [SettingsProblem(parameter: "path", message: error.detail, fix: fix)]
        }
        var problems: [SettingsProblem] = []
        guard let codec = codec.flatMap({ VideoCodec(rawValue: $0) }) else { return problems }
        if !target.holds(codec) {
            let fitting = VideoCodec.allCases.filter { target.holds($0) }.map(\.rawValue)
            problems.append(
                SettingsProblem(
                    parameter: "codec", message: "\(target.rawValue) cannot hold \(codec.rawValue)",
                    fix: "use \(fitting.joined(separator: ", "))"))
        }
        if let quality, codec != .ffv1, !codec.qualityRange.contains(quality) {
            let range = codec.qualityRange
            problems.append(
                SettingsProblem(
                    parameter: "quality",
                    message: "of \(codec.rawValue) must be \(range.lowerBound)...\(range.upperBound)"))
        }
        return problems
    }

    private let recorder: Recorder
    private var isEmpty = false
    private var lost = 0
    private var source: UInt16 = 0

    package static func make(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode {
        let given = node.settings
        var settings = WriterSettings()
        let copied = given[codec] == copied.value ? try packets(for: node, in: context) : nil
        settings.container = given[container].flatMap { Container(rawValue: $0) } ?? (given[path] == "-" ? .mkv : nil)
        settings.codec = given[codec].flatMap { VideoCodec(rawValue: $0) }
        settings.quality = given[quality]
        settings.bitRate = given[bitRate]
        settings.preset = given[preset]
        settings.keyframeInterval = given[keyframes]
        settings.threads = given[threads] == 0 ? usualThreads(settings, given[path], context) : given[threads]
        settings.hasLowLatency = node.isLive
        // What a kill costs, beside what is under way.
        if node.isLive { settings.fragmentSeconds = 0.5 }
        let source = context.source(of: node)
        if let rate = context.frameRate(of: node) { settings.frameRate = rate }
        let tap = given[audio] == .copy ? try (source as? any AudioSource)?.makeAudioTap() : nil
        let name = try OutputParams.pattern(given[path], given)
        settings.ifExists = OutputParams.rule(given, context, isDated: name.isDated)
        var recording = Recorder.Settings(name: name)
        recording.isDated = context.options.isDated
        recording.writer = settings
        recording.segments = SegmentParams.rules(given)
        recording.retention = OutputParams.rules(given)
        recording.index = given[index]
        recording.start = (source as? any PartialSource)?.startSeconds.map {
            MediaTime(ticks: Int64($0 * 1e6), base: Rational(1, 1_000_000))
        }
        do {
            return .node(FileNode(try Recorder(recording, audio: tap, copying: copied)))
        } catch {
            throw OutputParams.explained(error)
        }
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
        guard let source = context.source(of: node) as? any UniformPacketSource else {
            throw OutputError(
                "\"codec\": \"copy\" needs a source with packets to copy: a \"video\" that is a file or a recording; name a "
                    + "codec instead")
        }
        if (source as? any PartialSource)?.isPart == true {
            throw OutputError(
                "\"codec\": \"copy\" stores all of the source's packets, but only a part of its frames is read; name a codec, or "
                    + "leave out \"start\", \"end\" and \"every\"")
        }
        return try source.makeVideoTap()
    }

    /// What packets that are copied have no use for.
    private static func copyProblems(_ settings: Settings) -> [SettingsProblem] {
        guard settings[codec] == copied.value else { return [] }
        return uselessProblems([
            ("quality", settings[quality] != nil), ("bitRate", settings[bitRate] != nil),
            ("keyframeInterval", settings[keyframes] != nil),
        ])
    }

    /// The parameters that were given although nothing is encoded.
    static func uselessProblems(_ given: [(name: String, isGiven: Bool)]) -> [SettingsProblem] {
        given.filter(\.isGiven).map {
            SettingsProblem(
                parameter: $0.name, message: "is the encoder's, and \"codec\": \"copy\" runs none",
                fix: "leave it out, or name a codec")
        }
    }

    /// ``threadsBesideNetworks(cores:)`` for an encoder that is light beside the networks of the pipeline, the encoder's own
    /// choice (0) else.
    static func usualThreads(_ settings: WriterSettings, _ path: String, _ context: BuildContext) -> Int {
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

    package init(_ recorder: Recorder) { self.recorder = recorder }

    package func process(_ item: Item, to output: Output) throws -> Disposition {
        let frame = item.frame
        let taken = WallTime.of(instant: frame.ticket.capturedAt, present: output.now)
        source = item.ticket.source
        do throws(MediaError) {
            switch try recorder.write(
                frame.picture, sequence: frame.ticket.sequence, pts: frame.pts, duration: frame.duration, taken: taken)
            {
            case .taken: break
            case .lost:
                lost += 1
                output.drop(item.ticket, cause: .diskFull)
            }
        } catch {
            settle(output, error.code == .diskFull ? .diskFull : .failed)
            throw error
        }
        return .done
    }

    package func drain(to output: Output) throws -> Bool {
        do throws(MediaError) {
            try recorder.finish()
            settle(output, .diskFull)
        } catch {
            settle(output, error.code == .diskFull ? .diskFull : .failed)
            // A `where` in its place crashes Swift 6.0's compiler.
            guard error.code == .noPicture else { throw error }
            // Whoever is to blame, a source that failed or a filter that let nothing through, reports it.
            isEmpty = true
        }
        return true
    }

    /// Puts frames that were accepted and are not on disk right in the books.
    private func settle(_ output: Output, _ cause: DropCause) {
        output.retract(recorder.takeLosses(), of: source, cause: cause)
    }

    /// Bytes in words.
    static func size(_ bytes: Int) -> String {
        bytes < 1_000_000 ? "\(bytes / 1000) kB" : "\(bytes / 100_000 / 10).\(bytes / 100_000 % 10) MB"
    }

    package var notes: [String] {
        if isEmpty, lost == 0 { return ["\(recorder.path): no picture came, so no file was made"] }
        let seen = recorder.statistics
        let what = "\(seen.frames) frames of \(seen.encoder) in \(recorder.container), \(Self.size(seen.bytes))"
        var notes = [
            seen.files > 1
                ? "\(seen.files) files, \(seen.first) to \(seen.last): \(what)" : "\(recorder.path): \(what)"
        ]
        if seen.gaps > 0 {
            notes.append(
                "packets left out \(NumberText.times(seen.gaps)), up to a keyframe: frames were dropped on the way")
        }
        let lost = seen.lost + lost
        if lost > 0 { notes.append("\(lost) frames are not on disk: they could not be written") }
        if recorder.deleted.deleted > 0 {
            notes.append("\(recorder.deleted.deleted) older files deleted, \(recorder.deleted.bytes / 1_000_000) MB")
        }
        if seen.rescaled > 0 { notes.append("\(seen.rescaled) pictures scaled to the size of the first") }
        return notes + seen.warnings
    }
}
