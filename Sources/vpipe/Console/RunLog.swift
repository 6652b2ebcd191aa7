// SPDX-License-Identifier: Apache-2.0
internal import Dataflow
internal import Foundation
internal import Pipeline

/// Tells people how a run goes: one live line on a terminal, a line now and then in a log, JSON for programs.
final class RunLog {
    private let run: PipelineRun
    private let format: LogFormat
    private let isQuiet: Bool
    private let isLive: Bool
    private var lastItems: UInt64 = 0
    private var lastElapsed: UInt64 = 0
    private var hasStatusLine = false
    private var meter = RunMeter()
    private let tail = StatusLine()

    init(_ run: PipelineRun, format: LogFormat, isQuiet: Bool) {
        self.run = run
        self.format = format
        self.isQuiet = isQuiet
        isLive = format == .text && !isQuiet && Console.Stream.errors.isTerminal
    }

    /// Seconds between updates.
    var interval: Double { isLive ? 0.25 : 10 }

    /// Says every change of rung as it happens.
    func followLadder() {
        guard !isQuiet else { return }
        run.onLadderChange { [format, isLive] change, rung in
            switch format {
            case .json: Console.line(RunJSON.ladder(change, rung: rung), to: .errors)
            case .text:
                if isLive { Console.print(Console.clearLine, to: .errors) }
                Console.line(RunReportText.ladder(change, rung: rung), to: .errors)
            }
        }
    }

    /// Says every loss and fault as it happens.
    func followEvents() {
        guard !isQuiet else { return }
        let begin = DispatchTime.now().uptimeNanoseconds
        run.onEvent { [format, isLive] event in
            let seconds = Double(DispatchTime.now().uptimeNanoseconds - begin) / 1e9
            switch format {
            case .json: Console.line(RunJSON.event(event, seconds: seconds), to: .errors)
            case .text:
                if isLive { Console.print(Console.clearLine, to: .errors) }
                Console.line(RunReportText.event(event), to: .errors)
            }
        }
    }

    /// Says how far the run is.
    func update() {
        guard !isQuiet else { return }
        let report = run.snapshot()
        guard report.state == .running else { return }
        let items = Self.progress(of: report)
        let elapsed = report.elapsed
        let fps = elapsed > lastElapsed ? Double(items &- lastItems) * 1e9 / Double(elapsed - lastElapsed) : 0
        (lastItems, lastElapsed) = (items, elapsed)
        switch format {
        case .json:
            Console.line(
                RunJSON.progress(report, fps: fps, expected: run.expectedFrames, found: run.resultCounts), to: .errors)
        case .text:
            let line = statusLine(report, items: items, fps: fps)
            if isLive {
                let width = Console.width(of: .errors) - 1
                Console.print(Console.clearLine + tail.text(line, meter.observe(report), width: width), to: .errors)
                hasStatusLine = true
            } else {
                Console.line(line, to: .errors)
            }
        }
    }

    /// A line for a service manager.
    var status: String {
        let report = run.snapshot()
        let dropped = report.sources.reduce(0) { $0 + $1.dropped }
        return "\(Figures.count(Self.progress(of: report))) frames delivered, \(Figures.count(dropped)) dropped"
    }

    /// Prints the report.
    func finish(_ report: RunReport, notes: [PipelineRun.Notes], verdict: Verdict?) {
        if hasStatusLine { Console.print(Console.clearLine, to: .errors) }
        switch format {
        case .json:
            Console.line(RunJSON.final(report, notes: notes, verdict: verdict, record: run.targetRecord), to: .errors)
        case .text:
            let lines = RunReportText.lines(
                report, pipeline: run.pipeline, notes: notes, verdict: verdict, record: run.targetRecord)
            let problems = RunReportText.problems(report)
            for line in isQuiet ? problems : lines + problems { Console.line(line, to: .errors) }
        }
    }

    private func statusLine(_ report: RunReport, items: UInt64, fps: Double) -> String {
        var parts = ["\(Figures.count(items)) frames", "\(Figures.fixed(fps, 1)) fps"]
        let latency = report.endToEnd
        if latency.count > 0 {
            parts.append("latency p50 \(Figures.milliseconds(latency.p50)) p95 \(Figures.milliseconds(latency.p95)) ms")
        }
        let dropped = report.sources.reduce(0) { $0 + $1.dropped }
        parts.append("\(Figures.count(dropped)) dropped")
        if let expected = run.expectedFrames, expected > 0 {
            let share = min(1, Double(items + dropped) / Double(expected))
            parts.append("\(Int(share * 100)) %")
            if share > 0.01, share < 1 {
                parts.append("\(Figures.span(Double(report.elapsed) / 1e9 * (1 - share) / share)) left")
            }
        } else {
            parts.append(Figures.span(Double(report.elapsed) / 1e9))
        }
        return parts.joined(separator: "  ")
    }

    /// Frames that are through: settled by the sources' books.
    private static func progress(of report: RunReport) -> UInt64 {
        report.sources.reduce(0) { $0 + $1.delivered }
    }
}
