// SPDX-License-Identifier: Apache-2.0
internal import Dataflow
internal import Media
internal import Overlay
internal import PipelineLanguage

/// `overlay`: draws what was found onto the frame.
final class OverlayNode: JoinNode, NodeType, AdjustableNode, ReportingNode, DrawingNode {
    static let scores = Param.boolean("scores", default: true, changeable: true, doc: "Write scores beside boxes")
        .cheaper(by: .plainer(.boolean(false)))
    static let labels = Param.boolean("labels", default: true, changeable: true, doc: "Write labels beside boxes")
        .cheaper(by: .plainer(.boolean(false)))
    static let lineWidth = Param.number(
        "lineWidth", default: 0.0028, range: 0.0005...0.05, changeable: true,
        doc: "Width of lines and boxes as a share of the picture height")
    static let maskOpacity = Param.number(
        "maskOpacity", default: 0.4, range: 0...1, changeable: true,
        doc: "How much of the picture a segmentation's colours hide; their borders hide more")
    static let legend = Param.boolean(
        "legend", default: true, changeable: true, doc: "List the classes of a segmentation beside their colours")
    static let ages = Param.boolean(
        "ages", default: true, changeable: true, doc: "With the newest results: write how old those of each node are")

    static let contract = Contract(
        "overlay", knownElsewhereAs: ["draw", "annotate", "osd", "watermark"], .processing,
        summary: "Draws areas, lines, boxes, landmarks and labels onto the frame",
        details:
            "The first input gives the picture, all of them give results. What was carried on from an earlier frame is "
            + "drawn open: boxes by their corners, lines by their ends. Drawing happens on the YUV planes; the frame is "
            + "copied once, because others may be looking at it, and not at all where nothing was found.",
        inputs: [InputPort(count: 1...16, needs: .any, doc: "branches of one source; the first gives the picture")],
        parameters: [
            scores, labels, lineWidth, maskOpacity, legend, BranchResults.choice, BranchResults.maxAge, ages,
        ],
        waitsForBranches: { $0[BranchResults.choice] == .wait }, pictures: .firstInput,
        examples: [
            .init("Two networks", #"{ "type": "overlay", "inputs": ["video", "faces", "lines"] }"#),
            .init(
                "A live view that no network delays",
                #"{ "type": "overlay", "inputs": ["camera", "faces"], "results": "newest" }"#),
        ])

    private let pool = PicturePool()
    private let canvas = Canvas()
    private let painter: OverlayPainter
    private let branches: BranchResults
    private let changes = Mailbox<OverlayStyle>()
    private(set) var undrawn: Picture?

    static func make(_ node: ValidatedNode, in context: BuildContext) -> BuiltNode {
        let painter = OverlayPainter(style: style(node.settings), nodes: colored(before: node, in: context.pipeline))
        return .join(OverlayNode(painter, BranchResults(node.settings)))
    }

    /// The nodes that find something, in the order of the pipeline, so that their colours do not depend on who answers
    /// first.
    static func colored(before node: ValidatedNode, in pipeline: ValidatedPipeline) -> [String] {
        var seen: [ValidatedNode] = []
        func visit(_ node: ValidatedNode) {
            guard !seen.contains(where: { $0.id == node.id }) else { return }
            node.inputs.compactMap { pipeline[$0.from] }.forEach(visit)
            seen.append(node)
        }
        visit(node)
        return seen.filter { $0.contract.outputs.contains { !$0.adds.isEmpty } }.map(\.id)
    }

    private static func style(_ settings: Settings) -> OverlayStyle {
        var style = OverlayStyle()
        style.showsScores = settings[scores]
        style.showsLabels = settings[labels]
        style.lineWidth = Float(settings[lineWidth])
        style.maskOpacity = Float(settings[maskOpacity])
        style.showsLegend = settings[legend]
        style.showsAges = settings[ages] && settings[BranchResults.choice] == .newest
        return style
    }

    private init(_ painter: OverlayPainter, _ branches: BranchResults) {
        self.painter = painter
        self.branches = branches
    }

    var matching: JoinMatching { branches.matching }

    var notes: [String] { branches.notes }

    func prepare(_ settings: Settings) -> PreparedChange { changes.change(to: Self.style(settings)) }

    func join(_ items: JoinedItems, to output: Output) throws -> Disposition {
        if let style = changes.take(for: items.ticket) { painter.style = style }
        let frame = branches.completed(items)
        guard painter.marks(frame.annotations) else {
            output.emit(frame)
            return .done
        }
        let picture = try pool.writableCopy(of: frame.picture)
        let map = frame.map
        let annotations = map.isIdentity ? frame.annotations : frame.annotations.mapped(by: map.inverse)
        canvas.draw(on: picture) { painter.draw(annotations, on: $0) }
        undrawn = frame.picture
        output.emit(frame.replacing(picture: picture))
        undrawn = nil
        return .done
    }
}
