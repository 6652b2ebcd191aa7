// SPDX-License-Identifier: Apache-2.0
import InferenceTestSupport
import Foundation
import TestSupport
import Testing

@testable import Pipeline
@testable import PipelineLanguage
@testable import Workbench

@Suite struct PlanTests {
    private let text = #"""
        {"target":{"fps":1},"ladder":[{"thin.fps":500}],"nodes":{
        "bars":{"type":"testpattern","size":"64x64","fps":1000,"frames":10},
        "thin":{"type":"rate","input":"bars","fps":1000},
        "big":{"type":"scale","input":"thin","size":"640x480"},
        "text":{"type":"jsonl","input":"big","path":"/nowhere/at/all.jsonl"},
        "end":{"type":"null","input":"bars"}}}
        """#

    private func pipeline() throws -> ValidatedPipeline {
        try PipelineFile(name: "p.json", text: text).validated(against: NodeRegistry.builtIn.contracts)
    }

    @Test func `a part holds what feeds it, a sink, and writes nowhere near the user's files`() throws {
        let pipeline = try pipeline()
        let part = pipeline.part(feeding: ["big"], on: 1, isPaced: false, folder: "/tmp/x")
        #expect(part.nodes.map(\.id) == ["bars", "thin", "big", "big -> null"])
        #expect(part["thin"]?.settings.value(named: "fps")?.text == "500")
        #expect(part["bars"]?.settings.value(named: "frames")?.text == "0")
        #expect(part.links.allSatisfy { $0.rule.policy == .block })
        let whole = pipeline.part(feeding: ["text", "end"], on: 0, isPaced: false, folder: "/tmp/x")
        #expect(whole.nodes.count == 5)
        #expect(whole["text"]?.settings.value(named: "path")?.text == "/tmp/x/text-all.jsonl")
    }

    @Test(.timeLimit(.minutes(15))) func `a plan measures once, and predicts from what it knows`() throws {
        let scratch = try Scratch()
        var options = PipelinePlan.Options()
        options.table = scratch.file("costs.json")
        options.seconds = 0.3
        var parts: [String] = []
        let plan = try PipelinePlan(
            pipeline(), registry: .builtIn, engine: noEngine(), options: options
        ) { parts.append($0) }
        #expect(plan.nodes.map(\.id) == ["bars", "thin", "big", "text", "end"])
        #expect(parts.contains("the whole pipeline"))
        #expect(plan.measurements >= 4)
        #expect(plan.rungs.count == 2)
        #expect(plan.rungs.allSatisfy { $0.capacity > 1 && $0.cpuPerFrame > 0 })
        #expect(plan.keepsRate())
        #expect(plan.dearest?.id == "big")
        #expect(plan.sourceRate == nil)
        let again = try PipelinePlan(
            pipeline(), registry: .builtIn, engine: noEngine(), options: options)
        #expect(again.measurements == 0)
        #expect(again.rungs[0].capacity == plan.rungs[0].capacity)
        let known = PipelinePlan(remembered: try pipeline(), cores: plan.cores, table: options.table)
        #expect(known?.rungs.map(\.cpuPerFrame) == plan.rungs.map(\.cpuPerFrame))
        #expect(PipelinePlan(remembered: try pipeline(), cores: plan.cores + 1, table: options.table) == nil)
        let start = PipelinePlan.startingRung(cores: plan.cores, table: options.table)(try pipeline())
        #expect(start == StartingRung(costs: plan.rungs.map(\.cpuPerFrame)))
        options.isFresh = true
        #expect(
            try PipelinePlan(
                pipeline(), registry: .builtIn, engine: noEngine(), options: options
            ).measurements == plan.measurements)
        #expect(!FileManager.default.fileExists(atPath: "/nowhere/at/all.jsonl"))
    }

    @Test func `figures are for the same settings only, and a damaged table is an empty one`() throws {
        let scratch = try Scratch()
        let path = scratch.file("costs.json")
        let figures = Rehearsal.Figures(
            cpuPerFrame: 5, fps: 100, latencyP99: 20, foreignCores: 0, nodeMilliseconds: ["a": 1])
        let pipeline = try pipeline()
        let key = CostTable.key(of: pipeline, isPaced: false, isLive: false, cores: 2)
        var table = CostTable(path: path)
        table.store(figures, under: key)
        table.save()
        #expect(CostTable(path: path)[key]?.fps == 100)
        #expect(CostTable(path: path)[CostTable.key(of: pipeline, isPaced: false, isLive: false, cores: 1)] == nil)
        #expect(CostTable(path: path)[CostTable.key(of: pipeline, isPaced: true, isLive: false, cores: 2)] == nil)
        #expect(CostTable(path: path)[CostTable.key(of: pipeline, isPaced: false, isLive: true, cores: 2)] == nil)
        let other = try PipelineFile(name: "p.json", text: text.replacing("640x480", with: "640x360"))
            .validated(against: NodeRegistry.builtIn.contracts)
        #expect(CostTable.key(of: other, isPaced: false, isLive: false, cores: 2) != key)
        // Where it writes does not matter.
        let moved = try PipelineFile(name: "p.json", text: text.replacing("/nowhere", with: "/elsewhere"))
            .validated(against: NodeRegistry.builtIn.contracts)
        #expect(CostTable.key(of: moved, isPaced: false, isLive: false, cores: 2) == key)
        try Data("{not json".utf8).write(to: URL(fileURLWithPath: path))
        #expect(CostTable(path: path)[key] == nil)
        for i in 0..<600 { table.store(figures, under: "\(i)", at: Date(timeIntervalSince1970: Double(i))) }
        #expect(table["99"] == nil)
        #expect(table["599"] != nil)
    }

    // Capacities, source, target; expected rate, whether it holds, first rung that does.
    @Test(
        arguments: [
            ([40.0, 60, 90], 30.0, 25.0, 30.0, true, 0),
            ([20.0, 26, 90], 30.0, 25.0, 20.0, false, 1),
            ([10.0, 12, 14], 30.0, 25.0, 10.0, false, nil),
            ([90.0, 95, 99], 12.5, 25.0, 12.5, false, nil),
        ] as [([Double], Double, Double, Double, Bool, Int?)])
    func `what binds decides`(
        capacities: [Double], source: Double, fps: Double, expected: Double, holds: Bool, rung: Int?
    ) {
        let plan = PipelinePlan(
            nodes: [],
            rungs: capacities.map {
                .init(name: "", cpuPerFrame: 2000 / $0, capacity: $0, pacedRate: nil, latencyP99: nil)
            },
            sourceRate: source, target: PipelineTarget(fps: fps, latencyMilliseconds: 80), cores: 2, foreignCores: 0,
            measurements: 0)
        #expect(plan.expectedRate() == expected)
        #expect(plan.keepsRate() == holds)
        #expect(plan.keepingRung == rung)
    }

    @Test func `what was seen at the source's pace comes before what the costs say, and latency is a promise too`() {
        func rung(_ paced: Double, _ latency: Double) -> PipelinePlan.Rung {
            .init(name: "", cpuPerFrame: 20, capacity: 90, pacedRate: paced, latencyP99: latency)
        }
        let plan = PipelinePlan(
            nodes: [], rungs: [rung(19, 300), rung(25, 300), rung(25, 60)], sourceRate: 25,
            target: PipelineTarget(fps: 25, latencyMilliseconds: 80), cores: 2, foreignCores: 0, measurements: 0)
        #expect(plan.expectedRate() == 19)
        #expect(plan.keepsRate(on: 1) && !plan.keepsLatency(on: 1))
        #expect(plan.keepingRung == 2)
        #expect(plan.shortfall == "19 of 25 fps, latency p99 300 of 80 ms")
    }
}
