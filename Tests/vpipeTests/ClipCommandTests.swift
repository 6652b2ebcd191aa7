// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// What a crash leaves of clips; `VPIPE_KILLS=40` has it happen so often.
@Suite(.enabled(if: Tool.hasFFmpeg, "ffmpeg is not installed: it plays what is left"), .timeLimit(.minutes(60)))
struct `Clips of a program that is killed` {
    private func clips(_ folder: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.hasSuffix(".mp4") }.map { folder + "/" + $0 }
    }

    private func size(_ path: String) -> Int {
        (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
    }

    @Test func `play, each up to where it was whole`() throws {
        let scratch = try Scratch()
        let folder = scratch.file("clips")
        let file = scratch.file("p.json")
        // Two faces are in sight from the first frame to the last: an event for each round of the loop that is dropped into.
        try """
        {"nodes":{"v":{"type":"video","url":"\(Program.root)/samples/tiny.mp4","loop":true},
        "faces":{"type":"retinaface","input":"v","size":"192x192","threshold":0.05,"every":8},
        "events":{"type":"events","input":"faces","hold":"0s","release":"200ms","rules":{"face":{"class":"face"}}},
        "clips":{"type":"clip","input":"events","path":"\(folder)/{id}.mp4","before":"500ms","after":"200ms",
        "maxLength":"3s","index":"\(folder)/index.jsonl"}}}
        """.write(toFile: file, atomically: true, encoding: .utf8)
        var random = SystemRandomNumberGenerator()
        let kills = ProcessInfo.processInfo.environment["VPIPE_KILLS"].flatMap(Int.init) ?? 2
        for _ in 0..<kills {
            // Some moment while a clip is written: at a file, or between two.
            let known = Set(clips(folder))
            let (files, bytes) = (Int.random(in: 1...3, using: &random), Int.random(in: 1...30_000, using: &random))
            let outcome = try Program.run(
                ["run", file],
                signalWhen: {
                    let now = clips(folder).filter { !known.contains($0) }
                    return now.count >= files && now.map(size).max() ?? 0 > bytes ? SIGKILL : nil
                })
            #expect(outcome.status == SIGKILL, "\(outcome.errors)")
        }
        let left = clips(folder).filter { size($0) > 0 }
        #expect(left.count >= kills)
        for path in left {
            let result = try Tool.run(Tool.ffmpeg, ["-v", "error", "-xerror", "-i", path, "-f", "null", "-"])
            #expect(result.status == 0 && size(path) > 500, "\(path) does not play")
        }
        // The next run puts the index right.
        let whole = try Program.run(["run", file, "--set", "v.loop=false"])
        #expect(whole.status == 0, "\(whole.errors)")
        let lines = try scratch.lines("clips/index.jsonl")
        #expect(lines.count == clips(folder).filter { size($0) > 0 }.count)
        // One that is written, and one that is being finished.
        #expect(lines.filter { $0.contains("\"complete\":false") }.count <= 2 * kills)
    }
}
