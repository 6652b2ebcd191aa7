// SPDX-License-Identifier: Apache-2.0
import InferenceTestSupport
import TestSupport
import Testing

// Without @testable: what a guest sees.
import Pipeline

/// Keeps every Nth frame; a guest's node.
private struct Blink: FrameProcessor {
    static let every = Param.integer("every", default: 5, range: 1...100, doc: "Frames")
    static let contract = Contract("blink", .processing, summary: "Keeps every Nth frame", parameters: [every])
    private let every: Int
    private var count = 0

    init(_ settings: Settings, _ context: BuildContext) { every = settings[Self.every] }

    mutating func process(_ frame: Frame) -> Frame? {
        defer { count += 1 }
        return count % every == 0 ? frame : nil
    }
}

/// A sink that writes down how many frames it saw.
private struct Count: FrameProcessor {
    static let path = Param.string("path", doc: "File")
    static let contract = Contract("count", .sink, summary: "Counts", parameters: [path])
    private let path: String
    private var count = 0

    init(_ settings: Settings, _ context: BuildContext) { path = settings[Self.path] }

    mutating func process(_ frame: Frame) -> Frame? {
        count += 1
        return nil
    }

    func finish() throws { try "\(count)\n".write(toFile: path, atomically: true, encoding: .utf8) }
}

/// Has an output that its contract's category forbids a processor to have two of.
private struct Splitter: FrameProcessor {
    static let contract = Contract(
        "splitter", .processing, summary: "Two outputs", outputs: [OutputPort("a"), OutputPort("b")])
    init(_ settings: Settings, _ context: BuildContext) {}
    func process(_ frame: Frame) -> Frame? { frame }
}

@Suite(.timeLimit(.minutes(5))) struct EmbeddingTests {
    private func registry() throws -> NodeRegistry {
        var registry = NodeRegistry.builtIn
        try registry.register(Blink.self)
        try registry.register(Count.self)
        return registry
    }

    private func pattern(frames: Int, realtime: Bool = false) -> PipelineDescription {
        var pipeline = PipelineDescription(name: "test")
        pipeline.add(
            "pattern", "testpattern",
            ["size": "64x48", "frames": .integer(frames), "realtime": .boolean(realtime), "fps": 50])
        return pipeline
    }

    @Test func `every frame of a run is read in order, and the run waits for the reader`() async throws {
        var pipeline = pattern(frames: 60)
        pipeline.add("end", "null", inputs: ["pattern"])
        let run = try PipelineRun(pipeline.file, registry: registry(), engine: noEngine())
        let frames = run.frames(from: "pattern", buffering: .lossless(2))
        async let report = run.run()
        var seen: [UInt64] = []
        for await frame in frames {
            seen.append(frame.ticket.sequence)
            if seen.count % 20 == 0 { try await Task.sleep(for: .milliseconds(5)) }
        }
        #expect(seen == Array(0..<60))
        let end = try await report
        #expect(end.isBalanced)
        #expect(end.sources.first?.delivered == 60)
    }

    @Test func `a guest's node is made, checked and counted like any other`() async throws {
        var pipeline = pattern(frames: 40)
        pipeline.add("blink", "blink", inputs: ["pattern"], ["every": 4])
        pipeline.add("end", "null", inputs: ["blink"])
        let report = try await PipelineRun(pipeline.file, registry: registry(), engine: noEngine()).run()
        #expect(report.sources.first?.delivered == 10)
        #expect(report.sources.first?.dropped == 30)
        #expect(report.sources.first?.drops.map(\.cause) == [.filtered])
    }

    @Test func `a guest's sink ends with its last frame`() async throws {
        let scratch = try Scratch()
        var pipeline = pattern(frames: 7)
        pipeline.add("count", "count", inputs: ["pattern"], ["path": .string(scratch.file("n"))])
        let report = try await PipelineRun(pipeline.file, registry: registry(), engine: noEngine()).run()
        #expect(report.sources.first?.delivered == 7)
        #expect(try scratch.lines("n") == ["7"])
    }

    @Test func `mistakes in a guest's node are diagnosed`() throws {
        var pipeline = pattern(frames: 1)
        pipeline.add("blink", "blink", inputs: ["pattern"], ["every": 500, "evry": 2])
        pipeline.add("end", "null", inputs: ["blink"])
        let text = pipeline.file
        #expect {
            _ = try PipelineRun(text, registry: registry(), engine: noEngine())
        } throws: { error in
            let paths = (error as? PipelineFileError)?.diagnostics.map(\.path) ?? []
            return paths.contains("nodes.blink.every") && paths.contains("nodes.blink.evry")
        }
    }

    @Test func `a guest's node is in the reference and in the schema`() throws {
        let contracts = try registry().contracts
        #expect(PipelineSchema(contracts).text.contains(#""blink""#))
        #expect(NodeReference(contracts).markdown.contains("Keeps every Nth frame"))
    }

    @Test func `a taken name and an impossible processor are errors`() throws {
        var registry = try registry()
        #expect(throws: ContractError.self) { try registry.register(Blink.self) }
        #expect(throws: ContractError.self) { try registry.register(Splitter.self) }
    }

    @Test func `cancelling the task ends an endless run with a report`() async throws {
        var pipeline = pattern(frames: 0, realtime: true)
        pipeline.add("end", "null", inputs: ["pattern"])
        let run = try PipelineRun(pipeline.file, registry: registry(), engine: noEngine())
        let frames = run.frames(from: "pattern", buffering: .newest(1))
        let task = Task { try await run.run() }
        var count = 0
        for await _ in frames {
            count += 1
            if count == 3 { task.cancel() }
        }
        let report = try await task.value
        #expect(report.state == .finished)
        #expect(report.isBalanced)
    }

    @Test func `a reader that stops early does not hold the run up`() async throws {
        var pipeline = pattern(frames: 50)
        pipeline.add("end", "null", inputs: ["pattern"])
        let run = try PipelineRun(pipeline.file, registry: registry(), engine: noEngine())
        let frames = run.frames(from: "pattern", buffering: .lossless(1))
        async let report = run.run()
        for await frame in frames where frame.ticket.sequence == 3 { break }
        #expect(try await report.sources.first?.delivered == 50)
    }

    @Test func `a pipeline in code is what its file would be`() throws {
        var pipeline = PipelineDescription(name: "door", fps: 25, latencyMs: 120.5)
        pipeline.ladder = [["faces.every": 2]]
        pipeline.add("video", "video", ["url": "a \"b\".mp4"])
        pipeline.add("faces", "retinaface", inputs: ["video"], ["threshold": 0.6])
        pipeline.add("end", "merge", inputs: ["video", "faces"])
        pipeline.add("null", "null", inputs: ["end"])
        let valid = try pipeline.file.validated(against: NodeRegistry.builtIn.contracts)
        #expect(valid.name == "door")
        #expect(valid.target == PipelineTarget(fps: 25, latencyMilliseconds: 120.5))
        #expect(valid.nodes.map(\.id) == ["video", "faces", "end", "null"])
        #expect(valid.ladder.rungCount == 2)
        #expect(valid["video"]?.settings.value(named: "url")?.text == "a \"b\".mp4")
    }
}
