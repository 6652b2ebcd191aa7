// SPDX-License-Identifier: Apache-2.0
import Basics
import Dataflow
import Media

@testable import Pipeline
@testable import PipelineLanguage

/// `scripted-events`: tells of events at the times that a test names, as `events` does of what it sees.
final class ScriptedEvents: Node, NodeType {
    static let script = Param.strings("script", doc: "Each \"rule start end\" in seconds; without an end it stays open")
    static let hold = Param.number(
        "delay", default: 0, range: 0...100, doc: "Seconds after which starts and ends are told")
    static let contract = Contract(
        "scripted-events", .processing, summary: "Tells of events", outputs: [OutputPort(adds: [.events])],
        parameters: [script, hold])

    static let registry: NodeRegistry = {
        var registry = NodeRegistry.builtIn
        do { try registry.register(ScriptedEvents.self) } catch { preconditionFailure("\(error)") }
        return registry
    }()

    private struct Line {
        let rule: String
        let start: Double
        let end: Double?
        var hasBegun = false
        var hasEnded = false
    }

    private let id: String
    private let delay: Double
    private var lines: [Line]

    static func make(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode {
        .node(ScriptedEvents(node.id, node.settings))
    }

    private init(_ id: String, _ settings: Settings) {
        self.id = id
        delay = settings[Self.hold]
        lines = settings[Self.script].map { text in
            let words = text.split(separator: " ")
            return Line(
                rule: String(words[0]), start: Double(words[1]) ?? 0, end: words.count > 2 ? Double(words[2]) : nil)
        }
    }

    func process(_ item: Item, to output: Output) -> Disposition {
        let now = item.frame.pts.seconds
        let captured = WallTime.of(instant: item.ticket.capturedAt, present: output.now)
        func instant(_ pts: Double) -> Event.Instant {
            .init(wall: WallTime(nanoseconds: captured.nanoseconds - Int64((now - pts) * 1e9)), pts: pts)
        }
        var news: [Event] = []
        for (number, line) in lines.enumerated() {
            var event = Event(
                id: "17723520047\(10 + number)-\(line.rule)", rule: line.rule, source: "v", phase: .new,
                now: instant(now),
                start: instant(line.start))
            if !line.hasBegun, now + 1e-6 >= line.start + delay {
                lines[number].hasBegun = true
                news.append(event)
            }
            if !line.hasEnded, let end = line.end, now + 1e-6 >= end + delay {
                lines[number].hasEnded = true
                (event.phase, event.end) = (.end, instant(end))
                news.append(event)
            }
        }
        output.emit(item.frame.adding(news, by: id))
        return .done
    }
}
