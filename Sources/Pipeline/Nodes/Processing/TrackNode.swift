// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Dataflow
internal import Media
internal import PipelineLanguage
internal import Vision

/// `track`: gives what is found ids that stay from frame to frame.
final class TrackNode: Node, NodeType, AdjustableNode, ReportingNode {
    /// How tracks move between looks.
    enum Prediction: String, CaseIterable, Sendable { case flow, constant }

    static let method = Param.choice(
        "method", default: BoxTracker.Method.bytetrack,
        docs: [
            "bytetrack": "boxes of low score keep a track, too",
            "ocsort": "by direction; better where paths cross and turn",
        ], doc: "How boxes are followed")
    static let of = Param.string(
        "of", doc: "Id of the node whose boxes are followed; of all nodes when absent"
    ).optional
    static let classes = Param.strings(
        "classes", doc: "What is followed, such as [\"person\"]; all when absent"
    ).optional
    static let lost = Param.duration(
        "lost", default: .seconds(1), seconds: 0.01...3600, changeable: true,
        doc: "How long a track is kept without being seen")
    static let confirm = Param.duration(
        "confirm", seconds: 0...60, changeable: true,
        doc:
            "How long something must be seen without a gap to get an id, twice at least; 30ms with bytetrack, 120ms with "
            + "ocsort when absent"
    ).optional
    static let predict = Param.choice(
        "predict", default: Prediction.flow,
        docs: [
            "flow": "with the picture, the camera's own motion included",
            "constant": "at the speed it had; costs nothing",
        ], doc: "How a track moves while nobody looks")
    static let sure = Param.number(
        "sure", default: 0.6, range: 0...1, changeable: true,
        doc: "Boxes of lower score begin no track: with bytetrack they are matched last, with ocsort not at all")
    static let begin = Param.number(
        "begin", range: 0...1, changeable: true,
        doc: "Score from which a box begins a track; 0.7 with bytetrack, \"sure\" with ocsort when absent"
    ).optional
    static let overlap = Param.number(
        "overlap", range: 0.01...1, changeable: true,
        doc: "Least IoU of where a track should be and a box; 0.1 with bytetrack, 0.3 with ocsort when absent"
    ).optional
    static let trail = Param.duration(
        "trail", default: .seconds(1), seconds: 0...60, changeable: true,
        doc: "How far back the path is kept that is drawn; 0 keeps none")

    static let contract = Contract(
        "track", knownElsewhereAs: ["bytetrack", "ocsort", "sort"], .processing,
        summary: "Follows boxes from frame to frame under an id",
        details:
            "ByteTrack or OC-SORT, with all times in seconds, so that a lower frame rate, `every` and the ladder's steps keep "
            + "ids. Frames that no network looked at have their tracks where they are by then, marked as carried. Boxes of "
            + "different classes are never one track. A track that is not in sight is `lost`, and goes when it was for too long.",
        inputs: [InputPort(needs: .anyOf([.faces, .objects]))], outputs: [OutputPort(adds: [.tracks])],
        parameters: [method, of, classes, lost, confirm, predict, sure, begin, overlap, trail],
        examples: [
            .init("People", #"{ "type": "track", "input": "objects", "classes": ["person"] }"#),
            .init("Faces in a crowd", #"{ "type": "track", "input": "faces", "method": "ocsort", "lost": "2s" }"#),
        ])

    /// What the node goes by; changes with the settings.
    private struct Rules {
        var options: BoxTracker.Options
        var trail: Double

        init(_ settings: Settings) {
            var options = BoxTracker.Options(settings[TrackNode.method])
            options.lost = settings[TrackNode.lost].inSeconds
            if let confirm = settings[TrackNode.confirm] { options.confirm = confirm.inSeconds }
            options.high = Float(settings[TrackNode.sure])
            options.activate = settings[TrackNode.begin].map { Float($0) } ?? max(options.activate, options.high)
            if options.method == .ocsort, settings[TrackNode.begin] == nil { options.activate = options.high }
            if let overlap = settings[TrackNode.overlap] { options.overlap = overlap }
            self.options = options
            trail = settings[TrackNode.trail].inSeconds
        }
    }

    /// The way a track went, a point now and then.
    private struct Trail {
        var points: [Point] = []
        var nextAt = -Double.infinity
        var isOfUse = true
    }

    /// What one node finds, and who follows it.
    private struct Followed {
        let node: String
        let tracker: BoxTracker
        /// The time of the results that the tracker saw last.
        var lookedAt = -Double.infinity
    }

    private static let trailPoints = 16

    private let id: String
    private let of: String?
    private let classes: Set<String>?
    private let usesFlow: Bool
    private var rules: Rules
    private let changes = Mailbox<Rules>()
    private var followed: [Followed] = []
    /// Names of classes, by the labels that the trackers know them by.
    private var names: [String] = []
    private var ids = 0
    private var trails: [Int: Trail] = [:]
    private var found: [BoxTracker.Observation] = []
    private let carrier = MotionCarrier()
    private var lastNumber: UInt64?

    static func make(_ node: ValidatedNode, in context: BuildContext) -> BuiltNode {
        .node(TrackNode(node.id, node.settings))
    }

    init(_ id: String, _ settings: Settings) {
        self.id = id
        of = settings[Self.of]
        classes = settings[Self.classes].map { Set($0) }
        usesFlow = settings[Self.predict] == .flow
        rules = Rules(settings)
    }

    func prepare(_ settings: Settings) -> PreparedChange { changes.change(to: Rules(settings)) }

    func process(_ item: Item, to output: Output) -> Disposition {
        if let new = changes.take(for: item.ticket) {
            rules = new
            for entry in followed { entry.tracker.options = new.options }
        }
        output.emit(tracked(item.frame))
        return .done
    }

    /// The frame with its tracks.
    func tracked(_ frame: Frame) -> Frame {
        guard frame.stream.hasSignal else {
            carrier.reset()
            lastNumber = nil
            return frame
        }
        let time = frame.pts.seconds
        move(to: frame, time)
        var lookedAt = -Double.infinity
        frame.annotations.forEach { entry in
            guard entry.list.kind != Track.kind, entry.list.hasBoxes, of == nil || of == entry.node else { return }
            look(entry, at: time, rate: frame.stream.frameRate)
        }
        for entry in followed { lookedAt = max(lookedAt, entry.lookedAt) }
        guard lookedAt.isFinite else { return frame }
        let age = time - lookedAt
        return frame.adding(tracks(at: time), by: id, age: age > 1e-6 ? age : nil)
    }

    private func move(to frame: Frame, _ time: Double) {
        guard usesFlow else {
            for entry in followed { entry.tracker.move(to: time) }
            return
        }
        let number = frame.ticket.sequence
        carrier.append(frame.picture, number: number)
        defer { lastNumber = number }
        guard let lastNumber else { return }
        let (there, back) = (frame.map.inverse, frame.map)
        for entry in followed {
            entry.tracker.move(to: time) { box in
                carrier.motion(inside: there(box), since: lastNumber).map {
                    Point(x: $0.x * back.scaleX, y: $0.y * back.scaleY)
                }
            }
        }
    }

    /// Shows a tracker what its node found in this frame; what was carried from an earlier one is no news.
    private func look(_ entry: FrameAnnotations.Entry, at time: Double, rate: Rational) {
        guard !entry.isCarried else { return }
        if !followed.contains(where: { $0.node == entry.node }) {
            let interval = rate.value.map { 1 / $0 } ?? 0.04
            let tracker = BoxTracker(rules.options, interval: interval) { [unowned self] in
                ids += 1
                return ids
            }
            followed.append(Followed(node: entry.node, tracker: tracker))
        }
        guard let index = followed.firstIndex(where: { $0.node == entry.node }) else { return }
        found.removeAll(keepingCapacity: true)
        entry.list.forEachBox { box, score, name in
            guard classes?.contains(name) ?? true else { return }
            found.append(BoxTracker.Observation(box: box, score: score, label: label(of: name)))
        }
        followed[index].tracker.look(at: found, time: time)
        followed[index].lookedAt = time
    }

    private func label(of name: String) -> Int {
        if let known = names.firstIndex(of: name) { return known }
        names.append(name)
        return names.count - 1
    }

    private func tracks(at time: Double) -> [Track] {
        var tracks: [Track] = []
        for id in trails.keys { trails[id]?.isOfUse = false }
        for entry in followed {
            for track in entry.tracker.tracks where track.id != 0 {
                tracks.append(
                    Track(
                        id: track.id, box: track.box, score: track.score, name: names[track.label],
                        state: track.isSeen ? .seen : .lost, duration: max(0, time - track.firstSeen),
                        velocity: track.velocity, start: track.firstBox, trail: trail(of: track, at: time)))
            }
        }
        if trails.count > tracks.count { trails = trails.filter { $0.value.isOfUse } }
        return tracks
    }

    private func trail(of track: BoxTracker.Followed, at time: Double) -> [Point] {
        guard rules.trail > 0 else { return [] }
        var trail = trails[track.id] ?? Trail()
        trails[track.id] = nil
        let points = trail.points
        if time >= trail.nextAt {
            if trail.points.count == Self.trailPoints { trail.points.removeFirst() }
            let (x, y) = (track.box.x + track.box.width / 2, track.box.y + track.box.height / 2)
            trail.points.append(Point(x: x, y: y))
            trail.nextAt = time + rules.trail / Double(Self.trailPoints)
        }
        trail.isOfUse = true
        trails[track.id] = trail
        return points
    }

    var notes: [String] { ["\(ids) tracks"] }
}
