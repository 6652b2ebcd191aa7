// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// What a service does to what it recorded before.
@Suite struct `Recordings of the program` {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func put(_ text: String, _ name: String) throws -> String {
        try text.write(toFile: scratch.file(name), atomically: true, encoding: .utf8)
        return scratch.file(name)
    }

    private func size(_ name: String) -> Int {
        (try? FileManager.default.attributesOfItem(atPath: scratch.file(name))[.size] as? Int) ?? 0
    }

    @Test(.timeLimit(.minutes(15))) func `the shipped unit keeps what is there, whatever the pipeline says`() throws {
        let unit = try String(contentsOfFile: Program.root + "/packaging/vpipe@.service", encoding: .utf8)
        let line = try #require(unit.split(separator: "\n").first { $0.hasPrefix("ExecStart=") })
        let file = try put(
            """
            {"nodes":{"bars":{"type":"testpattern","size":"64x64","frames":0,"realtime":true},
            "video":{"type":"file","input":"bars","path":"\(scratch.file("rec.mp4"))","overwrite":true},
            "text":{"type":"jsonl","input":"bars","path":"\(scratch.file("rec.jsonl"))","overwrite":true},
            "shots":{"type":"snapshots","input":"bars","path":"\(scratch.file("shots"))","overwrite":true,"every":"200ms"}}}
            """, "p.json")
        let arguments = line.split(separator: " ").dropFirst().map(String.init).map { $0.hasPrefix("/etc") ? file : $0 }
        #expect(arguments.first == "run" && arguments.last == file)
        var held = (video: 0, text: 0)
        for (turn, name) in ["rec.mp4", "rec-2.mp4", "rec-3.mp4"].enumerated() {
            let outcome = try Program.run(
                arguments,
                signalWhen: { size(name) > 3_000 && size("rec.jsonl") > held.text + 2000 ? SIGKILL : nil })
            #expect(outcome.status == SIGKILL, "\(outcome.errors)")
            #expect(size("rec.mp4") >= held.video && size("rec.jsonl") > held.text)
            held = (turn == 0 ? size("rec.mp4") : held.video, size("rec.jsonl"))
            #expect(size("rec.mp4") == held.video)
        }
        let lines = try scratch.lines("rec.jsonl").map { try JSONSerialization.jsonObject(with: Data($0.utf8)) }
        #expect(lines.compactMap { ($0 as? [String: Any])?["vpipe"] }.count == 3)
        let shots = try FileManager.default.contentsOfDirectory(atPath: scratch.file("shots"))
        #expect(shots.contains("bars-000000.jpg") && shots.contains("bars-000000-2.jpg"))
    }

    @Test(.timeLimit(.minutes(15))) func `a signal during the start leaves nothing behind`() throws {
        // Opening it for writing takes until somebody reads: the start lasts as long as the test wants.
        try #require(mkfifo(scratch.file("pipe"), 0o600) == 0)
        let file = try put(
            """
            {"nodes":{"bars":{"type":"testpattern","size":"64x64","frames":0,"realtime":true},
            "video":{"type":"file","input":"bars","path":"\(scratch.file("a.mp4"))"},
            "text":{"type":"jsonl","input":"bars","path":"\(scratch.file("pipe"))"}}}
            """, "p.json")
        var step = 0
        var reader: Int32 = -1
        defer { if reader >= 0 { close(reader) } }
        let outcome = try Program.run(
            ["run", file],
            signalOn: { errors in
                if step == 0, FileManager.default.fileExists(atPath: scratch.file("a.mp4")) {
                    step = 1
                    return SIGTERM
                }
                if step == 1, errors.contains("stopping") {
                    step = 2
                    reader = open(scratch.file("pipe"), O_RDONLY | O_NONBLOCK)
                }
                return nil
            })
        #expect(outcome.status == 0 && step == 2, "\(outcome.errors)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path).sorted() == ["p.json", "pipe"])
    }

    @Test(.timeLimit(.minutes(15))) func `a pipeline from standard input ends in order when its terminal does`() throws
    {
        let file = try put(
            """
            {"nodes":{"bars":{"type":"testpattern","size":"64x64","frames":0,"realtime":true},
            "video":{"type":"file","input":"bars","path":"\(scratch.file("a.mp4"))"}}}
            """, "p.json")
        let script =
            "'\(Program.path)' run - < '\(file)' 2> '\(scratch.file("log"))' & p=$!; "
            + "while [ ! -s '\(scratch.file("a.mp4"))' ]; do sleep 0.05; done; kill -HUP $p; wait $p"
        #expect(try Tool.run("/bin/sh", ["-c", script]).status == 0)
        let log = try String(contentsOfFile: scratch.file("log"), encoding: .utf8)
        #expect(log.contains("stopping") && log.contains("frames of libx264 in mp4"), "\(log)")
    }

    @Test func `files that exist are left alone by models and streams`() throws {
        for name in ["a.onnx", "b.safetensors", "c.safetensors", "d.m3u8"] { _ = try put("precious", name) }
        let pipeline = try put(
            """
            {"nodes":{"bars":{"type":"testpattern","size":"64x48","frames":10},
            "live":{"type":"stream","input":"bars","url":"\(scratch.file("d.m3u8"))"}}}
            """, "p.json")
        for arguments in [
            ["models", "export", "mlsd", "-o", scratch.file("a.onnx")],
            ["models", "export", "mlsd", "-o", scratch.file("b.safetensors")],
            ["models", "init", "mlsd", "-o", scratch.file("c.safetensors")], ["run", pipeline],
        ] {
            let outcome = try Program.run(arguments)
            #expect(outcome.status == 1 && outcome.errors.contains(": exists already; "), "\(outcome.errors)")
        }
        for name in ["a.onnx", "b.safetensors", "c.safetensors", "d.m3u8"] {
            #expect(try String(contentsOfFile: scratch.file(name), encoding: .utf8) == "precious")
        }
    }

    @Test(.enabled(if: Tool.hasFFmpeg, "ffmpeg is not installed")) func `standard input and output carry video`() throws
    {
        let file = try put(
            """
            {"nodes":{"in":{"type":"video","url":"-"},"out":{"type":"file","input":"in","path":"-"}}}
            """, "p.json")
        let script =
            "ffmpeg -v error -i samples/tiny.mp4 -c copy -f matroska - | '\(Program.path)' run -q '\(file)' | cat > '\(scratch.file("out.mkv"))'"
        #expect(try Tool.run("/bin/sh", ["-c", "cd '\(Program.root)' && " + script]).status == 0)
        #expect(try Tool.probe(scratch.file("out.mkv"), "stream=nb_read_frames,codec_name", count: true) == ["h264,50"])
    }

    @Test func `the log and its progress say when, and of what`() throws {
        let file = try put(
            #"{"nodes":{"bars":{"type":"testpattern","size":"64x48","frames":10},"end":{"type":"null","input":"bars"}}}"#,
            "p.json")
        let outcome = try Program.run(["run", file, "--log-format", "json", "--duration", "10s"])
        #expect(outcome.status == 0, "\(outcome.errors)")
        for line in outcome.errors.split(separator: "\n") {
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            let time = try #require(object?["time"] as? String)
            #expect(time.hasSuffix("Z") && time.count == 24)
        }
        let wrong = try Program.run(["run", file, "--duration", "10 parsecs"])
        #expect(wrong.status == 2 && wrong.errors.contains("a duration such as 10s or 2m"), "\(wrong.errors)")
    }
}
