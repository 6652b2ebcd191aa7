// SPDX-License-Identifier: Apache-2.0
import Pipeline

// Runs a pipeline file and prints what one of its nodes found, frame by frame.
//
//   swift run FaceResults [PIPELINE.json [NODE]]
@main
struct FaceResults {
    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        let run = try PipelineRun(file: arguments.first ?? "faces.json", registry: .builtIn)
        // Asked for before the run begins, and lossless: every frame comes, and the run waits for this loop.
        let frames = run.frames(from: arguments.dropFirst().first ?? "faces", buffering: .lossless(4))
        async let report = run.run()
        var (count, faces) = (0, 0)
        for await frame in frames {
            let boxes = frame.annotations(Face.self).map(\.box)
            count += 1
            faces += boxes.count
            if count <= 3 { print("\(frame.pts) s: \(boxes.count) faces \(boxes)") }
        }
        let delivered = try await report.source("video")?.delivered ?? 0
        print("\(count) frames read, \(delivered) delivered, \(faces) faces")
    }
}
