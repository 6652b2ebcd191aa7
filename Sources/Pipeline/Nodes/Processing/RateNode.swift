// SPDX-License-Identifier: Apache-2.0
internal import Dataflow
internal import Media
internal import PipelineLanguage

/// `rate`: thins a stream out to a frame rate.
final class RateNode: Node, NodeType, AdjustableNode {
    static let fps = Param.rate("fps", changeable: true, doc: "Highest frame rate let through").limitingRate

    static let contract = Contract(
        "rate", .processing, summary: "Lets frames through up to a frame rate and drops the rest",
        details: "Frames are chosen by timestamp, evenly. It never invents frames: a slower stream passes unchanged. "
            + "Dropped frames are counted as rateLimited.",
        parameters: [fps],
        examples: [.init("Five frames a second", #"{ "type": "rate", "input": "camera", "fps": 5 }"#)])

    /// The rate that `node` lets through, where it is one of these.
    static func limit(of node: ValidatedNode) -> FrameRate? { node.type == contract.type ? node.settings[fps] : nil }

    private var interval: Double
    /// What the frames that are let through say of their stream, made anew when the stream or the rate changes.
    private var thinned: (from: StreamInfo, interval: Double, to: StreamInfo)?
    private var next = -Double.infinity
    private let changes = Mailbox<Double>()

    static func make(_ node: ValidatedNode, in context: BuildContext) -> BuiltNode {
        .node(RateNode(framesPerSecond: node.settings[fps].perSecond))
    }

    init(framesPerSecond: Double) { interval = 1 / framesPerSecond }

    func prepare(_ settings: Settings) -> PreparedChange { changes.change(to: 1 / settings[Self.fps].perSecond) }

    func process(_ item: Item, to output: Output) -> Disposition {
        if let interval = changes.take(for: item.ticket) {
            self.interval = interval
            next = -Double.infinity
        }
        let time = item.frame.pts.seconds
        // A hundredth of the interval forgives timestamps that were rounded to their time base.
        guard time >= next - interval * 0.01 else {
            output.drop(item.ticket, cause: .rateLimited)
            return .done
        }
        // Stay on the grid while frames come regularly, start a new one after a gap.
        next = time >= next + interval ? time + interval : next + interval
        output.emit(lengthened(item.frame))
        return .done
    }

    /// The frame as one of a slower stream: it shows until the next one that is let through.
    private func lengthened(_ frame: Frame) -> Frame {
        let tick = frame.duration.base
        guard frame.duration.ticks > 0, frame.duration.seconds < interval, tick.num > 0 else { return frame }
        if thinned?.from !== frame.stream || thinned?.interval != interval {
            let rate = FrameRate(perSecond: 1 / interval).map { Rational($0.frames, $0.seconds) }
            thinned = (frame.stream, interval, frame.stream.replacing(frameRate: rate ?? Rational(0, 1)))
        }
        let ticks = Int64((interval * Double(tick.den) / Double(tick.num)).rounded())
        return frame.replacing(
            duration: MediaTime(ticks: ticks, base: tick), stream: thinned?.to ?? frame.stream)
    }
}
