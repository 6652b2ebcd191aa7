// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
internal import Basics
import Pipeline
internal import PipelineLanguage
internal import Workbench

/// `vpipe plan`.
struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Predict whether a pipeline will hold its target here, which node binds, and what would help.",
        discussion: "Runs each part for a moment on the pipeline's own input; figures are kept for the next plan. "
            + "Its sources are opened, cameras and servers among them. Nothing is written to its outputs, and no device, "
            + "server or peer is fed: a stand-in does the same work for nobody. Exit status 3: it will not hold.")

    @OptionGroup var file: PipelineArguments
    @Option(help: ArgumentHelp("Processor cores to count on; all by default.", valueName: "n")) var cores: Int?
    @Flag(help: "Measure everything anew.") var fresh = false
    @Flag(help: "The plan as JSON.") var json = false

    func validate() throws {
        if let cores, !(1...1024).contains(cores) { throw ValidationError("--cores must be 1...1024") }
    }

    func run() throws {
        let interruption = Interruption()
        defer { withExtendedLifetime(interruption) {} }
        let pipeline = try file.validated()
        var options = PipelinePlan.Options()
        options.cores = cores
        options.isFresh = fresh
        let isShown = Console.Stream.errors.isTerminal && !json
        let plan: PipelinePlan
        do {
            plan = try PipelinePlan(
                pipeline, registry: Installation.registry, engine: Installation.engine, options: options
            ) { part in
                if isShown { Console.print(Console.clearLine + "measuring \(printable(part))", to: .errors) }
            }
        } catch {
            throw Failure(starting: error)
        }
        if isShown { Console.print(Console.clearLine, to: .errors) }
        if json { return Console.print(PlanText.json(plan) + "\n") }
        for line in PlanText.lines(plan) { Console.line(line) }
        if plan.keepingRung == nil { throw ExitCode(ExitStatus.targetMissed.rawValue) }
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
        lines += plan.nodes.flatMap { node in node.notes.map { "\(node.id): \($0)" } }
        let source = plan.sourceRate.map { ", the source gives \(Figures.fixed($0, 1))" } ?? ""
        lines.append(
            "\(Figures.fixed(total, 1)) CPU ms a frame on \(plan.cores) cores: up to "
                + "\(Figures.fixed(plan.rungs[0].capacity, 1)) fps\(source)")
        if plan.foreignCores >= 0.1 * Double(plan.cores) {
            lines.append(
                "other programs kept \(Figures.fixed(plan.foreignCores, 1)) cores busy meanwhile; the figures are for a "
                    + "machine without them")
        }
        if let latency = plan.rungs[0].latencyP99 {
            lines.append("latency p99 at the source's pace: \(Figures.fixed(latency, 0)) ms")
        }
        if plan.rungs.count > 1 {
            var ladder = TextTable(
                ["ladder", "CPU ms/frame", "up to fps", "paced fps", "p99 ms"], rightAligned: [1, 2, 3, 4])
            for (index, rung) in plan.rungs.enumerated() {
                ladder.add([
                    "\(index) \(rung.name)", Figures.fixed(rung.cpuPerFrame, 2), Figures.fixed(rung.capacity, 1),
                    rung.pacedRate.map { Figures.fixed($0, 1) } ?? "-",
                    rung.latencyP99.map { Figures.fixed($0, 0) } ?? "-",
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
        let promises = [
            target.fps.map { "\(Figures.fixed($0, 1)) fps" },
            target.latencyMilliseconds.map { "p99 within \(Figures.fixed($0, 0)) ms" },
        ].compactMap { $0 }.joined(separator: ", ")
        switch plan.keepingRung {
        case 0:
            let spare = target.fps.map { ", \(Int((plan.rungs[0].capacity / $0 - 1) * 100)) % to spare" } ?? ""
            return ["target \(promises): WILL HOLD (\(expectation(plan, on: 0))\(spare))"]
        case let rung?:
            return [
                "target \(promises): WILL HOLD ON LADDER \(rung) (\(expectation(plan, on: rung))), where run begins",
                "  as written \(expectation(plan, on: 0))\(binding(plan))",
            ]
        case nil:
            return ["target \(promises): WILL NOT HOLD (\(expectation(plan, on: 0)))"] + remedies(plan, target)
        }
    }

    private static func expectation(_ plan: PipelinePlan, on rung: Int) -> String {
        let latency = plan.rungs[rung].latencyP99.map { ", p99 \(Figures.fixed($0, 0)) ms" } ?? ""
        return "\(Figures.fixed(plan.expectedRate(on: rung), 1)) fps\(latency) expected"
    }

    private static func binding(_ plan: PipelinePlan) -> String {
        plan.dearest.map { "; \($0.id) binds, with \(Figures.fixed($0.cpuPerFrame, 1)) CPU ms a frame" } ?? ""
    }

    private static func remedies(_ plan: PipelinePlan, _ target: PipelineTarget) -> [String] {
        guard let fps = target.fps, !plan.rungs.indices.contains(where: { plan.keepsRate(on: $0) }) else {
            return [
                "  its frame rate holds, its latency does not: allow more, or shorten what is between\(binding(plan))"
            ]
        }
        if let source = plan.sourceRate, source < fps, plan.rungs[0].capacity >= fps {
            return ["  the source is what binds: it gives \(Figures.fixed(source, 1)) fps"]
        }
        let best = plan.rungs.indices.map { plan.expectedRate(on: $0) }.max() ?? 0
        let needed = Double(plan.cores) * fps / max(plan.rungs[0].capacity, 0.01)
        let ladder = plan.rungs.count > 1 ? "no rung of the ladder holds it; " : ""
        return [
            "  \(ladder)as written it needs about \(Figures.fixed(needed, 1)) such cores, "
                + "or a target of \(Figures.fixed(best * 0.95, 0)) fps\(binding(plan))"
        ]
    }

    /// One object.
    static func json(_ plan: PipelinePlan) -> String { RunJSON.plan(plan) }
}
