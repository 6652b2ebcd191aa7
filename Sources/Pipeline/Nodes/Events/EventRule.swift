// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import PipelineLanguage

/// What makes an event, as the pipeline says it.
struct EventRule: Sendable, Hashable {
    /// What has to be the case.
    enum Condition: Sendable, Hashable {
        /// So many of a class (of anything when nil) are in sight.
        case inSight(classes: Set<String>?, atLeast: Int, score: Float)
        /// So many are in an area, each for so many seconds.
        case inside(zone: String, classes: Set<String>?, atLeast: Int, dwell: Double)
        /// Somebody goes through.
        case passes(zone: String, classes: Set<String>?, direction: Zone.Direction?)
    }

    var name: String
    var condition: Condition

    /// Who makes the rule true in a frame; of rules about passages, each by itself.
    func subjects(_ sight: EventSight) -> [Event.Subject] {
        switch condition {
        case .inSight(let classes, let atLeast, let score):
            let found = sight.subjects.filter { (classes?.contains($0.name) ?? true) && $0.score >= score }
            return found.count >= atLeast ? found : []
        case .inside(let zone, let classes, let atLeast, let dwell):
            let visits = sight.zone(zone)?.inside ?? []
            let found = visits.filter { (classes?.contains($0.name) ?? true) && $0.dwell >= dwell }
            return found.count >= atLeast ? found.map { sight.subject($0.track, $0.name) } : []
        case .passes(let zone, let classes, let direction):
            let passages = sight.zone(zone)?.passages ?? []
            return passages.filter { passage in
                (classes?.contains(passage.name) ?? true) && (direction.map { $0 == passage.direction } ?? true)
            }.map { sight.subject($0.track, $0.name) }
        }
    }
}

/// What a frame shows, as rules look at it.
struct EventSight {
    /// Tracks where there are any, else boxes.
    private(set) var subjects: [Event.Subject] = []
    private var zones: [Zone] = []

    init(_ annotations: FrameAnnotations) {
        var hasTracks = false
        annotations.forEach { hasTracks = hasTracks || $0.list.kind == Track.kind }
        annotations.forEach { entry in
            if let tracks = entry.list.items(Track.self) {
                for track in tracks {
                    subjects.append(
                        Event.Subject(track: track.id, name: track.name, score: track.score, box: track.box))
                }
            } else if let found = entry.list.items(Zone.self) {
                zones += found
            } else if !hasTracks {
                entry.list.forEachBox { box, score, name in
                    subjects.append(Event.Subject(track: nil, name: name, score: score, box: box))
                }
            }
        }
    }

    func zone(_ name: String) -> Zone? { zones.first { $0.name == name } }

    func subject(_ track: Int, _ name: String) -> Event.Subject {
        subjects.first { $0.track == track } ?? Event.Subject(track: track, name: name, score: 0, box: nil)
    }
}

extension EventRule {
    private static let help =
        "write \"NAME\": { \"class\": \"person\" }, { \"zone\": \"yard\", \"dwell\": \"10s\" } or { \"line\": \"door\", "
        + "\"direction\": \"in\" }"
    private static let keys: [String: Set<String>] = [
        "zone": ["zone", "class", "atLeast", "dwell"], "line": ["line", "class", "direction"],
        "class": ["class", "atLeast", "score"],
    ]

    /// The rules that an object names, in its order; what is wrong with it.
    static func read(_ object: JSONNode) -> (rules: [EventRule], problems: [SettingsProblem]) {
        var rules: [EventRule] = []
        var problems: [SettingsProblem] = []
        if object.members.isEmpty {
            problems.append(SettingsProblem(parameter: "rules", message: "names no rule", fix: help))
        }
        for member in object.members {
            switch condition(member.value) {
            case .success(let condition): rules.append(EventRule(name: member.key, condition: condition))
            case .failure(let mistake):
                problems.append(
                    SettingsProblem(parameter: "rules", message: "\(member.key): \(mistake.message)", fix: help))
            }
        }
        return (rules, problems)
    }

    private struct Mistake: Error { let message: String }

    private static func condition(_ rule: JSONNode) -> Result<Condition, Mistake> {
        let written = Set(rule.members.map(\.key)).subtracting(["$comment"])
        let about = written.contains("line") ? "line" : written.contains("zone") ? "zone" : "class"
        if let key = written.subtracting(keys[about] ?? []).sorted().first {
            return .failure(Mistake(message: "\"\(key)\" says nothing of a rule about a \(about)"))
        }
        guard written.contains(about) else {
            return .failure(Mistake(message: "says neither class, zone nor line"))
        }
        var classes: Set<String>?
        if let value = rule["class"] {
            let names = value.string.map { [$0] } ?? value.elements.compactMap(\.string)
            guard !names.isEmpty, value.string != nil || names.count == value.elements.count else {
                return .failure(Mistake(message: "\"class\" is neither a text nor a list of texts"))
            }
            classes = Set(names)
        }
        var atLeast = 1
        if let value = rule["atLeast"] {
            guard let number = value.number, number >= 1, number <= 1e6, number == number.rounded() else {
                return .failure(Mistake(message: "\"atLeast\" is no count of 1 or more"))
            }
            atLeast = Int(number)
        }
        switch about {
        case "class":
            let score = rule["score"].map { $0.number ?? -1 } ?? 0
            guard (0...1).contains(score) else { return .failure(Mistake(message: "\"score\" is not between 0 and 1")) }
            return .success(.inSight(classes: classes, atLeast: atLeast, score: Float(score)))
        case "zone":
            guard let zone = rule["zone"]?.string else {
                return .failure(Mistake(message: "\"zone\" is no text"))
            }
            let dwell = rule["dwell"].map { $0.string.flatMap { parseDuration($0) } } ?? .zero
            guard let dwell else { return .failure(Mistake(message: "\"dwell\" is no duration such as \"10s\"")) }
            return .success(.inside(zone: zone, classes: classes, atLeast: atLeast, dwell: dwell.inSeconds))
        default:
            guard let line = rule["line"]?.string else {
                return .failure(Mistake(message: "\"line\" is no text"))
            }
            let direction = rule["direction"].map { $0.string.flatMap { Zone.Direction(rawValue: $0) } }
            if case .some(.none) = direction {
                return .failure(Mistake(message: "\"direction\" is neither \"in\" nor \"out\""))
            }
            return .success(.passes(zone: line, classes: classes, direction: direction ?? nil))
        }
    }
}
