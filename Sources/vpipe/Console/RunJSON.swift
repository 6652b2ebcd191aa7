// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Dataflow
internal import Pipeline
internal import PipelineLanguage
internal import Workbench

/// Progress and report of a run as JSON, one object per line.
enum RunJSON {
    /// An event with its time on the wall.
    private static func told(_ event: String, _ members: [(String, JSONDocument?)]) -> String {
        let start: [(String, JSONDocument?)] = [("event", .string(event)), ("time", .string(WallTime.now.rfc3339))]
        return line(start + members)
    }

    /// A change of rung.
    static func ladder(_ change: Governor.Change, rung: String) -> String {
        told(
            "ladder",
            [
                ("from", .integer(change.from)), ("to", .integer(change.to)), ("rung", .string(rung)),
                ("cause", .string(change.cause)),
            ])
    }

    /// A sentence, and the kind of event that it tells of.
    static func message(_ message: String, event: String) -> String {
        told(event, [("message", .string(message))])
    }

    /// A loss or a fault.
    static func event(_ event: RunEvent, seconds: Double) -> String {
        told(
            event.kind.rawValue,
            [
                ("node", .string(event.node)), ("message", .string(event.message)), ("count", count(event.count)),
                ("seconds", .number(seconds)), ("span", .number(event.span)),
            ])
    }

    /// The figures in the middle of a run.
    ///
    /// `found` says how many results each node has made.
    static func progress(_ report: RunReport, fps: Double, expected: Int?, found: [(node: String, count: UInt64)])
        -> String
    {
        let nodes = report.nodes.map { node -> JSONDocument in
            let results = found.first { $0.node == node.name }?.count
            return object([
                ("node", .string(node.name)), ("items", count(node.items)), ("fps", .number(node.fps)),
                ("found", results.map { count($0) }), ("failed", node.hasFailed ? .boolean(true) : nil),
            ])
        }
        let totals: [(String, JSONDocument?)] = [
            ("seconds", .number(Double(report.elapsed) / 1e9)), ("fps", .number(fps)),
            ("delivered", count(report.sources.reduce(0) { $0 + $1.delivered })),
            ("dropped", count(report.sources.reduce(0) { $0 + $1.dropped })),
            ("inFlight", count(report.sources.reduce(0) { $0 + $1.inFlight })),
            ("expected", expected.map { .integer($0) }), ("latencyMs", latency(report.endToEnd)),
        ]
        return told(
            "progress", totals + [("sources", .array(report.sources.map(source))), ("nodes", .array(nodes))])
    }

    /// The report.
    static func final(
        _ report: RunReport, notes: [PipelineRun.Notes], verdict: Verdict?, record: TargetRecord?
    ) -> String {
        let nodes = report.nodes.map { node in
            object([
                ("node", .string(node.name)), ("items", count(node.items)), ("fps", .number(node.fps)),
                ("processMs", latency(node.processTime)), ("failed", .boolean(node.hasFailed)),
            ])
        }
        let clauses = verdict?.clauses.map { clause in
            object([("text", .string(clause.text)), ("kept", .boolean(clause.isKept))])
        }
        return told(
            "report",
            [
                ("seconds", .number(Double(report.elapsed) / 1e9)), ("nodes", .array(nodes)),
                ("sources", .array(report.sources.map(source))), ("latencyMs", latency(report.endToEnd)),
                ("notes", .object(notes.map { ($0.node, .array($0.lines.map { .string($0) })) })),
                ("failures", .object(report.failures.map { ($0.node, .string($0.message)) })),
                ("balanced", .boolean(report.isBalanced)), ("target", clauses.map { .array($0) }),
                ("ladder", record.map(ladder)),
            ])
    }

    /// What a pipeline is predicted to do.
    static func plan(_ plan: PipelinePlan) -> String {
        let nodes = plan.nodes.map { node in
            object([
                ("node", .string(node.id)), ("type", .string(node.type)), ("cpuMs", .number(node.cpuPerFrame)),
                ("aloneFps", node.serialLimit.map { .number($0) }),
                ("notes", node.notes.isEmpty ? nil : .array(node.notes.map { .string($0) })),
            ])
        }
        let ladder = plan.rungs.map { rung in
            object([
                ("rung", .string(rung.name)), ("cpuMs", .number(rung.cpuPerFrame)), ("fps", .number(rung.capacity)),
                ("pacedFps", rung.pacedRate.map { .number($0) }), ("latencyMs", rung.latencyP99.map { .number($0) }),
            ])
        }
        return line([
            ("nodes", .array(nodes)), ("ladder", .array(ladder)), ("expectedFps", .number(plan.expectedRate())),
            ("sourceFps", plan.sourceRate.map { .number($0) }),
            ("latencyMs", plan.rungs[0].latencyP99.map { .number($0) }), ("cores", .integer(plan.cores)),
            ("holdsFps", .boolean(plan.keepsRate())), ("holdsLatency", .boolean(plan.keepsLatency())),
            ("holdingRung", plan.keepingRung.map { .integer($0) }),
        ])
    }

    /// An object on one line; a member without a value is left out.
    static func line(_ members: [(String, JSONDocument?)]) -> String { object(members).compact }

    private static func object(_ members: [(String, JSONDocument?)]) -> JSONDocument {
        .object(members.compactMap { key, value in value.map { (key, $0) } })
    }

    private static func count(_ value: UInt64) -> JSONDocument { .integer(Int(clamping: value)) }

    private static func latency(_ summary: LatencySummary) -> JSONDocument {
        object(
            [("p50", summary.p50), ("p95", summary.p95), ("p99", summary.p99), ("max", summary.max)].map {
                ($0, .number(Double($1) / 1e6))
            })
    }

    private static func source(_ source: RunReport.Source) -> JSONDocument {
        let drops = source.drops.map { drop in
            object([
                ("place", .string(drop.place)), ("cause", .string(drop.cause.name)), ("count", count(drop.count)),
            ])
        }
        return object([
            ("source", .string(source.name)), ("admitted", count(source.admitted)),
            ("delivered", count(source.delivered)), ("deliveredPartly", count(source.deliveredPartly)),
            ("dropped", count(source.dropped)), ("inFlight", count(source.inFlight)), ("drops", .array(drops)),
        ])
    }

    private static func ladder(_ record: TargetRecord) -> JSONDocument {
        let rungs = record.rungs.indices.map { rung in
            object([("rung", .string(record.rungs[rung])), ("share", .number(record.share(of: rung)))])
        }
        return object([
            ("changes", .integer(record.changeCount)), ("rungs", .array(rungs)),
            ("seconds", .integer(record.seconds.measured)), ("fastSeconds", .integer(record.seconds.fast)),
            ("promptSeconds", .integer(record.seconds.prompt)),
        ])
    }
}
