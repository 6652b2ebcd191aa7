// SPDX-License-Identifier: Apache-2.0
import Pipeline

/// Keeps every Nth frame.
struct Blink: FrameProcessor {
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

// Registers a node type of its own, shows it in the schema and in a diagnostic, and runs a pipeline with it.
@main
struct OwnNode {
    static func main() async throws {
        var registry = NodeRegistry.builtIn
        try registry.register(Blink.self)

        // A name that is taken is an error, not a crash.
        do {
            try registry.register(Blink.self)
        } catch {
            print("registering it again: \(error)")
        }

        func pipeline(every: JSONDocument) -> PipelineDescription {
            var pipeline = PipelineDescription(name: "blink")
            pipeline.add("pattern", "testpattern", ["frames": 100, "size": "320x240"])
            pipeline.add("blink", "blink", inputs: ["pattern"], ["every": every])
            pipeline.add("end", "null", inputs: ["blink"])
            return pipeline
        }

        // Mistakes in its parameters are reported like those of any node.
        do {
            _ = try PipelineRun(pipeline(every: 500).file, registry: registry)
        } catch {
            print(error)
        }

        let run = try PipelineRun(pipeline(every: 4).file, registry: registry)
        let report = try await run.run()
        print("\(report.source("pattern")?.delivered ?? 0) of 100 frames delivered")
    }
}
