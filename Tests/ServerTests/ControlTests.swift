// SPDX-License-Identifier: Apache-2.0
import Dataflow
import Foundation
import TestSupport
import Testing

@testable import Pipeline
@testable import PipelineLanguage
@testable import Server

@Suite(.timeLimit(.minutes(5))) struct ControlTests {
    /// A run that goes on until it is stopped, with a socket of its own.
    private final class Controlled {
        let scratch: Scratch
        let run: PipelineRun
        let server: ControlServer
        let client: ControlClient

        init() throws {
            scratch = try Scratch()
            run = try makeRun(
                """
                "bars": {"type": "testpattern", "size": "320x180", "fps": 60, "frames": 0, "realtime": true},
                "overlay": {"type": "overlay", "inputs": ["bars"]},
                "end": {"type": "null", "input": "overlay"}
                """)
            server = try ControlServer(run, at: scratch.file("c.sock"))
            client = ControlClient(path: scratch.file("c.sock"))
            try run.start()
            while (run.snapshot().node("end")?.items ?? 0) < 5 { usleep(2000) }
        }

        deinit {
            run.stop()
            _ = run.waitUntilFinished()
            server.stop()
        }
    }

    @Test func `a running pipeline answers`() throws {
        let controlled = try Controlled()
        let client = controlled.client
        let status = try client.ask("status")
        #expect(status.isDone && status.text.contains("fps, p99"), "\(status.text)")
        #expect(JSONTree(bytes: Array(status.json.utf8)).root?["data"]?["nodes"]?.elements.count == 3)
        let set = try client.ask("set overlay.maskOpacity=0.25")
        #expect(set.isDone && set.text == "overlay.maskOpacity: 0.4 -> 0.25")
        let notes = controlled.run.notes().first { $0.node == "changed while running" }?.lines
        #expect(notes == ["overlay.maskOpacity: 0.4 -> 0.25 (ctl)"])
        #expect(try client.ask("set bars.fps=3").text == "bars.fps cannot be changed while running")
        let why = try client.ask("why 3")
        #expect(why.isDone && why.text.hasPrefix("bars frame 3, at "), "\(why.text)")
        let trace = try PerfettoReader.trace(try client.ask("trace").bytes)
        #expect(trace.nodes.map(\.name) == ["bars", "overlay", "end"])
        let shot = try client.ask("snapshot")
        #expect(shot.text == "overlay: 320x180" && shot.bytes.prefix(2) == [0xFF, 0xD8])
        #expect(try client.ask("stop").isDone)
        #expect(controlled.run.waitUntilFinished().isBalanced)
    }

    @Test(arguments: [
        "", "fly", "set", "set x", "set x.y", "why", "why x", "why 99999999", "snapshot nobody", "why 1 nobody",
    ])
    func `nonsense is refused`(_ command: String) throws {
        let controlled = try Controlled()
        if command.isEmpty {
            #expect(throws: ControlError.self) { try controlled.client.ask(String(repeating: "x", count: 5000)) }
        } else {
            let answer = try controlled.client.ask(command)
            #expect(!answer.isDone && !answer.text.isEmpty)
        }
    }

    @Test func `a sensitive source is shown to nobody as it is`() throws {
        let scratch = try Scratch()
        let path = scratch.file("c.sock")
        let run = try makeRun(
            #"""
            "cam": {"type": "testpattern", "size": "64x48", "realtime": true, "sensitive": true},
            "faces": {"type": "redact", "input": "cam"}, "end": {"type": "null", "input": "faces"},
            "raw": {"type": "null", "input": "cam"}
            """#)
        #expect(Preview.viewed(run.pipeline) == ["faces"])
        let server = try ControlServer(run, at: path)
        try run.start()
        defer {
            run.stop()
            _ = run.waitUntilFinished()
            server.stop()
        }
        let client = ControlClient(path: path)
        let refused = try client.ask("snapshot cam")
        #expect(!refused.isDone && refused.text.contains("as it is") && refused.bytes.isEmpty)
        #expect(try client.ask("snapshot").isDone)
    }

    @Test func `the socket is its user's alone, taken over when stale, and gone after the run`() throws {
        let scratch = try Scratch()
        let path = scratch.file("c.sock")
        let run = try makeRun(#""bars": {"type": "testpattern"}, "end": {"type": "null", "input": "bars"}"#)
        let server = try ControlServer(run, at: path)
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        #expect(throws: ControlError.self) { try ControlServer(run, at: path) }
        server.stop()
        #expect(!FileManager.default.fileExists(atPath: path))
        #expect(throws: ControlError.self) { try ControlClient(path: path).ask("status") }
        // What a killed run leaves behind.
        let stale = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        #expect(ControlSocket.withAddress(path) { bind(stale, $0, $1) } == 0)
        close(stale)
        let next = try ControlServer(run, at: path)
        next.stop()
        #expect(ControlSocket.path(of: "a/b c").hasSuffix("/a_b_c.sock"))
    }
}
