// SPDX-License-Identifier: Apache-2.0
package import Dataflow
internal import Glibc
package import Media
package import Overlay
package import PipelineLanguage

/// `testpattern`: colour bars, a moving square and the frame number.
package final class TestPatternNode: SourceNode, NodeType, MeasuredSource {
    package static let size = Param.size("size", default: PixelSize(width: 1280, height: 720), doc: "Width and height")
    package static let fps = Param.rate("fps", default: FrameRate(frames: 25), doc: "Frame rate")
    package static let frames = Param.integer(
        "frames", default: 250, atLeast: 0, doc: "Number of frames; 0 goes on until stopped"
    ).role(.length(endless: .integer(0)))
    package static let realtime = Param.boolean("realtime", default: false, doc: "Hand frames out at their own pace")
        .role(.pace(freely: .boolean(false)))

    package static let contract = Contract(
        "testpattern", .source, summary: "Makes colour bars with a moving square and the frame number",
        parameters: [size, fps, frames, realtime], liveness: .when { $0[realtime] },
        examples: [.init("Ten seconds", #"{ "type": "testpattern", "size": "640x360", "frames": 250 }"#)],
        check: { PictureMemory.problems($0[size], size.spec.name) })

    private let pattern: TestPattern
    private let stream: StreamInfo
    private let frames: Int
    private let paced: Bool
    private let gate: AdmissionGate?
    private var count = 0
    private var link: StageLink?
    private var pace: PlaybackPace?

    package static func make(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode {
        let settings = node.settings
        let size = settings[size]
        let rate = settings[fps]
        let pattern = try TestPattern(
            width: size.width, height: size.height, frameRate: Rational(rate.frames, rate.seconds))
        return .source(
            TestPatternNode(
                pattern, source: node.id, frames: settings[frames], paced: settings[realtime],
                gate: node.isLive ? context.gate : nil))
    }

    package init(_ pattern: TestPattern, source: String, frames: Int, paced: Bool, gate: AdmissionGate?) {
        self.pattern = pattern
        self.frames = frames
        self.paced = paced
        self.gate = gate
        stream = StreamInfo(source: source, frameRate: pattern.frameRate, isLive: paced)
    }

    package func start(_ link: StageLink) { self.link = link }

    package func produce(to output: Output) throws -> Production {
        guard frames == 0 || count < frames else { return .ended }
        var capturedAt = output.now
        if paced {
            let seconds = Double(count) / (stream.frameRate.value ?? 25)
            if pace == nil { pace = PlaybackPace(now: output.now, first: seconds) }
            while let nap = pace?.wait(now: output.now, for: seconds) {
                if link?.isStopping == true { return .ended }
                usleep(UInt32(min(nap, 0.02) * 1e6))
            }
            capturedAt = pace?.due(seconds) ?? capturedAt
        }
        switch output.admit(capturedAt: capturedAt, past: gate) {
        case .full: return .waiting
        case .refused: count += 1
        case .admitted(let ticket):
            let made = try pattern.frame(count)
            count += 1
            output.emit(
                Frame(ticket: ticket, picture: made.picture, pts: made.pts, duration: made.duration, stream: stream))
        }
        return .more
    }

    package var expectedFrames: Int? { frames == 0 ? nil : frames }
    package var frameRate: Rational? { stream.frameRate }
}
