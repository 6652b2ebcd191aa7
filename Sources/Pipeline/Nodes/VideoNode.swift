// SPDX-License-Identifier: Apache-2.0
internal import Dataflow
internal import Glibc
internal import Media

/// `video`: anything libavformat opens.
final class VideoNode: SourceNode, NodeType, ReportingNode, InterruptibleSource, AudioSource, MeasuredSource {
    static let url = Param.url("url", synonyms: ["path", "file", "uri"], doc: "File path or URL to read")
    static let realtime = Param.boolean(
        "realtime", default: false, doc: "Hand frames out at their own pace rather than as fast as they are taken")
    static let loop = Param.boolean("loop", default: false, doc: "Start over at the end, with timestamps that go on")
    static let rotate = Param.boolean(
        "rotate", default: true, doc: "Turn pictures upright where the file asks for it")
    static let threads = Param.integer(
        "threads", default: 0, range: 0...64,
        doc: "Decoder threads; 0 chooses so that decoding does not fight inference for cores")
    static let timeout = Param.duration(
        "timeout", default: .seconds(10), seconds: 0...3600, doc: "How long to wait for data before giving up")

    static let contract = Contract(
        "video", aliases: ["file-in"], .source, summary: "Reads a video file or a network stream",
        details: "Opens whatever FFmpeg opens. Pictures stay planar YUV; formats with more than 8 bits or in RGB are "
            + "converted once. Damaged packets are skipped and counted, a truncated file plays to its last good frame.",
        parameters: [url, realtime, loop, rotate, threads, timeout],
        liveness: .when { $0[realtime] || isNetwork($0[url]) },
        examples: [.init("A file", #"{ "type": "video", "url": "samples/demo.mp4" }"#)])

    private let reader: VideoReader
    private let stream: StreamInfo
    private let paced: Bool
    private let loops: Bool
    private let gate: AdmissionGate?
    private var pending: DecodedPicture?
    private var link: StageLink?
    private var pace: PlaybackPace?

    static func make(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode {
        let settings = node.settings
        var options = VideoReader.Options()
        options.appliesRotation = settings[rotate]
        options.isLooping = settings[loop]
        options.decoderThreads = settings[threads] == 0 ? nil : settings[threads]
        if isNetwork(settings[url]) { options.timeout = settings[timeout].inSeconds }
        return .source(
            VideoNode(
                reader: try VideoReader(settings[url], options: options), source: node.id, paced: settings[realtime],
                loops: settings[loop], gate: node.isLive ? context.gate : nil))
    }

    init(reader: VideoReader, source: String, paced: Bool, loops: Bool, gate: AdmissionGate?) {
        self.reader = reader
        self.paced = paced
        self.loops = loops
        self.gate = gate
        stream = reader.info.streamInfo(source: source)
    }

    func start(_ link: StageLink) { self.link = link }

    func produce(to output: Output) throws -> Production {
        if pending == nil {
            do throws(MediaError) {
                pending = try reader.read()
            } catch {
                guard error.code == .interrupted else { throw error }
                return .ended
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

    func interrupt() { if reader.info.isLive { reader.interrupt.cancel() } }

    func makeAudioTap() throws -> AudioTap? { try reader.makeAudioTap() }

    var expectedFrames: Int? { loops ? nil : reader.info.frameCount }

    var frameRate: Rational? { reader.info.frameRate.value == nil ? nil : reader.info.frameRate }

    var notes: [String] {
        let seen = reader.statistics
        var notes: [String] = []
        if seen.corrupt > 0 { notes.append("\(seen.corrupt) damaged packets or pictures") }
        if seen.repairedTimestamps > 0 { notes.append("\(seen.repairedTimestamps) timestamps repaired") }
        if seen.timeBreaks > 0 { notes.append("\(seen.timeBreaks) breaks in the time line closed") }
        if seen.shapeChanges > 0 { notes.append("\(seen.shapeChanges) changes of picture size or layout") }
        if seen.converted > 0 {
            notes.append(
                "\(seen.converted) pictures converted from \(reader.info.storedFormat) to \(reader.info.format)")
        }
        if seen.loops > 0 { notes.append("\(seen.loops) times started over") }
        if let early = seen.endedEarly { notes.append("ended early: \(early)") }
        return notes
    }

    private static func isNetwork(_ url: String) -> Bool {
        guard let scheme = url.range(of: "://").map({ url[..<$0.lowerBound].lowercased() }) else { return false }
        return !["file", "concat", "subfile", "data", "cache", "crypto"].contains(scheme)
    }
}
