// SPDX-License-Identifier: Apache-2.0
internal import Dataflow
internal import Pipeline
internal import PipelineLanguage

/// The report at the end of a run, for people.
enum RunReportText {
    /// The figures: nodes, books, verdict.
    static func lines(
        _ report: RunReport, pipeline: ValidatedPipeline, notes: [PipelineRun.Notes], verdict: Verdict?,
        record: TargetRecord?
    ) -> [String] {
        var table = TextTable(
            ["node", "type", "items", "fps", "p50 ms", "p95 ms", "p99 ms", "wait p95 ms", "dropped"],
            rightAligned: [2, 3, 4, 5, 6, 7, 8])
        for node in report.nodes {
            let inputs = report.edges.filter {
                $0.name.hasSuffix("-> \(node.name)") || $0.name.contains("-> \(node.name).")
            }
            let wait = inputs.map(\.wait.p95).max()
            let dropped =
                report.sources.flatMap(\.drops).filter { $0.place == node.name }.reduce(0) { $0 + $1.count }
                + inputs.reduce(0) { $0 + $1.dropped }
            table.add([
                node.name, pipeline[node.name]?.type ?? "", Figures.count(node.items), Figures.fixed(node.fps, 1),
                Figures.milliseconds(node.processTime.p50), Figures.milliseconds(node.processTime.p95),
                Figures.milliseconds(node.processTime.p99), wait.map { Figures.milliseconds($0) } ?? "-",
                Figures.count(dropped),
            ])
        }
        var lines = table.lines + [""]
        for source in report.sources {
            var line =
                "\(source.name): \(Figures.count(source.admitted)) frames in = "
                + "\(Figures.count(source.delivered)) delivered + \(Figures.count(source.dropped)) dropped"
            if source.inFlight > 0 { line += " + \(source.inFlight) in flight" }
            if source.deliveredPartly > 0 { line += "; \(Figures.count(source.deliveredPartly)) missed some branch" }
            lines.append(line)
            for drop in source.drops where drop.count > 0 {
                lines.append("  dropped \(Figures.count(drop.count)) at \(drop.place): \(drop.cause.name)")
            }
        }
        let latency = report.endToEnd
        if latency.count > 0 {
            lines.append(
                "source to sink: p50 \(Figures.milliseconds(latency.p50)), p95 \(Figures.milliseconds(latency.p95)), "
                    + "p99 \(Figures.milliseconds(latency.p99)), max \(Figures.milliseconds(latency.max)) ms")
        }
        for note in notes {
            for line in note.lines { lines.append("\(note.node): \(line)") }
        }
        let seconds = Double(report.elapsed) / 1e9
        let delivered = report.sources.reduce(0) { $0 + $1.delivered }
        let rate = seconds > 0 ? Double(delivered) / seconds : 0
        lines.append("\(Figures.count(delivered)) frames in \(Figures.span(seconds)), \(Figures.fixed(rate, 1)) fps")
        if let record, record.changeCount > 0 {
            for rung in record.rungs.indices where record.nanoseconds[rung] > 0 {
                lines.append(
                    "ladder \(rung), \(record.rungs[rung]): \(Figures.fixed(record.share(of: rung) * 100, 1)) % of the time"
                )
            }
            lines.append("ladder: \(Figures.count(UInt64(record.changeCount))) changes")
        }
        if let verdict {
            for clause in verdict.clauses {
                lines.append("target \(clause.isKept ? "kept" : "MISSED"): \(clause.text)")
            }
        }
        return lines
    }

    /// One change of rung.
    static func ladder(_ change: Governor.Change, rung: String) -> String {
        "ladder \(change.from) -> \(change.to) (\(rung)): \(change.cause)"
    }

    /// A loss or a fault.
    static func event(_ event: RunEvent) -> String {
        let often = event.count > 1 ? " (\(Figures.count(event.count)) times)" : ""
        let span = event.span >= 1 ? " in \(Figures.span(event.span))" : ""
        switch event.kind {
        case .lost: return "\(event.node): lost: \(event.message)\(often)"
        case .returned: return "\(event.node): back\(often)"
        case .flawed: return "\(event.node): \(Figures.count(event.count)) \(event.message)\(span)"
        case .dropped:
            let frames = event.count == 1 ? "1 frame" : "\(Figures.count(event.count)) frames"
            return "\(event.node): \(frames) dropped\(span): \(event.message)"
        case .clock: return "the system's \(event.node) \(event.message)"
        case .failed: return "error: nodes.\(event.node): \(event.message)"
        case .changed: return "changed: \(event.node).\(event.message)"
        }
    }

    /// What went wrong.
    static func problems(_ report: RunReport) -> [String] {
        var lines = report.failures.map { "error: nodes.\($0.node): \($0.message)" }
        lines += report.ledgerErrors.map { "error: the books do not balance: \($0)" }
        if report.state == .aborted { lines.append("error: aborted") }
        return lines
    }
}
