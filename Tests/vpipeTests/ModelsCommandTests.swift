// SPDX-License-Identifier: Apache-2.0
import Foundation
import Networks
@testable import PipelineLanguage
import Testing

/// A Python that has the onnx checker and ONNX Runtime: `$VPIPE_PYTHON`, or the one on the path.
private let python: String? = {
    let candidates = [ProcessInfo.processInfo.environment["VPIPE_PYTHON"], "python3"].compactMap { $0 }
    return candidates.first { run($0, ["-c", "import numpy, onnx, onnxruntime"]).status == 0 }
}()

private func run(_ program: String, _ arguments: [String]) -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [program] + arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    process.standardInput = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return (-1, "") }
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
}

@Suite struct ModelsCommandTests {
    private let scratch = NSTemporaryDirectory() + "/vpipe-models-" + UUID().uuidString

    init() throws { try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true) }

    private static let check = """
        import sys, numpy, onnx, onnxruntime
        model, arrays = onnx.load(sys.argv[1]), numpy.load(sys.argv[2])
        onnx.checker.check_model(model, full_check=True)
        facts = {entry.key: entry.value for entry in model.metadata_props}
        assert facts["checksum"].startswith("sha256:") and facts["provenance"], facts
        session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
        feed = {port.name: arrays["input." + port.name] for port in session.get_inputs()}
        for port, found in zip(session.get_outputs(), session.run(None, feed)):
            wanted = arrays["output." + port.name]
            apart = abs(found - wanted).max() / abs(wanted).max()
            print(port.name, found.shape, apart)
            assert found.shape == wanted.shape and apart < 1e-3, (port.name, apart)
        """

    @Test(
        .enabled(if: python != nil, "needs a Python with numpy, onnx and onnxruntime; name it in VPIPE_PYTHON"),
        arguments: ["mlsd", "retinaface"])
    func `an export passes the onnx checker, and ONNX Runtime gives the reference's numbers`(_ network: String) throws {
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        let outcome = try Program.run(["models", "export", network, "--size", "64x64", "-o", scratch + "/a.onnx"])
        #expect(outcome.status == 0, "\(outcome.errors)")
        let restored = try Program.run(["models", "export", network, "-o", scratch + "/a.safetensors"])
        #expect(restored.status == 0, "\(restored.errors)")
        let weights = try SafeTensors.read(path: scratch + "/a.safetensors")
        let architecture = try Architecture.find(network, try #require(weights.metadata["variant"]))
        let built = try architecture.build(at: InputSize(width: 64, height: 64))
        let inputs = built.randomInputs(seed: 4, architecture.normalisation)
        let outputs = try ReferenceExecutor(network: built.folded, weights: built.folding(weights)).run(inputs)
        var arrays: [String: Tensor] = [:]
        for port in built.inputs {
            arrays["input." + port.name] = Tensor(shape: port.shape, floats: inputs[port.name] ?? [])
        }
        for port in built.outputs {
            arrays["output." + port.name] = Tensor(shape: port.shape, floats: outputs[port.name] ?? [])
        }
        try Data(NPZ.write(arrays)).write(to: URL(fileURLWithPath: scratch + "/a.npz"))
        let check = run(python ?? "", ["-c", Self.check, scratch + "/a.onnx", scratch + "/a.npz"])
        #expect(check.status == 0, "\(check.output)")
    }

    @Test func `a file tells what it is, and that a tensor was changed`() throws {
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        let path = scratch + "/mlsd.safetensors"
        #expect(try Program.run(["models", "export", "mlsd", "--output", path]).status == 0)
        let sound = try Program.run(["models", "info", path])
        #expect(sound.status == 0)
        for text in [
            "parameters: 619280", "input_sizes: multiples of 16 from 32 to 4096", "licence: Apache-2.0",
            "provenance: trained from random", "the tensors are those of the checksum",
        ] {
            #expect(sound.output.contains(text), "\(text) in \(sound.output)")
        }
        // Imported again, the file is the same but for what the import adds.
        let again = try Program.run(["models", "import", path, "--output", scratch + "/again.safetensors"])
        #expect(again.status == 0, "\(again.errors)")
        var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        bytes[bytes.count - 100] ^= 1
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        for command in [["models", "info", path], ["models", "verify", "mlsd", "--weights", path]] {
            let changed = try Program.run(command)
            #expect(changed.status == 1)
            #expect(changed.errors.contains("a tensor was changed since the file was written"), "\(changed.errors)")
        }
    }

    @Test func `verify compares two runs and names the first layer that drifts`() throws {
        let same = try Program.run(["models", "verify", "mlsd", "--size", "32x32"])
        #expect(same.status == 0, "\(same.errors)")
        #expect(same.output.contains("OpenVINO f32 against plain loops"))
        #expect(same.output.contains("no layer drifts past the tolerance"))
        let strict = try Program.run(["models", "verify", "mlsd", "--size", "32x32", "--tolerance", "0"])
        #expect(strict.status == 1)
        #expect(strict.errors.contains("is the first layer past the tolerance"), "\(strict.errors)")
        let size = try Program.run(["models", "verify", "mlsd", "--size", "33x32"])
        #expect(size.status == 2 && size.errors.contains("nearest: 32x32 or 48x32"), "\(size.errors)")
    }

    @Test func `parity says which stage agrees and exits by it`() throws {
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        let size = 64
        var image: [UInt8] = []
        for y in 0..<size { for x in 0..<size { image += [UInt8(3 * x), UInt8(2 * y), UInt8(x + y)] } }
        func reference(_ swaps: Bool) throws -> String {
            var tensor = [Float](repeating: 0, count: image.count)
            for (at, byte) in image.enumerated() {
                let channel = swaps ? 2 - at % 3 : at % 3
                tensor[channel * size * size + at / 3] = Float(byte) / 127.5 - 1
            }
            let path = scratch + "/\(swaps).npz"
            let arrays = [
                "image": try #require(Tensor(shape: [size, size, 3], type: .u8, bytes: image[...])),
                "input": Tensor(shape: [1, 3, size, size], floats: tensor),
            ]
            try Data(NPZ.write(arrays)).write(to: URL(fileURLWithPath: path))
            return path
        }
        let right = try Program.run([
            "models", "parity", "mlsd", "--set", "size=64x64", "--reference", reference(false),
        ])
        #expect(right.status == 0, "\(right.errors)")
        #expect(right.output.contains("pre-processing: agrees"), "\(right.output)")
        let wrong = try Program.run(["models", "parity", "mlsd", "--set", "size=64x64", "--reference", reference(true)])
        #expect(wrong.status == 1)
        #expect(wrong.output.contains("swapped channels: the reference is BGR, the node feeds RGB"), "\(wrong.output)")
        let typo = try Program.run(["models", "parity", "mlsb", "--reference", scratch + "/true.npz"])
        #expect(typo.status == 2 && typo.errors.contains("did you mean \"mlsd\"?"), "\(typo.errors)")
        let none = try Program.run(["models", "parity", "mlsd", "--reference", scratch + "/none.npz"])
        #expect(none.status == 1 && none.errors.contains("none.npz"), "\(none.errors)")
    }
}
