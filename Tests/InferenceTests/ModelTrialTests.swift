// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite("Models of others are tried in a process of their own")
struct ModelTrialTests {
    @Test(
        "A process is told from another by how it ends",
        arguments: [
            ("cat > /dev/null; echo ok", TrialProcess.Ending.said("ok")), ("cat > /dev/null", .silent),
            ("exit 3", .silent),
            ("kill -SEGV $$", .signal(SIGSEGV, said: "")),
            ("cat > /dev/null; echo half; kill -FPE $$", .signal(SIGFPE, said: "half")),
            ("wc -c", .said("300000")),
        ])
    func endings(script: String, ending: TrialProcess.Ending) {
        let found = TrialProcess.run(
            ["/bin/sh", "-c", script], input: [UInt8](repeating: 7, count: 300_000), seconds: 60)
        #expect(found == ending)
    }

    @Test("One that never ends is ended, and one that is not there is said not to be")
    func noEnd() {
        #expect(TrialProcess.run(["/bin/sleep", "600"], input: [1], seconds: 0.2) == .overdue)
        guard case .notStarted = TrialProcess.run(["/nonexistent/vpipe"], input: [], seconds: 1) else {
            Issue.record("started a program that is not there")
            return
        }
    }

    @Test("Larger models get more time and memory")
    func limits() {
        #expect(ModelTrial.Limits(modelBytes: 1000).seconds == 8)
        #expect(ModelTrial.Limits(modelBytes: 100 << 20).seconds == 408)
        #expect(ModelTrial.Limits(modelBytes: 100 << 20).bytes > 4 << 30)
    }

    /// What a trial says of a program that stands for ours.
    @Test(
        "What the other process died of is one message",
        arguments: [
            ("kill -SEGV $$", "SIGSEGV"), ("kill -XCPU $$", "processor time"), ("kill -KILL $$", "more memory"),
            ("cat > /dev/null; printf 'invalidModel\\treading\\tno network\\n'", "no network"),
        ])
    func messages(script: String, words: String) throws {
        let scratch = try Scratch()
        let program = scratch.file("vpipe")
        try "#!/bin/sh\necho \(ModelTrial.greeting)\n\(script)\n".write(
            toFile: program, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program)
        let error = #expect(throws: InferenceError.self) {
            try ModelTrial(program: program).run(ModelSource(name: "m.onnx", onnx: [1, 2, 3]), TestModels.options())
        }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }
}

@Suite("The header of an ONNX file")
struct ONNXHeaderTests {
    @Test("tells ports, metadata and the files beside it")
    func whole() throws {
        var model = TinyONNX()
        model.message(7) { graph in
            graph.message(5) { tensor in
                tensor.text(8, "w")
                tensor.varint(14, 1)
                for (key, value) in [("location", "w.bin"), ("length", "4")] {
                    tensor.message(13) { entry in
                        entry.text(1, key)
                        entry.text(2, value)
                    }
                }
            }
            for name in ["x", "w"] { graph.message(11) { $0.text(1, name) } }
            for name in ["b", "a"] { graph.message(12) { $0.text(1, name) } }
        }
        model.message(14) { entry in
            entry.text(1, "names")
            entry.text(2, "{0: 'cat'}")
        }
        let header = try ONNXHeader(model.content)
        #expect(header.inputs.map(\.name) == ["x"])
        #expect(header.outputs == ["b", "a"])
        #expect(header.metadata == ["names": "{0: 'cat'}"])
        #expect(header.externalFiles == ["w.bin"])
    }

    @Test("of any bytes is read or refused", arguments: 0..<200)
    func damaged(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var bytes = TinyONNX.convolution(
            input: [1, 3, 8, 8], channelsOut: 2, weights: [Float](repeating: 1, count: 54), bias: [0, 0])
        for _ in 0..<4 {
            bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
        }
        if seed % 4 == 0 { bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random)) }
        _ = try? ONNXHeader(bytes)
    }

    @Test(
        "Weights are looked for beside the model, and nowhere else",
        arguments: ["../w.bin", "/etc/passwd", "a/../../w", ""])
    func outside(location: String) throws {
        var model = TinyONNX()
        model.message(7) { graph in
            graph.message(5) { tensor in
                tensor.varint(14, 1)
                tensor.message(13) { entry in
                    entry.text(1, "location")
                    entry.text(2, location)
                }
            }
        }
        let header = try ONNXHeader(model.content)
        let error = #expect(throws: InferenceError.self) {
            try ModelSource.file("m.onnx", onnx: model.content, header: header)
        }
        #expect(error?.detail.contains("beside it") == true)
    }

    @Test("Other weights beside a model make it another model")
    func identity() throws {
        let scratch = try Scratch()
        var model = TinyONNX()
        model.message(7) { graph in
            graph.message(5) { tensor in
                tensor.varint(14, 1)
                tensor.message(13) { entry in
                    entry.text(1, "location")
                    entry.text(2, "w.bin")
                }
            }
        }
        let header = try ONNXHeader(model.content)
        func hash(_ byte: UInt8) throws -> ContentHash {
            try Data([byte, 2, 3, 4]).write(to: URL(fileURLWithPath: scratch.file("w.bin")))
            return try ModelSource.file(scratch.file("m.onnx"), onnx: model.content, header: header).hash
        }
        #expect(try hash(1) != hash(5))
        #expect(try hash(1) == hash(1))
    }
}
