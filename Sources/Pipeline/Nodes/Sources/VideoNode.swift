// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Dataflow
internal import Glibc
internal import Media
internal import PipelineLanguage

/// `video`: anything libavformat opens.
final class VideoNode: SourceNode, NodeType, ReportingNode, InterruptibleSource, AudioSource, UniformPacketSource,
    MeasuredSource, PartialSource
{
    static let url = Param.url(
        "url", synonyms: ["path", "file", "uri"], doc: "File path or URL to read; - is standard input")
    static let realtime = Param.boolean(
        "realtime", default: false, doc: "Hand frames out at their own pace rather than as fast as they are taken"
    ).role(.pace(freely: .boolean(false)))
    static let loop = Param.boolean("loop", default: false, doc: "Start over at the end, with timestamps that go on")
        .role(.length(endless: .boolean(true)))
    static let rotate = Param.boolean(
        "rotate", default: true, doc: "Turn pictures upright where the file asks for it")
    static let threads = Param.integer(
        "threads", default: 0, range: 0...64,
        doc: "Decoder threads; 0 chooses so that decoding does not fight inference for cores")
    static let live = Param.choice(
        "live", default: Liveliness.auto,
        docs: [
            "auto": "streams of the network, but not recordings on a web server (.mp4, .mkv, .mov, .webm, .avi, .mpg)",
            "always": "any stream of the network", "never": "read everything, at any speed",
        ],
        doc: "What counts as live: the newest frames win, old ones are dropped, what breaks is connected again")
    static let transport = Param.choice(
        "transport", default: StreamAddress.Transport.tcp,
        docs: ["tcp": "inside the connection, nothing is lost", "udp": "less delay, losses show"],
        doc: "What carries the media of RTSP")
    static let reconnect = Param.boolean(
        "reconnect", default: true, doc: "Connect a live stream again when it ends or breaks, rather than end with it")
    static let wait = Param.boolean(
        "waitForServer", default: false,
        doc: "Start without the stream and wait for it, rather than fail; its audio is then left out")

    static let contract = Contract(
        "video", aliases: ["file-in"], knownElsewhereAs: ["rtsp", "rtspsrc", "filesrc", "uridecodebin"], .source,
        summary: "Reads a video file or a network stream",
        details:
            "Opens whatever FFmpeg opens: files; RTSP, RTMP, SRT, HLS, HTTP (also MJPEG cameras), UDP. Pictures stay "
            + "planar YUV; formats with more than 8 bits or in RGB are converted once. Damaged packets are skipped and "
            + "counted, a truncated file plays to its last good frame, breaks in its time line are closed and counted.\n\n"
            + "A live stream is read by a thread of its own, so that it never waits for the pipeline: what is older than a "
            + "second is dropped. When it ends, breaks or stalls it is connected again with growing pauses, forever by "
            + "default; timestamps go on. Keep credentials in the environment, percent-encoded: "
            + "`rtsp://${CAMERA_USER}:${CAMERA_PASSWORD}@host/path`. No message shows them. Over TLS the server's certificate "
            + "must be valid for its host; a camera that signs its own is believed by `tlsCertificate`, or unseen by "
            + "`tlsVerify: false`, which the report says.",
        parameters: [
            url, realtime, loop, rotate, threads, live, transport, ReconnectParams.connectTimeout,
            ReconnectParams.timeout, ReconnectParams.onLost, reconnect, ReconnectParams.networkRetryMax,
            ReconnectParams.giveUp, wait, SecurityParams.verify, SecurityParams.certificate, PartParams.start,
            PartParams.end, PartParams.every,
        ],
        liveness: .when { $0[realtime] || liveAddress($0) != nil },
        examples: [
            .init("A file", #"{ "type": "video", "url": "samples/demo.mp4" }"#),
            .init(
                "A camera on the network",
                #"{ "type": "video", "url": "rtsp://192.168.1.20/stream1", "timeout": "5s", "waitForServer": true }"#),
            .init(
                "Ten seconds of a file, five frames a second of 25",
                #"{ "type": "video", "url": "samples/demo.mp4", "start": "2s", "end": "12s", "every": 5 }"#),
        ],
        check: { settings in
            let mistakes = sourceProblems(settings[url])
            guard mistakes.isEmpty else { return mistakes }
            let isPart = settings[PartParams.start] != nil || settings[PartParams.end] != nil
            guard isPart else { return [] }
            if liveAddress(settings) != nil {
                return [
                    SettingsProblem(
                        parameter: settings[PartParams.start] != nil ? "start" : "end",
                        message: "is a time of a recording, but the stream is live", fix: "leave it out")
                ]
            }
            if settings[loop] {
                return [
                    SettingsProblem(
                        parameter: "loop", message: "plays the whole file again, but a part of it is asked for",
                        fix: "leave one of them out")
                ]
            }
            return PartParams.problems(settings)
        })

    /// Which inputs count as live.
    enum Liveliness: String, CaseIterable, Sendable { case auto, always, never }

    private let reader: VideoReader
    private let stream: StreamInfo
    private let paced: Bool
    private let loops: Bool
    private let isRemote: Bool
    private let gate: AdmissionGate?
    private var part: RecordingPart
    private var taps: [AudioTap] = []
    private let securityNote: String?
    private var pending: DecodedPicture?
    private var link: StageLink?
    private var pace: PlaybackPace?

    static func make(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode {
        let settings = node.settings
        try InputFile.require(settings[url], url.spec.name, of: node, in: context)
        var options = VideoReader.Options()
        options.appliesRotation = settings[rotate]
        options.isLooping = settings[loop]
        options.decoderThreads = settings[threads] == 0 ? nil : settings[threads]
        options.security = try SecurityParams.security(settings)
        if let address = liveAddress(settings) {
            let live = liveSettings(settings, address, options)
            let reader = LiveReader(live)
            if !settings[wait] { try reader.connect() }
            return .source(
                LiveVideoNode(
                    reader, source: node.id, gate: context.gate, events: context.events, isBlanked: live.pacesNoSignal))
        }
        // FFmpeg's name of standard input.
        let location = settings[url] == "-" ? "pipe:0" : settings[url]
        let address = StreamAddress(location)
        if let address { options.connect(to: address, liveSettings(settings, address, options)) }
        return .source(
            VideoNode(
                reader: try VideoReader(location, options: options), source: node.id, paced: settings[realtime],
                loops: settings[loop], isRemote: address != nil || location == "pipe:0",
                gate: node.isLive ? context.gate : nil, part: RecordingPart(settings),
                securityNote: address.flatMap { options.security.note(on: $0) }))
    }

    /// What is wrong with an address or a path, whatever is there.
    private static func sourceProblems(_ text: String) -> [SettingsProblem] {
        guard let scheme = InputProtocols.unknown(in: text) else {
            return InputFile.problems(text, url.spec.name) { pattern in
                "name one recording; `vpipe batch PIPELINE --inputs '\(pattern)' --out OUT` takes one after the other, and "
                    + "photographs are read by \"images\""
            }
        }
        let names = InputProtocols.usualFirst
        return [
            SettingsProblem(
                parameter: url.spec.name, message: "the FFmpeg here knows no protocol \"\(scheme)\"",
                fix: (closest(to: scheme, among: names).map { "did you mean \"\($0)://\"? " } ?? "")
                    + "it knows " + names.joined(separator: ", "))
        ]
    }

    /// Where the stream is, if it counts as live.
    private static func liveAddress(_ settings: Settings) -> StreamAddress? {
        guard let address = StreamAddress(settings[url]) else { return nil }
        switch settings[live] {
        case .never: return nil
        case .always: return address
        case .auto: return address.isRecording ? nil : address
        }
    }

    private static func liveSettings(
        _ given: Settings, _ address: StreamAddress, _ reading: VideoReader.Options
    ) -> LiveReader.Settings {
        var settings = LiveReader.Settings(address)
        settings.transport = given[transport]
        settings.connectSeconds = given[ReconnectParams.connectTimeout].inSeconds
        settings.silenceSeconds = given[ReconnectParams.timeout].inSeconds
        settings.longestRetryNanoseconds = ReconnectParams.nanoseconds(given[ReconnectParams.networkRetryMax])
        settings.giveUpNanoseconds = ReconnectParams.giveUpNanoseconds(given)
        settings.pacesNoSignal = given[ReconnectParams.onLost] == .blank
        settings.endsWithStream = !given[reconnect]
        settings.reading = reading
        return settings
    }

    init(
        reader: VideoReader, source: String, paced: Bool, loops: Bool, isRemote: Bool, gate: AdmissionGate?,
        part: RecordingPart, securityNote: String? = nil
    ) {
        self.part = part
        self.securityNote = securityNote
        self.reader = reader
        self.paced = paced
        self.loops = loops
        self.isRemote = isRemote
        self.gate = gate
        stream = reader.info.streamInfo(source: source)
    }

    func start(_ link: StageLink) { self.link = link }

    func produce(to output: Output) throws -> Production {
        while pending == nil {
            do throws(MediaError) {
                guard let picture = try reader.read() else { return .ended }
                pending = picture
            } catch {
                guard error.code == .interrupted else { throw error }
                return .ended
            }
            guard let decoded = pending else { return .ended }
            if let start = part.start { for tap in taps { tap.discard(until: start - 1e-6) } }
            switch part.next(decoded.pts.seconds) {
            case .wanted: break
            case .over: return .ended
            case .skipped:
                pending = nil
                if link?.isStopping == true { return .ended }
            }
        }
        guard let decoded = pending else { return .ended }
        if paced {
            if pace == nil { pace = PlaybackPace(now: output.now, first: decoded.pts.seconds) }
            // Short naps, so that a stop is heard at once; the queue is this source's own.
            while let nap = pace?.wait(now: output.now, for: decoded.pts.seconds) {
                if link?.isStopping == true { return .ended }
                usleep(UInt32(min(nap, 0.02) * 1e6))
            }
        }
        let capturedAt = pace?.due(decoded.pts.seconds) ?? output.now
        switch output.admit(capturedAt: capturedAt, past: gate) {
        case .full: return .waiting
        case .refused: pending = nil
        case .admitted(let ticket):
            pending = nil
            output.emit(
                Frame(
                    ticket: ticket, picture: decoded.picture, pts: decoded.pts, duration: decoded.duration,
                    stream: stream))
        }
        return .more
    }

    func interrupt() { if isRemote || reader.info.isLive { reader.interrupt.cancel() } }

    func makeAudioTap() throws -> AudioTap? {
        let tap = try reader.makeAudioTap()
        if let tap { taps.append(tap) }
        return tap
    }

    func makeVideoTap() throws -> VideoTap { try reader.makeVideoTap() }

    func makePacketRing(capacityBytes: Int) throws -> PacketRing {
        try reader.makePacketRing(capacityBytes: capacityBytes)
    }

    var startSeconds: Double? { part.start }

    var isPart: Bool { part.start != nil || part.end != nil || part.every > 1 }

    var expectedFrames: Int? {
        loops ? nil : reader.info.frameCount.flatMap { part.frames(of: $0, rate: frameRate?.value) }
    }

    var frameRate: Rational? { reader.info.frameRate.value == nil ? nil : reader.info.frameRate }

    var notes: [String] {
        let seen = reader.statistics
        var notes = (securityNote.map { [$0] } ?? []) + seen.notes
        if seen.converted > 0 {
            notes.append(
                "\(seen.converted) pictures converted from \(reader.info.storedFormat) to \(reader.info.format)")
        }
        if !reader.info.unread.isEmpty {
            notes.append("not carried over: \(reader.info.unread.joined(separator: ", "))")
        }
        if seen.loops > 0 { notes.append("started over \(NumberText.times(seen.loops))") }
        if let early = seen.endedEarly { notes.append("ended early: \(early)") }
        return notes
    }
}
