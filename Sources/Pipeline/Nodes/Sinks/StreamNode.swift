// SPDX-License-Identifier: Apache-2.0
internal import Basics
package import Dataflow
internal import Glibc
package import Media
package import PipelineLanguage

/// `stream`: pushes frames to a server or a peer.
package final class StreamNode: Node, NodeType, ReportingNode {
    package static let url = Param.url(
        "url", role: .peer, synonyms: ["path", "uri"],
        doc: "Where to push: \(StreamTarget.expected); SRT listens with ?mode=listener")
    package static let codec = Param.choice(
        "codec", of: [.init("h264", "what every player takes"), .init("hevc", "not over RTMP")], default: "h264",
        doc: "Video codec")
    package static let bitRate = Param.bitrate(
        "bitRate", doc: "Mean bits per second, which no second exceeds by much; constant quality when absent"
    ).optional
    package static let quality = Param.integer(
        "quality", range: 0...51, synonyms: ["crf"],
        doc: "Constant quality on the codec's own scale, lower is better (H.264: 23 by default)"
    ).optional
    package static let preset = Param.choice(
        "preset", of: VideoCodec.presets.map { .init($0, "") }, default: FileNode.presetDefault,
        doc: "Encoder speed: slower makes better pictures of the same bit rate")
    package static let keyframes = Param.integer(
        "keyframeInterval", range: 1...100_000, unit: "frames",
        doc: "Frames between keyframes at most, and so how long a new viewer waits; two seconds when absent"
    ).optional
    package static let threads = Param.integer(
        "threads", default: 0, range: 0...64, doc: "Encoder threads; 0 lets the encoder choose")
    package static let audio = Param.choice(
        "audio", default: FileNode.Audio.copy,
        docs: ["copy": "carry the source's audio over where the protocol takes it", "none": "video only"],
        doc: "What happens to the source's audio")
    package static let transport = Param.choice(
        "transport", default: StreamAddress.Transport.tcp,
        docs: ["tcp": "inside the connection", "udp": "datagrams"], doc: "What carries the media of RTSP")

    package static let contract = Contract(
        "stream", knownElsewhereAs: ["rtspsink", "push", "publish"], .sink,
        summary: "Pushes live video to a server or a peer (RTSP, RTMP, SRT, HLS, MPEG-TS)",
        details:
            "Encodes without look-ahead or B-frames and never holds the pipeline up, but for the first answer of the peer, a "
            + "second at most: while the peer is away frames are dropped as disconnected, while it is slow as edgeFull, and "
            + "what waits is a second at most. A lost peer is "
            + "connected again with growing pauses; it first gets a keyframe. A file is pushed at its own pace. Keep "
            + "credentials in the environment: `rtmp://host/live/${STREAM_KEY}`. No message shows them. A playlist that "
            + "is there is a file that exists: with `append` or `number` it begins anew and its segments stay.",
        parameters: [
            url, codec, bitRate, quality, preset, keyframes, threads, audio, transport, ReconnectParams.connectTimeout,
            ReconnectParams.timeout, ReconnectParams.networkRetryMax, ReconnectParams.giveUp, SecurityParams.verify,
            SecurityParams.certificate, OutputParams.ifExists, OutputParams.overwrite,
        ],
        discloses: { $0[audio] == .copy ? [.pictures, .sound] : .pictures },
        examples: [
            .init("To a server", #"{ "type": "stream", "input": "overlay", "url": "rtsp://127.0.0.1:8554/door" }"#),
            .init("For a web server", #"{ "type": "stream", "input": "overlay", "url": "/var/www/live/door.m3u8" }"#),
        ],
        check: { settings in
            guard let target = StreamTarget(settings[url]) else {
                return [
                    SettingsProblem(
                        parameter: "url", message: "nothing can be pushed there", fix: "use \(StreamTarget.expected)")
                ]
            }
            guard let codec = VideoCodec(rawValue: settings[codec]), !target.holds(codec) else {
                return OutputParams.conflicts(settings)
            }
            return [SettingsProblem(parameter: "codec", message: "\(codec.rawValue) cannot go there", fix: "use h264")]
        })

    private let writer: StreamWriter
    /// Recorded frames come as fast as they are taken; a peer wants them at their own pace.
    private let isPacing: Bool
    private var pace: PlaybackPace?
    private var outages: OutageReporter
    private var link: StageLink?
    private var slow = 0
    private var away = 0

    package static func make(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode {
        let target = try target(node.settings)
        try target.prepare()
        return try make(node, in: context, to: target)
    }

    package static func makeTrial(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode {
        try make(node, in: context, to: target(node.settings).discarded)
    }

    private static func target(_ given: Settings) throws -> StreamTarget {
        let security = try SecurityParams.security(given)
        guard let target = StreamTarget(given[url], transport: given[transport], security: security) else {
            throw OutputError("\(redacted(given[url])): nothing can be pushed there")
        }
        return target
    }

    private static func make(
        _ node: ValidatedNode, in context: BuildContext, to target: StreamTarget
    ) throws -> BuiltNode {
        let given = node.settings
        var settings = StreamWriter.Settings()
        settings.encoding.codec = VideoCodec(rawValue: given[codec])
        settings.encoding.bitRate = given[bitRate]
        settings.encoding.maxBitRate = given[bitRate]
        settings.encoding.quality = given[quality]
        settings.encoding.preset = given[preset]
        settings.encoding.keyframeInterval = given[keyframes]
        settings.encoding.threads = given[threads]
        settings.connectSeconds = given[ReconnectParams.connectTimeout].inSeconds
        settings.silenceSeconds = given[ReconnectParams.timeout].inSeconds
        settings.longestRetryNanoseconds = ReconnectParams.nanoseconds(given[ReconnectParams.networkRetryMax])
        settings.giveUpNanoseconds = ReconnectParams.giveUpNanoseconds(given)
        // A playlist is a file like others; servers decide for themselves.
        if !target.isRemote, let path = FilePath.local(given[url]), let size = Retention.size(of: path), size > 0,
            !context.isTrial, OutputParams.rule(given, context) == .fail
        {
            throw OutputError("\(path): exists already; \(OutputParams.remedy)")
        }
        let source = context.source(of: node)
        if let rate = context.frameRate(of: node) { settings.encoding.frameRate = rate }
        let tap = given[audio] == .copy ? try (source as? any AudioSource)?.makeAudioTap() : nil
        let writer = try StreamWriter(target, settings: settings, audio: tap)
        return .node(StreamNode(writer, node.id, context.events, isPacing: target.isRemote && !node.isLive))
    }

    package init(_ writer: StreamWriter, _ id: String, _ events: EventBox, isPacing: Bool) {
        self.writer = writer
        self.isPacing = isPacing
        outages = OutageReporter(id, events)
    }

    package func start(_ link: StageLink) { self.link = link }

    package func process(_ item: Item, to output: Output) throws -> Disposition {
        let frame = item.frame
        if isPacing { keepPace(frame.pts.seconds, output) }
        let outcome = try writer.write(frame.picture, pts: frame.pts, duration: frame.duration)
        // From when the first one is out: it may have waited for the peer's answer.
        if isPacing, pace == nil { pace = PlaybackPace(now: output.now, first: frame.pts.seconds) }
        outages.follow(writer.turns, writer.statistics.outages)
        switch outcome {
        case .sent: break
        case .away:
            away += 1
            output.drop(item.ticket, cause: .disconnected)
        case .slow:
            slow += 1
            output.drop(item.ticket, cause: .edgeFull)
        }
        return .done
    }

    /// Waits until a recorded frame is due, in short naps so that a stop is heard at once.
    private func keepPace(_ seconds: Double, _ output: Output) {
        while let nap = pace?.wait(now: output.now, for: seconds), link?.isStopping != true {
            usleep(UInt32(min(nap, 0.02) * 1e6))
        }
    }

    package func drain(to output: Output) -> Bool {
        writer.finish()
        return true
    }

    package func stop() { writer.cancel() }

    package var notes: [String] {
        let seen = writer.statistics
        var notes = [
            "\(redacted(writer.target.url)): \(seen.packets) frames of \(seen.encoder), \(seen.videoBytes / 1000) kB"
                + (seen.audioPackets > 0 ? ", \(seen.audioPackets) audio packets" : "")
                + (seen.connections == 0 ? "; never connected: \(seen.outages.lastLoss ?? "no frame came")" : "")
        ]
        if let note = writer.target.securityNote { notes.append(note) }
        if let note = seen.outages.note { notes.append(note) }
        if !seen.failedAttempts.isEmpty {
            let kinds = StreamFault.allCases.compactMap { fault in
                seen.failedAttempts[fault].map { "\(fault.rawValue) \($0)" }
            }
            notes.append("attempts to connect that failed: \(kinds.joined(separator: ", "))")
        }
        if away > 0 { notes.append("\(away) frames dropped while nobody was connected") }
        if slow > 0 { notes.append("\(slow) frames dropped because the peer was slow") }
        if seen.lostPackets > 0 {
            notes.append(
                "\(seen.lostPackets) encoded frames lost when the connection broke or the stream was cut short")
        }
        return notes + seen.warnings
    }
}
