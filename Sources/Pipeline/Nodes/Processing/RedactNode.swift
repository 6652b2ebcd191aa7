// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Dataflow
internal import Media
internal import Overlay
internal import PipelineLanguage
internal import Vision

/// `redact`: makes faces and other things unrecognisable, and covers what nobody looked at.
final class RedactNode: Node, NodeType, ReportingNode {
    /// What happens to a frame that has no results young enough.
    enum OnMissing: String, CaseIterable, Sendable { case cover, drop }

    static let method = Param.choice(
        "method", default: PictureRedactor.Method.fill,
        docs: [
            "fill": "black", "pixelate": "8 by 8 blocks at most, rounded and with noise",
            "blur": "the same without edges",
        ], doc: "What is left of what is covered")
    static let cover = Param.strings(
        "cover", default: ["face"],
        doc: "What is covered: \"face\", classes of objects or of a segmentation, zones by name")
    static let results = Param.strings(
        "results",
        doc:
            "Ids of the nodes without whose results a frame is not shown; all before this one that find faces, objects or "
            + "classes when absent"
    ).optional
    static let margin = Param.number(
        "margin", default: 0.3, range: 0...5, doc: "How far beyond a box is covered, as a share of its size")
    static let hold = Param.duration(
        "hold", default: .milliseconds(500), seconds: 0...60,
        doc: "How long the place of something that is not found any more stays covered, moving with the picture")
    static let maxAge = Param.duration(
        "maxAge", default: .milliseconds(250), seconds: 0...60,
        doc: "How old the results of a frame may be; one with older ones, or none, counts as missing")
    static let onMissing = Param.choice(
        "onMissing", default: OnMissing.cover,
        docs: ["cover": "it is covered whole", "drop": "it is dropped, as notRedacted"],
        doc: "What happens to a frame whose results are missing")
    static let delay = Param.duration(
        "delay", default: .zero, seconds: 0...2,
        doc: "How long frames wait, so that what is found in a later one is covered in them, too; 64 frames at most")

    static let contract = Contract(
        "redact", knownElsewhereAs: ["blur", "pixelate", "mosaic", "anonymize", "mask"], .processing,
        summary: "Covers faces, objects, zones or classes, and every frame that nobody looked at",
        details:
            "Fails closed: a frame whose results are missing or too old, because a network was skipped, slow or broken, is "
            + "covered whole or dropped. Pictures behind it may leave a pipeline with a `sensitive` source. Tensors are taken off the frames.",
        inputs: [InputPort(needs: .anyOf([.faces, .objects, .segmentation, .tracks, .zones]))],
        parameters: [method, cover, results, margin, hold, maxAge, onMissing, delay], redacts: true,
        examples: [
            .init("Faces", #"{ "type": "redact", "input": "faces" }"#),
            .init(
                "People and their cars, blurred",
                #"{ "type": "redact", "input": "objects", "cover": ["person", "car"], "method": "blur" }"#),
        ])

    private struct Held {
        var box: Box
        var seenAt: Double
    }

    private struct Pending {
        let frame: Frame
        /// In the picture's pixels.
        var boxes: [Box]
        /// Whether it may be shown at all.
        let isKnown: Bool
    }

    private static let mostHeld = 64

    let maxHeld: Int
    private let method: PictureRedactor.Method
    private let names: Set<String>
    /// Nodes without whose results nothing is shown.
    private let required: [String]
    private let margin: Float
    private let hold: Double
    private let maxAge: Double
    private let onMissing: OnMissing
    private let delay: Double
    private let redactor = PictureRedactor()
    private let pool = PicturePool()
    private let carrier = MotionCarrier()
    /// What was covered in the frame before, in its picture's pixels.
    private var held: [Held] = []
    private var last: Frame?
    private var pending: [Pending] = []
    private var fresh: [Box] = []
    private var covered = 0
    private var whole = 0
    private var dropped = 0

    static func make(_ node: ValidatedNode, in context: BuildContext) -> BuiltNode {
        .node(
            RedactNode(node.settings, required: node.settings[results] ?? finders(before: node, in: context.pipeline)))
    }

    /// The nodes before this one that find what could be covered.
    static func finders(before node: ValidatedNode, in pipeline: ValidatedPipeline) -> [String] {
        var found: [String] = []
        func visit(_ node: ValidatedNode) {
            for before in node.inputs.compactMap({ pipeline[$0.from] }) where !found.contains(before.id) {
                let adds = before.contract.outputs.flatMap(\.adds)
                if before.contract.category == .inference,
                    adds.contains(where: { [.faces, .objects, .segmentation].contains($0) })
                {
                    found.append(before.id)
                }
                visit(before)
            }
        }
        visit(node)
        return found
    }

    init(_ settings: Settings, required: [String]) {
        self.required = required
        method = settings[Self.method]
        names = Set(settings[Self.cover])
        margin = Float(settings[Self.margin])
        hold = settings[Self.hold].inSeconds
        maxAge = settings[Self.maxAge].inSeconds
        onMissing = settings[Self.onMissing]
        delay = settings[Self.delay].inSeconds
        maxHeld = delay > 0 ? Self.mostHeld : 0
    }

    func process(_ item: Item, to output: Output) throws -> Disposition {
        let frame = item.frame
        let isKnown = isKnown(frame)
        let boxes = boxes(of: frame)
        guard delay > 0 else {
            try show(Pending(frame: frame, boxes: boxes, isKnown: isKnown), to: output)
            return .done
        }
        for index in pending.indices { pending[index].boxes += fresh }
        pending.append(Pending(frame: frame, boxes: boxes, isKnown: isKnown))
        try emit(until: frame.pts.seconds - delay, to: output)
        return .held
    }

    func drain(to output: Output) throws -> Bool {
        try emit(until: .infinity, to: output)
        return true
    }

    private func emit(until time: Double, to output: Output) throws {
        // Times are sums of what binary fractions cannot hold.
        while let first = pending.first, first.frame.pts.seconds <= time + 1e-6 || pending.count >= maxHeld {
            pending.removeFirst()
            if try show(first, to: output) { output.finish(first.frame.ticket) }
        }
    }

    /// Emits a frame, covered; false where it was dropped instead.
    @discardableResult
    private func show(_ entry: Pending, to output: Output) throws -> Bool {
        if !entry.isKnown, onMissing == .drop {
            dropped += 1
            output.drop(entry.frame.ticket, cause: .notRedacted)
            return false
        }
        output.emit(try redacted(entry.frame, entry.boxes, isKnown: entry.isKnown))
        return true
    }

    /// Whether every result that is needed is there and young enough.
    private func isKnown(_ frame: Frame) -> Bool {
        !required.isEmpty && frame.stream.hasSignal
            && required.allSatisfy { id in frame.annotations[id].map { ($0.age ?? 0) <= maxAge } ?? false }
    }

    private func redacted(_ frame: Frame, _ boxes: [Box], isKnown: Bool) throws -> Frame {
        let annotations = Self.withoutTensors(frame.annotations)
        guard !isKnown || !boxes.isEmpty else { return frame.replacing(annotations: annotations) }
        let picture = try pool.writableCopy(of: frame.picture)
        if isKnown {
            for box in boxes { redactor.cover(box, of: picture, method) }
            covered += 1
        } else {
            redactor.coverAll(of: picture)
            whole += 1
        }
        return frame.replacing(picture: picture).replacing(annotations: annotations)
    }

    /// What is to be covered in a frame, in its picture's pixels; `fresh` is what was not there before.
    private func boxes(of frame: Frame) -> [Box] {
        let map = frame.map.inverse
        let time = frame.pts.seconds
        var found: [Box] = []
        var cells: [Box] = []
        frame.annotations.forEach { entry in
            entry.list.forEachRegion { region in
                guard names.contains(region.name) else { return }
                switch region {
                case .box(let box, _): found.append(widened(map(box), by: margin))
                case .cells(let classes, let label): Self.add(classes, label, map, to: &cells)
                }
            }
        }
        carry(to: frame, time)
        fresh.removeAll(keepingCapacity: true)
        for box in found where !held.contains(where: { $0.box.iou(box) > 0.2 }) {
            // It may have come from somewhere.
            fresh.append(widened(box, by: 0.5))
        }
        held.removeAll { old in
            time - old.seenAt > hold || time < old.seenAt || found.contains { $0.iou(old.box) > 0.5 }
        }
        let lingering = held.map { old in
            // Nobody knows where it went.
            widened(old.box, by: hold > 0 ? Float((time - old.seenAt) / hold) * 0.5 : 0)
        }
        if hold > 0 { held += found.map { Held(box: $0, seenAt: time) } }
        return found + lingering + cells
    }

    /// Moves what was covered along with the picture.
    private func carry(to frame: Frame, _ time: Double) {
        defer { last = hold > 0 ? frame : nil }
        guard !held.isEmpty, let last, frame.stream.hasSignal else { return }
        if carrier.newest != last.ticket.sequence { carrier.append(last.picture, number: last.ticket.sequence) }
        carrier.append(frame.picture, number: frame.ticket.sequence)
        for index in held.indices {
            guard let motion = carrier.motion(inside: held[index].box, since: last.ticket.sequence) else { continue }
            held[index].box = held[index].box.moved(by: motion)
        }
    }

    private func widened(_ box: Box, by share: Float) -> Box {
        let (across, down) = (box.width * share, box.height * share)
        return Box(
            x: box.x - across, y: box.y - down, width: box.width + 2 * across, height: box.height + 2 * down)
    }

    /// The runs of cells with a label, each with a cell around it.
    private static func add(_ map: ClassMap, _ label: UInt8, _ place: PictureMap, to found: inout [Box]) {
        let (width, height) = (map.region.width / Float(map.width), map.region.height / Float(map.height))
        for row in 0..<map.height {
            var start = 0
            while start < map.width {
                guard map.labels[row * map.width + start] == label else {
                    start += 1
                    continue
                }
                var end = start
                while end < map.width, map.labels[row * map.width + end] == label { end += 1 }
                found.append(
                    place(
                        Box(
                            x: map.region.x + Float(start - 1) * width, y: map.region.y + Float(row - 1) * height,
                            width: Float(end - start + 2) * width, height: 3 * height)))
                start = end
            }
        }
    }

    /// The annotations but for tensors, which may be pictures.
    private static func withoutTensors(_ annotations: FrameAnnotations) -> FrameAnnotations {
        var hasTensors = false
        annotations.forEach { hasTensors = hasTensors || $0.list.kind == RawTensor.kind }
        guard hasTensors else { return annotations }
        var kept = FrameAnnotations()
        annotations.forEach { entry in
            if entry.list.kind != RawTensor.kind { kept = kept.adding(entry.list, by: entry.node, age: entry.age) }
        }
        return kept
    }

    var notes: [String] {
        var notes = ["\(covered) frames with something covered"]
        if whole > 0 { notes.append("\(whole) frames covered whole, for want of results") }
        if dropped > 0 { notes.append("\(dropped) frames dropped, for want of results") }
        return notes
    }
}
