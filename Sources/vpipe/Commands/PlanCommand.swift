// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Pipeline

/// `vpipe plan`.
struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Predict whether a pipeline will hold its target here, which node binds, and what would help.",
        discussion: "Runs each part for a moment on the pipeline's own input; figures are kept for the next plan. "
            + "Nothing is written to the pipeline's outputs. Exit status 3: it will not hold.")

    @OptionGroup var file: PipelineArguments
    @Option(help: ArgumentHelp("Processor cores to count on; all by default.", valueName: "n")) var cores: Int?
    @Flag(help: "Measure everything anew.") var fresh = false
    @Flag(help: "The plan as JSON.") var json = false

    func validate() throws {
        if let cores, !(1...1024).contains(cores) { throw ValidationError("--cores must be 1...1024") }
    }

    func run() throws {
        let pipeline = try file.validated()
        var options = PipelinePlan.Options()
        options.cores = cores
        options.isFresh = fresh
        let isShown = Console.Stream.errors.isTerminal && !json
        let plan: PipelinePlan
        do {
            plan = try PipelinePlan(pipeline, options: options) { part in
                if isShown { Console.print("\r\u{1B}[Kmeasuring \(part)", to: .errors) }
            }
        } catch {
            throw Failure(.failed, "vpipe: \(error)")
        }
        if isShown { Console.print("\r\u{1B}[K", to: .errors) }
        for line in json ? [PlanText.json(plan)] : PlanText.lines(plan) { Console.line(line) }
        if !plan.keepsRate() || !plan.keepsLatency { throw ExitCode(ExitStatus.targetMissed.rawValue) }
    }
}

/// A plan for people and for programs.
enum PlanText {
    /// Table, prediction, remedy.
    static func lines(_ plan: PipelinePlan) -> [String] {
        let total = plan.rungs[0].cpuPerFrame
        var table = TextTable(["node", "type", "CPU ms/frame", "share", "alone fps"], rightAligned: [2, 3, 4])
        for node in plan.nodes {
            table.add([
                node.id, node.type, Figures.fixed(node.cpuPerFrame, 2),
                total > 0 ? "\(Int((node.cpuPerFrame / total * 100).rounded())) %" : "-",
                node.serialLimit.map { Figures.fixed($0, 0) } ?? "-",
            ])
        }
        var lines = table.lines + [""]
        let source = plan.sourceRate.map { ", the source gives \(Figures.fixed($0, 1))" } ?? ""
        lines.append(
            "\(Figures.fixed(total, 1)) CPU ms a frame on \(plan.cores) cores: up to "
                + "\(Figures.fixed(plan.rungs[0].capacity, 1)) fps\(source)")
        if plan.foreignCores >= 0.1 * Double(plan.cores) {
            lines.append(
                "other programs kept \(Figures.fixed(plan.foreignCores, 1)) cores busy meanwhile; the figures are for a "
                    + "machine without them")
        }
        if let latency = plan.latencyP99 {
            lines.append("latency p99 at the source's pace: \(Figures.fixed(latency, 0)) ms")
        }
        if plan.rungs.count > 1 {
            var ladder = TextTable(["ladder", "CPU ms/frame", "up to fps"], rightAligned: [1, 2])
            for (index, rung) in plan.rungs.enumerated() {
                ladder.add([
                    "\(index) \(rung.name)", Figures.fixed(rung.cpuPerFrame, 2), Figures.fixed(rung.capacity, 1),
                ])
            }
            lines += [""] + ladder.lines
        }
        return lines + [""] + judgement(plan)
    }

    private static func judgement(_ plan: PipelinePlan) -> [String] {
        guard let target = plan.target else {
            return ["no target; expect \(Figures.fixed(plan.expectedRate(), 1)) fps"]
        }
        var lines: [String] = []
        if let fps = target.fps {
            let expected = Figures.fixed(plan.expectedRate(), 1)
            let wanted = Figures.fixed(fps, 1)
            if plan.keepsRate() {
                let spare = (plan.rungs[0].capacity / fps - 1) * 100
                lines.append("target \(wanted) fps: WILL HOLD (\(expected) expected, \(Int(spare)) % to spare)")
            } else {
                lines.append("target \(wanted) fps: WILL NOT HOLD (\(expected) expected)")
                lines.append(contentsOf: remedies(plan, fps))
            }
        }
        if let limit = target.latencyMilliseconds, let latency = plan.latencyP99 {
            let text = "\(Figures.fixed(latency, 0)) ms expected"
            lines.append(
                "target \(Figures.fixed(limit, 0)) ms: \(plan.keepsLatency ? "WILL HOLD" : "WILL NOT HOLD") (\(text))")
        }
        return lines
    }

    private static func remedies(_ plan: PipelinePlan, _ fps: Double) -> [String] {
        if let source = plan.sourceRate, source < fps, plan.rungs[0].capacity >= fps {
            return ["  the source is what binds: it gives \(Figures.fixed(source, 1)) fps"]
        }
        var lines: [String] = []
        if let dearest = plan.dearest {
            lines.append("  \(dearest.id) binds, with \(Figures.fixed(dearest.cpuPerFrame, 1)) CPU ms a frame")
        }
        if let rung = plan.keepingRung {
            lines.append(
                "  it will hold on ladder \(rung): \(plan.rungs[rung].name) "
                    + "(\(Figures.fixed(plan.rungs[rung].capacity, 1)) fps)")
        } else {
            let needed = Double(plan.cores) * fps / max(plan.rungs[0].capacity, 0.01)
            lines.append(
                "  no rung of the ladder holds it; as written it needs about \(Figures.fixed(needed, 1)) such cores, "
                    + "or a target of \(Figures.fixed((plan.rungs.map(\.capacity).max() ?? 0) * 0.95, 0)) fps")
        }
        return lines
    }

    /// One object.
    static func json(_ plan: PipelinePlan) -> String { RunJSON.plan(plan) }
}
