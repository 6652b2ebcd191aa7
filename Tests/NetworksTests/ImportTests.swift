// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Networks

@Suite("Import")
struct ImportTests {
    private static let small = InputSize(width: 32, height: 32)

    // MARK: - TensorFlow Lite

    @Test(
        "A TFLite file of either variant and precision becomes the same weights",
        arguments: [
            (MLSD.Variant.tiny, false), (.tiny, true), (.large, true),
        ])
    func tflite(variant: MLSD.Variant, half: Bool) throws {
        let network = try MLSD(variant, head: .full).network(at: Self.small).folded
        let weights = syntheticWeights(for: network)
        let file = SyntheticFiles.tflite(
            SyntheticFiles.mlsdSteps(network, weights), inputShape: [1, 320, 320, 4], half: half)
        let result = try ModelImporter.read(file)
        #expect(result.report.network == "mlsd")
        #expect(result.report.variant == variant.rawValue)
        #expect(result.report.release == nil)
        #expect(result.weights.metadata["input_size"] == "320x320")
        #expect(result.weights.metadata["source_sha256"] == SHA256.hexDigest(file))
        #expect(result.weights.names == network.parameters.map(\.name))
        for name in network.parameters.map(\.name) {
            let expected = half ? weights[name]?.converted(to: .f16) : weights[name]
            #expect(result.weights[name] == expected, "\(name)")
        }
        let note = "fourth input channel dropped (all zero)"
        #expect(result.report.mappings.filter { $0.note == note }.map(\.target) == ["backbone.features.0.0.weight"])
        #expect(try ModelImporter.read(file, network: "mlsd", variant: variant.rawValue).weights == result.weights)
        #expect(throws: NetworkError(.weights, "the file holds mlsd, not retinaface")) {
            try ModelImporter.read(file, network: "retinaface")
        }
    }

    @Test("A TFLite file that differs in one convolution is refused by layer")
    func tfliteMismatch() throws {
        let network = try MLSD(.tiny, head: .full).network(at: Self.small).folded
        let steps = SyntheticFiles.mlsdSteps(network, syntheticWeights(for: network))
        func message(_ change: (inout [SyntheticFiles.Step]) -> Void) -> String {
            var changed = steps
            change(&changed)
            do {
                _ = try ModelImporter.read(SyntheticFiles.tflite(changed, inputShape: [1, 320, 320, 4]))
                return "no error"
            } catch {
                return "\(error)"
            }
        }
        #expect(message { $0.removeLast() }.contains("40 convolutions; M-LSD has 41 (tiny) or 58 (large)"))
        #expect(message { $0[0].weight[3] = 1 } == "backbone.features.0.0.weight: the fourth input channel is not zero")
        #expect(
            message { $0[4].stride = 1 }.hasPrefix("backbone.features.2.conv.1.0: w4 is another kind of convolution"))
        #expect(message { $0[38].dilation = 1 }.hasPrefix("block16.conv1.0: w38 is another kind of convolution"))
        #expect(message { $0[40].activation = 1 }.hasPrefix("block16.conv3: w40 is another kind of convolution"))
        #expect(
            message {
                $0[30].shape = [64, 1, 1, 32]; $0[30].weight.removeLast(2048)
            }
                == "block12.conv1.0.weight: expected 64x1x1x64, got 64x1x1x32 (w30)")
        #expect(
            message { $0[7].bias.removeLast() } == "backbone.features.3.conv.1.0.bias: is missing or of another shape")
        #expect(message { $0[9].activation = 2 } == "w9: fused activation 2")
    }

    // MARK: - PyTorch

    /// RetinaFace as training saves it: with counters, optionally wrapped.
    private func checkpoint() throws -> (network: Network, weights: Weights, file: Weights) {
        let network = try RetinaFace(.relu).network(at: Self.small)
        let weights = syntheticWeights(for: network)
        var file = weights
        for name in weights.names where name.hasSuffix("running_var") {
            file[name.replacing("running_var", with: "num_batches_tracked")] =
                Tensor(shape: [], type: .i64, bytes: [9, 0, 0, 0, 0, 0, 0, 0])
        }
        return (network, weights, file)
    }

    @Test("Both PyTorch formats import, with and without wrappers", arguments: ["", "module."], [nil, "state_dict"])
    func torch(prefix: String, wrapper: String?) throws {
        let (network, weights, file) = try checkpoint()
        #expect(file.count == 253 + 47)
        for bytes in [
            SyntheticFiles.torchStream(file, prefix: prefix, wrapper: wrapper),
            SyntheticFiles.torchZip(file, prefix: prefix, wrapper: wrapper),
        ] {
            let result = try ModelImporter.read(bytes, variant: "mobilenet0.25-leaky")
            #expect(result.weights.names == network.parameters.map(\.name))
            for name in weights.names { #expect(result.weights[name] == weights[name]) }
            #expect(result.weights.metadata["variant"] == "mobilenet0.25-leaky")
            #expect(result.report.ignored.count == 47)
            #expect(
                throws: NetworkError(
                    .weights, path: "retinaface",
                    "the file does not tell its variant; name one of mobilenet0.25, mobilenet0.25-leaky, mobilenet0.25-first"
                )
            ) { try ModelImporter.read(bytes) }
        }
    }

    @Test("The ResNet-50 release imports by its names")
    func resNet() throws {
        let network = try RetinaFace(.leaky, backbone: .resNet50).network(at: Self.small)
        let weights = network.zeroWeights
        let draft = try RetinaFaceImport.draft(weights, [:], format: "")
        #expect(draft.variant == "resnet50" && !draft.isFolded)
        #expect(network.check(draft.weights).isComplete)
        for name in [
            "body.conv1.weight", "body.bn1.running_var", "body.layer2.0.downsample.0.weight",
            "body.layer4.2.bn3.bias", "fpn.merge2.1.weight", "ssh3.conv7x7_3.0.weight", "BboxHead.2.conv1x1.bias",
        ] { #expect(weights[name] != nil, "\(name)") }
        #expect(weights["body.layer2.0.downsample.0.weight"]?.shape == [512, 256, 1, 1])
    }

    @Test("What an import wrote can be imported again, telling its variant itself")
    func reimport() throws {
        let (_, weights, file) = try checkpoint()
        let first = try ModelImporter.read(SyntheticFiles.torchZip(file), variant: "mobilenet0.25")
        let second = try ModelImporter.read(SafeTensors.write(first.weights))
        #expect(second.report.variant == "mobilenet0.25")
        for name in weights.names { #expect(second.weights[name] == weights[name]) }
    }

    @Test("A checkpoint that misses a tensor is refused with the report")
    func torchIncomplete() throws {
        var (_, _, file) = try checkpoint()
        file["ssh2.conv7x7_3.1.bias"] = nil
        file["optimizer.step"] = Tensor(shape: [1], floats: [1])
        let bytes = SyntheticFiles.torchStream(file)
        #expect {
            try ModelImporter.read(bytes, variant: "mobilenet0.25")
        } throws: { error in
            "\(error)".contains("252 of 253 tensors fit") && "\(error)".contains("missing: ssh2.conv7x7_3.1.bias")
                && "\(error)".contains("unexpected: optimizer.step")
        }
    }

    @Test(
        "A name outside the list is refused by name and nothing runs",
        arguments: [
            ("os", "system"), ("posix", "system"), ("builtins", "eval"), ("subprocess", "Popen"),
            ("torch", "load"), ("torch.serialization", "_load"), ("torch._utils", "_rebuild_qtensor"), ("", ""),
        ])
    func refusedGlobals(module: String, name: String) throws {
        var weights = Weights()
        weights["w"] = Tensor(shape: [1], floats: [1])
        var evil = SyntheticFiles.Pickler()
        evil.global(module, name)
        evil.raw("(")
        evil.text("touch /tmp/owned")
        evil.raw("tR.")
        var modern = SyntheticFiles.Pickler()
        modern.text(module)
        modern.text(name)
        modern.bytes += [0x93, 0x2E]
        for program in [evil.bytes, modern.bytes] {
            let file = SyntheticFiles.zip([("archive/data.pkl", program)])
            #expect(
                throws: NetworkError(
                    .unsupported,
                    "the file asks for \(module).\(name), which is not part of plain weights; refused, nothing was run")
            ) { try TorchReader.read(file) }
        }
    }

    @Test(
        "Views: transposed ones are gathered, those outside their storage refused",
        arguments: [
            ([2, 3], [1, 2], [0, 2, 4, 1, 3, 5] as [Float]?), ([3, 2], [2, 1], [0, 1, 2, 3, 4, 5]), ([2], [3], [0, 3]),
            ([6], [0], [0, 0, 0, 0, 0, 0]), ([7], [0], nil), ([2, 3], [4, 1], nil), ([6], [-1], nil),
            ([2], [Int(Int32.max)], nil), ([0, 3], [3, 1], []),
        ])
    func views(shape: [Int], strides: [Int], expected: [Float]?) throws {
        var weights = Weights()
        weights["w"] = Tensor(shape: [6], floats: [0, 1, 2, 3, 4, 5])
        var pickler = SyntheticFiles.Pickler()
        pickler.raw("}")
        pickler.text("w")
        pickler.global("torch._utils", "_rebuild_tensor_v2")
        pickler.raw("((")
        pickler.text("storage")
        pickler.global("torch", "FloatStorage")
        pickler.text("0")
        pickler.text("cpu")
        pickler.integer(6)
        pickler.raw("tQ")
        pickler.integer(0)
        pickler.tuple(shape)
        pickler.tuple(strides)
        pickler.raw("NNtRs.")
        let file = SyntheticFiles.zip([
            ("a/data.pkl", pickler.bytes), ("a/data/0", Array(weights["w"]?.bytes ?? [])),
        ])
        if let expected {
            #expect(try TorchReader.read(file)["w"]?.floats() == expected)
        } else {
            #expect { try TorchReader.read(file) } throws: { ($0 as? NetworkError)?.code == .format }
        }
    }

    @Test("Deep and cyclic containers end in an error, not in a crash")
    func nesting() throws {
        var deep = SyntheticFiles.Pickler()
        deep.raw(")")
        deep.bytes += [UInt8](repeating: 0x85, count: 900_000)
        deep.raw(".")
        var cycle = SyntheticFiles.Pickler()
        cycle.raw("}q\u{1}")
        cycle.text("self")
        cycle.raw("h\u{1}s.")
        for program in [deep.bytes, cycle.bytes] {
            let file = SyntheticFiles.zip([("archive/data.pkl", program)])
            #expect(throws: NetworkError(.format, "the checkpoint holds no tensors")) { try TorchReader.read(file) }
        }
    }

    @Test("Compressed members and wrong checksums are named")
    func zipProblems() throws {
        let (_, _, file) = try checkpoint()
        let pickle = SyntheticFiles.statePickle(file, isStream: false)
        #expect {
            try TorchReader.read(SyntheticFiles.zip([("archive/data.pkl", pickle)], method: 8))
        } throws: { "\($0)".contains("archive/data.pkl: is compressed (method 8)") }
        var bytes = SyntheticFiles.zip([("archive/data.pkl", pickle)])
        bytes[200] ^= 1
        #expect {
            try TorchReader.read(bytes)
        } throws: { "\($0)".contains("archive/data.pkl has a wrong checksum") }
    }

    // MARK: - Names of the port

    @Test("A checkpoint converted by the port is brought to the original graph's form")
    func portCheckpoint() throws {
        let network = try MLSD(.tiny, head: .full).network(at: Self.small)
        let weights = syntheticWeights(for: network)
        var file = weights
        let stem = "backbone.features.0.0.weight"
        let old = try #require(weights[stem]?.floats())
        var wide: [Float] = []
        for output in 0..<32 { wide += old[(output * 27)..<(output * 27 + 27)] + [Float](repeating: 0, count: 9) }
        file[stem] = Tensor(shape: [32, 4, 3, 3], floats: wide)
        file["block12.conv1.0.bias"] = Tensor(shape: [64], floats: [Float](repeating: 0.25, count: 64))
        let result = try ModelImporter.read(SyntheticFiles.torchZip(file))
        #expect(result.report.variant == "tiny")
        #expect(result.weights[stem] == weights[stem])
        let mean = try #require(weights["block12.conv1.1.running_mean"]?.floats())
        #expect(result.weights["block12.conv1.1.running_mean"]?.floats() == mean.map { $0 - 0.25 })
        let encoder = try #require(weights["backbone.features.0.1.running_var"]?.floats())
        #expect(
            result.weights["backbone.features.0.1.running_var"]?.floats() == encoder.map { $0 + (1e-5 - 1e-3) })
        #expect(result.weights["block12.conv1.1.running_var"] == weights["block12.conv1.1.running_var"])

        file["block17.weight"] = Tensor(shape: [1], floats: [0])
        #expect { try ModelImporter.read(SyntheticFiles.torchZip(file)) } throws: {
            "\($0)".hasPrefix("block17: a checkpoint trained by the PyTorch port")
        }
    }

    @Test("Other files are refused", arguments: [[], [1, 2, 3], Array("hello, this is no model".utf8)] as [[UInt8]])
    func unknown(bytes: [UInt8]) {
        #expect { try ModelImporter.read(bytes) } throws: { ($0 as? NetworkError)?.code == .format }
    }

    @Test(
        "SHA-256 of the standard's examples",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
            (String(repeating: "a", count: 1000), "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3"),
        ])
    func digest(text: String, expected: String) {
        #expect(SHA256.hexDigest(Array(text.utf8)) == expected)
    }
}
