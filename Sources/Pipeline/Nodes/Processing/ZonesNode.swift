// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Dataflow
internal import Media
internal import PipelineLanguage
internal import Vision

/// `zones`: counts who crosses lines and who is in areas.
final class ZonesNode: Node, NodeType, AdjustableNode, ReportingNode {
    static let zones = Param.object(
        "zones", changeable: true, synonyms: ["lines", "areas", "polygons"],
        doc:
            "Lines and areas by name: { \"door\": { \"line\": [[x, y], [x, y]] }, \"yard\": { \"polygon\": [[x, y], ...] } }, "
            + "each with \"classes\": [...] where not all count; origin top left")
    static let unit = Param.choice(
        "unit", default: ZoneFile.Unit.fractions, changeable: true,
        docs: ["fractions": "0 to 1 across and down the picture", "pixels": "of the source"],
        doc: "What the numbers of the points are")
    static let anchor = Param.choice(
        "anchor", default: ZoneCounter.Anchor.auto, changeable: true,
        docs: [
            "auto": "the middle of faces, the bottom of everything else", "bottom": "the middle of the bottom edge",
            "centre": "the middle",
        ], doc: "Which point of a box says where it is")
    static let hold = Param.duration(
        "hold", default: .milliseconds(250), seconds: 0...60, changeable: true,
        doc: "How long something must be on each side of a border, before and after, to count")
    static let rearm = Param.duration(
        "rearm", default: .seconds(1), seconds: 0...3600, changeable: true,
        doc: "How long after it counted a track does not count again in the same direction")
    static let margin = Param.number(
        "margin", default: 0.02, range: 0...1, changeable: true,
        doc: "How far beyond a border something must be to be there, as a share of its box's height")

    static let contract = Contract(
        "zones", knownElsewhereAs: ["count", "counter", "roi"], .processing,
        summary: "Counts who crosses lines, and who is in areas and for how long",
        details:
            "Who looks along a line from its first point to its second has `in` on the right. Ways are straight between "
            + "sightings, also over frames in which a track was hidden or nobody looked, so that counts do not depend on the "
            + "frame rate. Only confirmed tracks count; a way begins where the track was first seen. Counts go on when zones are changed while "
            + "running, for those with the same name and shape.",
        inputs: [InputPort(needs: .anyOf([.tracks]))], outputs: [OutputPort(adds: [.zones])],
        parameters: [zones, unit, anchor, hold, rearm, margin],
        examples: [
            .init(
                "A door",
                #"{ "type": "zones", "input": "track", "zones": { "door": { "line": [[0.5, 0.2], [0.5, 0.9]] } } }"#),
            .init(
                "A yard, people only",
                #"{ "type": "zones", "input": "track", "zones": { "yard": { "polygon": [[0, 0.5], [1, 0.5], [1, 1], [0, 1]], "classes": ["person"] } } }"#
            ),
        ], check: { settings in ZoneFile.problems(settings[zones], settings[unit]) })

    /// What the node goes by; changes with the settings.
    private struct Rules {
        var file: ZoneFile
        var options = ZoneCounter.Options()

        init(_ settings: Settings) {
            file = ZoneFile(settings[ZonesNode.zones], settings[ZonesNode.unit])
            options.anchor = settings[ZonesNode.anchor]
            options.hold = settings[ZonesNode.hold].inSeconds
            options.rearm = settings[ZonesNode.rearm].inSeconds
            options.margin = settings[ZonesNode.margin]
        }
    }

    private let id: String
    private var rules: Rules
    private let changes = Mailbox<Rules>()
    private let counter = ZoneCounter([])
    /// The extent of the pictures that the zones were laid over.
    private var extent: Box?
    private var last: [Zone] = []

    static func make(_ node: ValidatedNode, in context: BuildContext) -> BuiltNode {
        .node(ZonesNode(node.id, node.settings))
    }

    init(_ id: String, _ settings: Settings) {
        self.id = id
        rules = Rules(settings)
    }

    func prepare(_ settings: Settings) -> PreparedChange { changes.change(to: Rules(settings)) }

    func process(_ item: Item, to output: Output) -> Disposition {
        if let new = changes.take(for: item.ticket) {
            rules = new
            extent = nil
        }
        output.emit(counted(item.frame))
        return .done
    }

    /// The frame with its zones.
    func counted(_ frame: Frame) -> Frame {
        let picture = Box(x: 0, y: 0, width: Float(frame.picture.width), height: Float(frame.picture.height))
        let extent = frame.map(picture)
        if extent != self.extent {
            self.extent = extent
            counter.change(to: rules.file.definitions(over: extent), rules.options)
        }
        var isLook = false
        frame.annotations.forEach { entry in
            isLook = isLook || (entry.list.kind == Track.kind && !entry.isCarried)
        }
        last = isLook ? counter.update(frame.annotations(Track.self), at: frame.pts.seconds) : counter.unchanged()
        return frame.adding(last, by: id)
    }

    var notes: [String] { last.map { "\($0.name): \($0.entered) in, \($0.left) out" } }
}

/// The parameter `zones`, read.
struct ZoneFile: Sendable {
    /// What the numbers of points are.
    enum Unit: String, CaseIterable, Sendable { case fractions, pixels }

    private var zones: [ZoneCounter.Definition] = []
    private let unit: Unit

    /// Reads what `problems` found nothing wrong with.
    init(_ object: JSONNode, _ unit: Unit) {
        self.unit = unit
        for member in object.members {
            guard let shape = Self.shape(member.value) else { continue }
            let classes = member.value["classes"].map { Set($0.elements.compactMap(\.string)) }
            zones.append(ZoneCounter.Definition(name: member.key, shape: shape, classes: classes))
        }
    }

    /// The zones in pixels, over a picture of that extent.
    func definitions(over extent: Box) -> [ZoneCounter.Definition] {
        guard unit == .fractions else { return zones }
        let map = PictureMap(
            scaleX: extent.width, scaleY: extent.height, offsetX: extent.x, offsetY: extent.y)
        return zones.map { zone in
            var placed = zone
            placed.shape = Zone(name: "", number: 0, shape: zone.shape).mapped(by: map).shape
            return placed
        }
    }

    private static func points(_ node: JSONNode?) -> [Point]? {
        guard let node else { return nil }
        var points: [Point] = []
        for element in node.elements {
            let numbers = element.elements.compactMap(\.number)
            guard numbers.count == 2, element.elements.count == 2 else { return nil }
            points.append(Point(x: Float(numbers[0]), y: Float(numbers[1])))
        }
        return points
    }

    private static func shape(_ node: JSONNode) -> Zone.Shape? {
        if let line = points(node["line"]), line.count == 2, line[0] != line[1] {
            return .line(from: line[0], to: line[1])
        }
        if let polygon = points(node["polygon"]), Set(polygon).count >= 3 { return .polygon(polygon) }
        return nil
    }

    /// What is wrong with the parameter.
    static func problems(_ object: JSONNode, _ unit: Unit) -> [SettingsProblem] {
        var problems: [SettingsProblem] = []
        func report(_ message: String, _ fix: String) {
            problems.append(SettingsProblem(parameter: "zones", message: message, fix: fix))
        }
        let line = "write \"NAME\": { \"line\": [[0.5, 0], [0.5, 1]] } or { \"polygon\": [[0, 0], [1, 0], [1, 1]] }"
        if object.members.isEmpty { report("names no zone", line) }
        for member in object.members {
            let keys = Set(member.value.members.map(\.key))
            let unknown = keys.subtracting(["line", "polygon", "classes", "$comment"]).sorted()
            if let key = unknown.first { report("\(member.key): unknown key \"\(key)\"", line) }
            guard keys.contains("line") != keys.contains("polygon") else {
                report("\(member.key): has \(keys.contains("line") ? "both" : "neither") a line and a polygon", line)
                continue
            }
            if let classes = member.value["classes"],
                classes.elements.isEmpty || classes.elements.contains(where: { $0.string == nil })
            {
                report("\(member.key): \"classes\" is no list of texts", "write [\"person\"], or leave it out for all")
            }
            guard shape(member.value) != nil else {
                let isLine = keys.contains("line")
                report(
                    "\(member.key): a \(isLine ? "line is two different points" : "polygon is three points or more")",
                    line)
                continue
            }
            let corners = points(member.value["line"]) ?? points(member.value["polygon"]) ?? []
            if unit == .fractions, let far = corners.flatMap({ [$0.x, $0.y] }).first(where: { $0 < -1 || $0 > 2 }) {
                report(
                    "\(member.key): \(far) is far beyond the picture, which is 0 to 1 across and down",
                    "say \"unit\": \"pixels\", or divide by the picture's size")
            }
        }
        return problems
    }
}
