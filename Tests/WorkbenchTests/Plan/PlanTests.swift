// SPDX-License-Identifier: Apache-2.0
import InferenceTestSupport
import Foundation
import Networks
import TestPeers
import TestSupport
import Testing

@testable import Pipeline
@testable import PipelineLanguage
@testable import Workbench

@Suite(.serialized) struct PlanTests {
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

    /// A pipeline of built-in nodes, given as the text of its `nodes`.
    private static func validated(_ nodes: String) throws -> ValidatedPipeline {
        try PipelineFile(name: "p.json", text: #"{"nodes":{\#(nodes)}}"#).validated(
            against: NodeRegistry.builtIn.contracts)
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
        #expect(plan.sourceRate == nil)
        let again = try PipelinePlan(
            pipeline(), registry: .builtIn, engine: noEngine(), options: options)
        #expect(again.measurements == 0)
        #expect(again.rungs[0].capacity == plan.rungs[0].capacity)
        let known = PipelinePlan(remembered: try pipeline(), cores: plan.cores, table: options.table)
        #expect(known?.rungs.map(\.cpuPerFrame) == plan.rungs.map(\.cpuPerFrame))
        #expect(PipelinePlan(remembered: try pipeline(), cores: plan.cores + 1, table: options.table) == nil)
        let start = PipelinePlan.startingRung(
            engine: try noEngine(), cores: plan.cores, table: options.table)(try pipeline())
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
        let figures = TrialRun.Figures(
            cpuPerFrame: 5, fps: 100, latencyP99: 20, foreignCores: 0, nodeMilliseconds: ["a": 1], notes: ["a": ["b"]])
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

    @Test(.timeLimit(.minutes(15))) func `a plan feeds no device and no server, and leaves no files`() throws {
        let scratch = try Scratch()
        let server = try LocalSocket(listens: true)
        let text = #"""
            {"nodes":{"bars":{"type":"testpattern","size":"64x64","frames":10},
            "webcam":{"type":"camera-out","input":"bars","device":"/dev/no-such-video"},
            "push":{"type":"stream","input":"bars","url":"tcp://127.0.0.1:\#(server.port)","preset":"ultrafast"}}}
            """#
        let pipeline = try PipelineFile(name: "p.json", text: text).validated(against: NodeRegistry.builtIn.contracts)
        var options = PipelinePlan.Options()
        options.table = scratch.file("costs.json")
        options.seconds = 0.2
        let plan = try PipelinePlan(pipeline, registry: .builtIn, engine: noEngine(), options: options)
        #expect(plan.nodes.map(\.id) == ["bars", "webcam", "push"])
        #expect(plan.rungs[0].capacity > 0)
        #expect(!server.isCalled)
    }

    @Test(.timeLimit(.minutes(15))) func `a guest's sink that feeds a broker is replaced by its stand-in`() throws {
        let scratch = try Scratch()
        let contract = Contract(
            "publish", .sink, summary: "Publishes frames",
            parameters: [Param.string("broker", doc: "Address").role(.peer)])
        var registry = NodeRegistry.builtIn
        try registry.register(contract) { _, _ in throw OutputError("the broker was reached") }
        let text =
            #"{"nodes":{"a":{"type":"testpattern","size":"64x64"},"z":{"type":"publish","broker":"b","input":"a"}}}"#
        let pipeline = try PipelineFile(name: "p.json", text: text).validated(against: registry.contracts)
        var options = PipelinePlan.Options()
        options.table = scratch.file("costs.json")
        options.seconds = 0.2
        let plan = try PipelinePlan(pipeline, registry: registry, engine: noEngine(), options: options)
        #expect(plan.nodes.map(\.id) == ["a", "z"])
        #expect(throws: PipelineRunError.self) {
            try PipelineRun(pipeline, registry: registry, engine: noEngine())
        }
    }

    /// The key of `nodes` with `SCRATCH` standing for a folder.
    private func key(_ nodes: String, in scratch: Scratch, engine: String = "") throws -> String {
        let pipeline = try Self.validated(nodes.replacing("SCRATCH", with: scratch.path))
        return CostTable.key(of: pipeline, isPaced: false, isLive: false, cores: 2, engine: engine)
    }

    @Test(arguments: [
        #""a":{"type":"images","path":"SCRATCH/in"},"z":{"type":"null","input":"a"}"#,
        #""a":{"type":"images","path":"SCRATCH/in/*.png"},"z":{"type":"null","input":"a"}"#,
        #""a":{"type":"video","url":"SCRATCH/in/1.png"},"z":{"type":"null","input":"a"}"#,
        #""a":{"type":"testpattern"},"n":{"type":"mlsd","weights":"SCRATCH/in/1.png","input":"a"},"z":{"type":"null","input":"n"}"#,
        #""a":{"type":"testpattern"},"n":{"type":"onnx","model":"SCRATCH/in/1.png","decode":"tensors","input":"a"},"z":{"type":"null","input":"n"}"#,
    ])
    func `figures are of what the input held when they were taken`(nodes: String) throws {
        let scratch = try Scratch()
        try FileManager.default.createDirectory(atPath: scratch.file("in"), withIntermediateDirectories: true)
        func write(_ text: String, at seconds: Double) throws {
            let path = scratch.file("in/1.png")
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
            let date = Date(timeIntervalSince1970: seconds)
            try FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: path)
        }
        // Beyond any folder's own time, so that the file's is what is seen.
        try write("small", at: 5e9)
        let first = try key(nodes, in: scratch)
        #expect(try key(nodes, in: scratch) == first)
        try write("large!", at: 5e9)
        let larger = try key(nodes, in: scratch)
        #expect(larger != first)
        try write("other!", at: 5e9 + 1)
        #expect(try key(nodes, in: scratch) != larger)
    }

    @Test func `a record beside the weights changes the figures`() throws {
        let scratch = try Scratch()
        let nodes =
            #""a":{"type":"testpattern"},"n":{"type":"mlsd","weights":"SCRATCH/own.safetensors","input":"a"},"#
            + #""z":{"type":"null","input":"n"}"#
        try Data("weights".utf8).write(to: URL(fileURLWithPath: scratch.file("own.safetensors")))
        let before = try key(nodes, in: scratch)
        try Data("record".utf8).write(to: URL(fileURLWithPath: scratch.file("own.quantisation.json")))
        let after = try key(nodes, in: scratch)
        #expect(after != before)
        try FileManager.default.removeItem(atPath: scratch.file("own.quantisation.json"))
        #expect(try key(nodes, in: scratch) == before)
    }

    @Test(.timeLimit(.minutes(15))) func `a plan says which network runs, in which arithmetic and why`() throws {
        let scratch = try Scratch()
        let weights = try Architecture.find("retinaface", "mobilenet0.25")
            .build(at: InputSize(width: 64, height: 64)).initialWeights(seed: 1)
        var labelled = weights
        labelled.metadata = ["network": "retinaface", "variant": "mobilenet0.25"]
        try SafeTensors.write(labelled, path: scratch.file("w.safetensors"))
        let pipeline = try Self.validated(
            #""a":{"type":"testpattern","size":"64x64"},"n":{"type":"retinaface","input":"a","size":"64x64","#
                + #""weights":"\#(scratch.file("w.safetensors"))"},"z":{"type":"null","input":"n"}"#)
        var options = PipelinePlan.Options()
        options.table = scratch.file("costs.json")
        options.seconds = 0.1
        for _ in 0..<2 {
            let plan = try PipelinePlan(pipeline, registry: .builtIn, engine: FakeEngine(), options: options)
            #expect(plan.nodes.map(\.notes.count) == [0, 1, 0])
            let note = plan.nodes[1].notes.first ?? ""
            #expect(note.hasPrefix("retinaface mobilenet0.25 at 64x64"))
            #expect(note.contains("; precision: f32, as no other arithmetic was measured"))
        }
    }

    @Test func `another input, engine or container is another figure, another place to write is not`() throws {
        let scratch = try Scratch()
        let images = #""a":{"type":"images","path":"thumbs"},"z":{"type":"null","input":"a"}"#
        #expect(try key(images, in: scratch) != key(images.replacing("thumbs", with: "4k"), in: scratch))
        let lines =
            #""a":{"type":"testpattern"},"n":{"type":"mlsd","input":"a"},"z":{"type":"null","input":"n"}"#
        #expect(try key(lines, in: scratch, engine: "E 1") != key(lines, in: scratch, engine: "E 2"))
        #expect(try key(lines, in: scratch, engine: "E 1") == key(lines, in: scratch, engine: "E 1"))
        #expect(try key(images, in: scratch, engine: "E 1") == key(images, in: scratch, engine: "E 2"))
        for (type, name) in [("snapshots", "shots"), ("npz", "arrays"), ("file", "a.mp4"), ("jsonl", "a.jsonl")] {
            let nodes = #""a":{"type":"testpattern"},"z":{"type":"\#(type)","path":"here/\#(name)","input":"a"}"#
            #expect(try key(nodes, in: scratch) == key(nodes.replacing("here", with: "there"), in: scratch))
        }
        let file = #""a":{"type":"testpattern"},"z":{"type":"file","path":"a.mp4","input":"a"}"#
        #expect(try key(file, in: scratch) != key(file.replacing("mp4", with: "webm"), in: scratch))
    }

    @Test func `weights put into a folder that is searched change the figures`() throws {
        let scratch = try Scratch()
        let role = ParamRole.input(standard: { [path = scratch.path] in [path] })
        let contract = Contract(
            "net", .inference, summary: "A network",
            parameters: [Param.path("weights", role: role, doc: "Weights").optional])
        var registry = NodeRegistry.builtIn
        try registry.register(contract) { _, _ in throw OutputError("not made") }
        let text =
            #"{"nodes":{"a":{"type":"testpattern"},"n":{"type":"net","input":"a"},"z":{"type":"null","input":"n"}}}"#
        let pipeline = try PipelineFile(name: "p.json", text: text).validated(against: registry.contracts)
        func key() -> String { CostTable.key(of: pipeline, isPaced: false, isLive: false, cores: 2) }
        let before = key()
        try Data("weights".utf8).write(to: URL(fileURLWithPath: scratch.file("new.safetensors")))
        #expect(key() != before)
    }

    @Test func `too few frames are told as many as they have to be`() throws {
        let scratch = try Scratch()
        var options = PipelinePlan.Options()
        options.table = scratch.file("costs.json")
        options.seconds = 0.1
        let picture = scratch.file("one.ppm")
        try Data("P6\n16 16\n255\n".utf8 + Array(repeating: 99, count: 16 * 16 * 3)).write(
            to: URL(fileURLWithPath: picture))
        let pipeline = try Self.validated(
            #""a":{"type":"images","path":"\#(picture)"},"z":{"type":"null","input":"a"}"#)
        let error = #expect(throws: OutputError.self) {
            try PipelinePlan(pipeline, registry: .builtIn, engine: noEngine(), options: options)
        }
        #expect(error.map { "\($0)" } == "fewer than 3 frames came through: too few to measure")
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
        let nodes = [("a", 3.0), ("b", 7), ("c", 5)].map {
            PipelinePlan.Node(id: $0, type: "null", cpuPerFrame: $1, serialLimit: nil, notes: [])
        }
        let plan = PipelinePlan(
            nodes: nodes, rungs: [rung(19, 300), rung(25, 300), rung(25, 60)], sourceRate: 25,
            target: PipelineTarget(fps: 25, latencyMilliseconds: 80), cores: 2, foreignCores: 0, measurements: 0)
        #expect(plan.expectedRate() == 19)
        #expect(plan.keepsRate(on: 1) && !plan.keepsLatency(on: 1))
        #expect(plan.keepingRung == 2)
        #expect(plan.dearest?.id == "b")
        #expect(plan.shortfall == "19 of 25 fps, latency p99 300 of 80 ms")
    }
}
