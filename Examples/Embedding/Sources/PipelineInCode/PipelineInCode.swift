// SPDX-License-Identifier: Apache-2.0
import Pipeline

// A pipeline made in code: a live test pattern, of which the program looks at the newest frame; cancelled after a while.
@main
struct PipelineInCode {
    static func main() async throws {
        var pipeline = PipelineDescription(name: "pattern")
        pipeline.add("pattern", "testpattern", ["size": "320x240", "fps": 25, "realtime": true, "frames": 0])
        pipeline.add("small", "scale", inputs: ["pattern"], ["size": "160x120"])
        pipeline.add("end", "null", inputs: ["small"])

        let run = try PipelineRun(pipeline.file, registry: .builtIn)
        let task = Task { try await run.run() }
        var seen = 0
        for await frame in run.frames(from: "small", buffering: .newest(1)) {
            seen += 1
            if seen == 1 { print("\(frame.picture.width)x\(frame.picture.height) at \(frame.pts) s") }
            if seen == 10 { break }
        }
        // Cancelling stops the sources, drains what is under way, and finalises every file.
        task.cancel()
        let report = try await task.value
        print("\(seen) frames seen, the run ended \(report.state), balanced: \(report.isBalanced)")
    }
}
