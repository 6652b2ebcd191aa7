// SPDX-License-Identifier: Apache-2.0
internal import Dataflow
internal import Foundation
internal import Pipeline
internal import PipelineLanguage
internal import Workbench

/// Progress and report of a run as JSON, one object per line.
enum RunJSON {
    private struct Latency: Encodable {
        let p50, p95, p99, max: Double

        init(_ summary: LatencySummary) {
            p50 = Double(summary.p50) / 1e6
            p95 = Double(summary.p95) / 1e6
            p99 = Double(summary.p99) / 1e6
            max = Double(summary.max) / 1e6
        }
    }

    private struct Progress: Encodable {
        let event = "progress"
        let seconds: Double
        let fps: Double
        let delivered, dropped, inFlight: UInt64
        let expected: Int?
        let latencyMs: Latency
    }

    private struct Node: Encodable {
        let node: String
        let items: UInt64
        let fps: Double
        let processMs: Latency
        let failed: Bool
    }

    private struct Source: Encodable {
        struct Drop: Encodable {
            let place, cause: String
            let count: UInt64
        }

        let source: String
        let admitted, delivered, deliveredPartly, dropped, inFlight: UInt64
        let drops: [Drop]
    }

    private struct Final: Encodable {
        struct Clause: Encodable {
            let text: String
            let kept: Bool
        }

        let event = "report"
        let seconds: Double
        let nodes: [Node]
        let sources: [Source]
        let latencyMs: Latency
        let notes: [String: [String]]
        let failures: [String: String]
        let balanced: Bool
        let target: [Clause]?
        let ladder: Ladder?
    }

    private struct Ladder: Encodable {
        struct Rung: Encodable {
            let rung: String
            let share: Double
        }

        let changes: Int
        let rungs: [Rung]
        let seconds, fastSeconds, promptSeconds: Int

        init(_ record: TargetRecord) {
            changes = record.changeCount
            rungs = record.rungs.indices.map { Rung(rung: record.rungs[$0], share: record.share(of: $0)) }
            seconds = record.seconds.measured
            fastSeconds = record.seconds.fast
            promptSeconds = record.seconds.prompt
        }
    }

    private struct Step: Encodable {
        let event = "ladder"
        let from, to: Int
        let rung, cause: String
    }

    /// A change of rung.
    static func ladder(_ change: Governor.Change, rung: String) -> String {
        encode(Step(from: change.from, to: change.to, rung: rung, cause: change.cause))
    }

    private struct Message: Encodable { let event, message: String }

    /// A sentence, and the kind of event that it tells of.
    static func message(_ message: String, event: String) -> String { encode(Message(event: event, message: message)) }

    private struct Event: Encodable {
        let event, node, message: String
        let count: UInt64
        let seconds, span: Double
    }

    /// A loss or a fault.
    static func event(_ event: RunEvent, seconds: Double) -> String {
        encode(
            Event(
                event: event.kind.rawValue, node: event.node, message: event.message, count: event.count,
                seconds: seconds, span: event.span))
    }

    /// The figures in the middle of a run.
    static func progress(_ report: RunReport, fps: Double, expected: Int?) -> String {
        encode(
            Progress(
                seconds: Double(report.elapsed) / 1e9, fps: fps,
                delivered: report.sources.reduce(0) { $0 + $1.delivered },
                dropped: report.sources.reduce(0) { $0 + $1.dropped },
                inFlight: report.sources.reduce(0) { $0 + $1.inFlight }, expected: expected,
                latencyMs: Latency(report.endToEnd)))
    }

    /// The report.
    static func final(
        _ report: RunReport, notes: [PipelineRun.Notes], verdict: Verdict?, record: TargetRecord?
    ) -> String {
        encode(
            Final(
                seconds: Double(report.elapsed) / 1e9,
                nodes: report.nodes.map {
                    Node(
                        node: $0.name, items: $0.items, fps: $0.fps, processMs: Latency($0.processTime),
                        failed: $0.hasFailed)
                },
                sources: report.sources.map { source in
                    Source(
                        source: source.name, admitted: source.admitted, delivered: source.delivered,
                        deliveredPartly: source.deliveredPartly, dropped: source.dropped, inFlight: source.inFlight,
                        drops: source.drops.map { .init(place: $0.place, cause: $0.cause.name, count: $0.count) })
                },
                latencyMs: Latency(report.endToEnd),
                notes: Dictionary(notes.map { ($0.node, $0.lines) }, uniquingKeysWith: { $0 + $1 }),
                failures: Dictionary(
                    report.failures.map { ($0.node, $0.message) }, uniquingKeysWith: { first, _ in first }),
                balanced: report.isBalanced,
                target: verdict.map { $0.clauses.map { .init(text: $0.text, kept: $0.isKept) } },
                ladder: record.map { Ladder($0) }))
    }

    private struct Plan: Encodable {
        struct Node: Encodable {
            let node, type: String
            let cpuMs: Double
            let aloneFps: Double?
        }
        struct Rung: Encodable {
            let rung: String
            let cpuMs, fps: Double
            let pacedFps, latencyMs: Double?
        }

        let nodes: [Node]
        let ladder: [Rung]
        let expectedFps: Double
        let sourceFps, latencyMs: Double?
        let cores: Int
        let holdsFps, holdsLatency: Bool
        let holdingRung: Int?
    }

    /// What a pipeline is predicted to do.
    static func plan(_ plan: PipelinePlan) -> String {
        encode(
            Plan(
                nodes: plan.nodes.map {
                    .init(node: $0.id, type: $0.type, cpuMs: $0.cpuPerFrame, aloneFps: $0.serialLimit)
                },
                ladder: plan.rungs.map {
                    .init(
                        rung: $0.name, cpuMs: $0.cpuPerFrame, fps: $0.capacity, pacedFps: $0.pacedRate,
                        latencyMs: $0.latencyP99)
                },
                expectedFps: plan.expectedRate(), sourceFps: plan.sourceRate, latencyMs: plan.rungs[0].latencyP99,
                cores: plan.cores, holdsFps: plan.keepsRate(), holdsLatency: plan.keepsLatency(),
                holdingRung: plan.keepingRung))
    }

    private static func encode(_ value: some Encodable) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Only numbers, texts and lists of them: they always encode, but for a number that is not finite.
        guard let data = try? encoder.encode(value) else { return #"{"event":"error"}"# }
        return String(decoding: data, as: UTF8.self)
    }
}
