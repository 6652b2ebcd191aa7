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

    private var interval: Double
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
        output.forward()
        return .done
    }
}
