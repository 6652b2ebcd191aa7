// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Basics
internal import Dataflow
internal import Media
internal import PipelineLanguage
internal import Synchronization

/// `events`: makes events of what is found, tracked and counted.
final class EventsNode: Node, NodeType, AdjustableNode, ReportingNode {
    static let rules = Param.object(
        "rules", changeable: true,
        doc:
            "What makes an event, by name: { \"visitor\": { \"class\": \"person\" } } while one is in sight, { \"zone\": "
            + "\"yard\", \"dwell\": \"10s\" } while one is in an area, { \"line\": \"door\", \"direction\": \"in\" } when one "
            + "goes over a line; \"atLeast\" asks for more than one, \"class\" takes a list, too")
    static let hold = Param.duration(
        "hold", default: .milliseconds(500), seconds: 0...3600, changeable: true,
        doc: "How long a rule must be true before its event begins")
    static let release = Param.duration(
        "release", default: .seconds(2), seconds: 0...3600, changeable: true,
        doc: "How long a rule must be false before its event ends")
    static let rearm = Param.duration(
        "rearm", default: .zero, seconds: 0...86_400, changeable: true,
        doc: "How long after an event the next of its rule may begin")
    static let update = Param.duration(
        "update", default: .seconds(10), seconds: 0...86_400, changeable: true,
        doc: "How often an event that goes on is told of; 0 only when a frame shows it better")

    static let contract = Contract(
        "events", .processing, summary: "Makes events of what is found, tracked and counted: new, update, end",
        details:
            "Each event has an id, the wall clock and the stream's time of its start and end, and who takes part. Frames carry "
            + "the news of their instant; `jsonl` and `csv` tell it on. A passage over a line is new and at an end at once.",
        inputs: [InputPort(needs: .any)], outputs: [OutputPort(adds: [.events])],
        parameters: [rules, hold, release, rearm, update],
        examples: [
            .init(
                "Somebody at the door",
                #"{ "type": "events", "input": "zones", "rules": { "visitor": { "zone": "porch", "class": "person" } } }"#
            ),
            .init(
                "Who comes in",
                #"{ "type": "events", "input": "zones", "rules": { "in": { "line": "door", "direction": "in" } } }"#
            ),
        ], check: { settings in EventRule.read(settings[rules]).problems })

    /// What the node goes by; changes with the settings.
    private struct Rules {
        var rules: [EventRule]
        var options = EventBook.Options()

        init(_ settings: Settings) {
            rules = EventRule.read(settings[EventsNode.rules]).rules
            options.hold = settings[EventsNode.hold].inSeconds
            options.release = settings[EventsNode.release].inSeconds
            options.rearm = settings[EventsNode.rearm].inSeconds
            options.update = settings[EventsNode.update].inSeconds
        }
    }

    private let id: String
    private var book: EventBook
    private let changes = Mailbox<Rules>()
    private let wall: (Ticket) -> WallTime

    static func make(_ node: ValidatedNode, in context: BuildContext) -> BuiltNode {
        .node(EventsNode(node.id, node.settings))
    }

    /// - Parameter wall: when a frame was captured; tests have a clock of their own.
    init(_ id: String, _ settings: Settings, wall: ((Ticket) -> WallTime)? = nil) {
        self.id = id
        let rules = Rules(settings)
        book = EventBook(rules.rules, rules.options, makeID: Self.makeIDs())
        self.wall = wall ?? { WallTime.of(instant: $0.capturedAt, present: MonotonicClock.system.now()) }
    }

    /// Ids by the instant of the start and the rule, with a number where that was there already.
    private static func makeIDs() -> @Sendable (Event.Instant, String) -> String {
        let last = Mutex((text: "", count: 0))
        return { start, rule in
            let text = "\(start.wall.nanoseconds / 1_000_000)-\(rule)"
            return last.withLock { last in
                last = last.text == text ? (text, last.count + 1) : (text, 1)
                return last.count == 1 ? text : "\(text)-\(last.count)"
            }
        }
    }

    func prepare(_ settings: Settings) -> PreparedChange { changes.change(to: Rules(settings)) }

    func process(_ item: Item, to output: Output) -> Disposition {
        if let new = changes.take(for: item.ticket) { book.change(to: new.rules, new.options) }
        output.emit(judged(item.frame))
        return .done
    }

    /// The frame with its news.
    func judged(_ frame: Frame) -> Frame {
        let now = Event.Instant(wall: wall(frame.ticket), pts: frame.pts.seconds)
        let news = book.update(EventSight(frame.annotations), source: frame.stream.source, at: now)
        return frame.adding(news, by: id)
    }

    var notes: [String] { ["\(book.begun) events"] }
}
