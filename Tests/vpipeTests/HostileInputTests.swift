// SPDX-License-Identifier: Apache-2.0
import Foundation
import Networks
import TestSupport
import Testing

/// What others made, or do not read, reaches neither the process nor the terminal.
@Suite(.timeLimit(.minutes(15))) struct HostileInputTests {
    /// Protocol buffers, as far as a small graph needs them.
    private static func field(_ number: UInt8, _ content: [UInt8]) -> [UInt8] {
        [number << 3 | 2, UInt8(content.count)] + content
    }

    private static func field(_ number: UInt8, _ text: String) -> [UInt8] { field(number, Array(text.utf8)) }

    /// A picture of 32x32 through one operator that is given too little: some crash the engine, others are refused by it.
    private static func graph(_ type: String) -> [UInt8] {
        func node(_ input: String, _ output: String, _ type: String) -> [UInt8] {
            field(1, field(1, input) + field(2, output) + field(4, type))
        }
        func port(_ number: UInt8, _ name: String) -> [UInt8] {
            let sizes: [UInt8] = [1, 3, 32, 32].flatMap { field(1, [0x08, $0]) }
            return field(number, field(1, name) + field(2, field(1, [0x08, 1] + field(2, sizes))))
        }
        let graph =
            node("in", "a", "Identity") + node("a", "out", type) + field(2, "g") + port(11, "in") + port(12, "out")
        return [0x08, 8] + field(7, graph) + field(8, field(1, "") + [0x10, 18])
    }

    @Test(arguments: ["Conv", "Pad"]) func `a model that crashes the engine is one message`(type: String) throws {
        let scratch = try Scratch()
        try Data(Self.graph(type)).write(to: URL(fileURLWithPath: scratch.file("m.onnx")))
        try """
        {"nodes": {"v": {"type": "testpattern", "size": "32x32", "frames": 2},
        "m": {"type": "onnx", "input": "v", "model": "m.onnx", "decode": "tensors"}, "n": {"type": "null", "input": "m"}}}
        """.write(toFile: scratch.file("p.json"), atomically: true, encoding: .utf8)
        for _ in 0..<2 {
            let outcome = try Program.run(
                ["run", "-q", "p.json"], in: scratch.path, environment: ["XDG_CACHE_HOME": scratch.file("cache")])
            #expect(outcome.status == 1, "\(outcome.status) \(outcome.errors)")
            #expect(outcome.errors.hasPrefix("p.json:2:1: error: nodes.m: trying m.onnx: "), "\(outcome.errors)")
            #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
        }
    }

    @Test func `whoever does not read the log does not keep the run from stopping`() throws {
        let scratch = try Scratch()
        try """
        {"nodes": {"v": {"type": "testpattern", "size": "64x48", "frames": 0, "realtime": true},
        "f": {"type": "file", "input": "v", "path": "a.mkv"}}}
        """.write(toFile: scratch.file("p.json"), atomically: true, encoding: .utf8)
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        // A pipe that is full.
        let flags = fcntl(ends[1], F_GETFL)
        _ = fcntl(ends[1], F_SETFL, flags | O_NONBLOCK)
        let filler = [UInt8](repeating: 0x78, count: 512)
        while write(ends[1], filler, filler.count) > 0 {}
        _ = fcntl(ends[1], F_SETFL, flags)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Program.path)
        process.arguments = ["run", "p.json"]
        process.currentDirectoryURL = URL(fileURLWithPath: scratch.path)
        process.standardOutput = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        process.standardError = FileHandle(fileDescriptor: ends[1], closeOnDealloc: false)
        try process.run()
        let deadline = Date().addingTimeInterval(120)
        // Frames are recorded: it listens to signals by now.
        func size() -> Int {
            (try? FileManager.default.attributesOfItem(atPath: scratch.file("a.mkv"))[.size] as? Int) ?? 0
        }
        while size() == 0, Date() < deadline { usleep(20_000) }
        kill(process.processIdentifier, SIGTERM)
        while process.isRunning, Date() < deadline { usleep(20_000) }
        let hasEnded = !process.isRunning
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        #expect(hasEnded && process.terminationReason == .exit && process.terminationStatus == 0)
    }

    @Test func `control characters of a weights file are written out`() throws {
        let scratch = try Scratch()
        var weights = Weights()
        weights["a"] = Tensor(shape: [1], floats: [1])
        weights.metadata["licence"] = "\u{1B}]0;owned\u{07}\u{1B}[31mred\nerror: forged"
        try SafeTensors.write(weights, path: scratch.file("e.safetensors"))
        let outcome = try Program.run(["models", "info", "e.safetensors"], in: scratch.path)
        #expect(
            outcome.output.contains("licence: \\u{1b}]0;owned\\u{7}\\u{1b}[31mred\\u{a}error: forged"),
            "\(outcome.output)")
        #expect(!outcome.output.contains("\u{1B}") && !outcome.output.contains("\nerror: forged"))
    }

    @Test func `a file's name is shown as it can be typed`() throws {
        let outcome = try Program.run(["run", "no\u{1B}[31mwhere\n.json"])
        #expect(outcome.status == 2)
        #expect(
            outcome.errors.contains("no\\u{1b}[31mwhere\\u{a}.json: error: no such pipeline file"), "\(outcome.errors)")
    }
}
