// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Dataflow
internal import Pipeline
internal import PipelineLanguage

/// A pipeline's graph and its changeable parameters, for the page; nothing else of a file leaves the machine.
enum PreviewGraph {
    static func text(_ pipeline: ValidatedPipeline, views: [PreviewView]) -> String {
        let nodes = pipeline.nodes.filter(\.reachesSink).map { node -> JSONDocument in
            .object([
                ("id", .string(node.id)), ("type", .string(node.type)),
                ("category", .string(node.contract.category.rawValue)), ("live", .boolean(node.isLive)),
                ("inputs", .array(node.inputs.map { .string($0.from) })),
                (
                    "parameters",
                    .array(node.contract.parameters.filter(\.isChangeable).compactMap { parameter($0, of: node) })
                ),
            ])
        }
        var target: [(String, JSONDocument)] = []
        if let fps = pipeline.target?.fps { target.append(("fps", .number(fps))) }
        if let latency = pipeline.target?.latencyMilliseconds { target.append(("latencyMs", .number(latency))) }
        return JSONDocument.object([
            ("type", "graph"), ("name", .string(pipeline.name ?? "pipeline")), ("version", .string(Product.version)),
            ("nodes", .array(nodes)), ("views", .array(views.map { .string($0.name) })), ("target", .object(target)),
            ("rungs", .array((0..<pipeline.ladder.rungCount).map { .string(pipeline.ladder.name(of: $0)) })),
        ]).compact
    }

    private static func parameter(_ spec: ParamSpec, of node: ValidatedNode) -> JSONDocument? {
        var members: [(String, JSONDocument)] = [
            ("name", .string(spec.name)), ("doc", .string(spec.doc)), ("rebuilds", .boolean(spec.rebuildsNetwork)),
        ]
        switch spec.kind {
        case .boolean: members.append(("kind", "boolean"))
        case .integer: members.append(("kind", "integer"))
        case .number: members.append(("kind", "number"))
        case .enumeration(let choices):
            members += [("kind", "choice"), ("choices", .array(choices.map { .string($0.value) }))]
        case .size, .duration, .rate, .bitrate, .bytes: members.append(("kind", "text"))
        // Paths, addresses and whatever else may hold a secret stay here.
        case .string, .path, .url, .strings, .numbers, .object: return nil
        }
        if let unit = spec.unit { members.append(("unit", .string(unit))) }
        if let low = spec.limits.lowest { members.append(("min", .number(low))) }
        if let high = spec.limits.highest { members.append(("max", .number(high))) }
        if let value = node.settings.value(named: spec.name) { members.append(("value", value.document)) }
        return .object(members)
    }
}

/// A run at one instant, for the page.
struct PreviewState {
    let figures: RunFigures
    let reading: RunMeter.Reading
    let preview: PreviewFigures
    /// Processor cores in use.
    let cores: Double
    /// Since the preview began.
    let seconds: Double

    /// A point of the charts: seconds, fps, p50 and p99 in ms, cores, MB, drops per second, rung.
    var sample: String {
        let values = [
            seconds, reading.fps, Double(reading.endToEnd.p50) / 1e6, Double(reading.endToEnd.p99) / 1e6, cores,
            Double(figures.usage.residentBytes) / 1e6, reading.dropRate, Double(figures.rung),
        ]
        return JSONDocument.array(values.map(Self.number)).compact
    }

    /// - Parameter isSample: whether it also is a point of the charts.
    func text(isSample: Bool) -> String {
        let report = figures.report
        let nodes = zip(reading.nodes, report.nodes).map { now, total -> JSONDocument in
            .array([
                .string(now.name), Self.number(now.fps), Self.milliseconds(now.processTime.p50),
                Self.milliseconds(now.processTime.p99), .integer(Int(clamping: total.items)), .boolean(total.hasFailed),
            ])
        }
        let edges = zip(reading.edges, report.edges).map { now, total -> JSONDocument in
            let ends = RunMeter.ends(of: now.name)
            return .array([
                .string(ends.from), .string(ends.to), .integer(total.queued), .integer(total.capacity),
                Self.number(now.level), .integer(Int(clamping: total.dropped)), Self.number(now.dropRate),
            ])
        }
        let drops = report.sources.flatMap(\.drops).map { drop -> JSONDocument in
            .array([.string(drop.place), .string(drop.cause.name), .integer(Int(clamping: drop.count))])
        }
        func sum(_ part: (RunReport.Source) -> UInt64) -> JSONDocument {
            .integer(Int(clamping: report.sources.reduce(0) { $0 + part($1) }))
        }
        var members: [(String, JSONDocument)] = [
            ("type", "state"), ("t", Self.number(seconds)), ("nodes", .array(nodes)), ("edges", .array(edges)),
            ("drops", .array(drops)), ("in", sum(\.admitted)), ("delivered", sum(\.delivered)),
            ("dropped", sum(\.dropped)), ("fps", Self.number(reading.fps)),
            ("p50", Self.milliseconds(reading.endToEnd.p50)), ("p99", Self.milliseconds(reading.endToEnd.p99)),
            ("rung", .integer(figures.rung)), ("cores", Self.number(cores)),
            ("memory", .integer(figures.usage.residentBytes)), ("running", .boolean(report.state == .running)),
            ("viewers", .integer(preview.viewers)), ("skipped", .integer(Int(clamping: preview.skipped))),
            ("drawnP50", Self.milliseconds(preview.drawn.p50)), ("drawnP95", Self.milliseconds(preview.drawn.p95)),
            ("down", .array(figures.peers.filter { !$0.isUp }.map { .string($0.node) })),
        ]
        if let binding = reading.binding { members.append(("binding", .string(binding))) }
        if let target = figures.target {
            members.append(
                (
                    "held",
                    .array([
                        .integer(target.seconds.measured), .integer(target.seconds.fast),
                        .integer(target.seconds.prompt),
                    ])
                ))
        }
        let text = JSONDocument.object(members).compact
        return isSample ? String(text.dropLast()) + #","sample":\#(sample)}"# : text
    }

    private static func number(_ value: Double) -> JSONDocument { .number((value * 100).rounded() / 100) }
    private static func milliseconds(_ value: UInt64) -> JSONDocument { number(Double(value) / 1e6) }
}
