// SPDX-License-Identifier: Apache-2.0
import Dataflow
import Foundation
import Inference
import Networks
import Testing

@testable import Pipeline

/// Published files, beside the package or the folder above it.
private let sharedWeights: String? = ["/../shared/weights", "/../../shared/weights"].map { packageRoot + $0 }
    .first { FileManager.default.fileExists(atPath: $0) }

@Suite struct FamilyTrialTests {
    @Test(
        .enabled(if: sharedWeights != nil, "needs ../shared/weights"),
        arguments: [
            ("retinaface_mobilenet0.25_1mb.pth", "mobilenet0.25"),
            ("retinaface_mobilenet0.25_first_release.pth", "mobilenet0.25-first"),
        ])
    func `the family of a file is told by the sample's faces`(file: String, variant: String) throws {
        // Stored anew, so that the digest tells nothing; without its metadata, neither does the file.
        var weights = try ModelImporter.read(path: #require(sharedWeights) + "/" + file).weights
        weights.metadata = [:]
        let bytes = SafeTensors.write(weights)
        let trial = FamilyTrial(folders: [packageRoot + "/samples"], engine: try OpenVINOEngine.shared())
        let result = try ModelImporter.read(bytes) { trial.choose(among: $0) }
        #expect(result.report.variant == variant, "\(trial.outcome ?? "")")
        #expect(trial.outcome?.contains(variant) == true)
        // Without a picture to try, the caller must say.
        let blind = FamilyTrial(folders: [], engine: try noEngine())
        #expect { try ModelImporter.read(bytes) { blind.choose(among: $0) } } throws: {
            "\($0)".hasSuffix("name one of mobilenet0.25, mobilenet0.25-leaky, mobilenet0.25-first")
        }
    }

    @Test func `weights that find nothing tell nothing`() throws {
        let network = try RetinaFace(.relu).network(at: InputSize(width: 64, height: 64))
        var weights = network.initialWeights(seed: 2)
        weights.metadata = [:]
        let trial = FamilyTrial(folders: [packageRoot + "/samples"], engine: try OpenVINOEngine.shared())
        #expect(throws: NetworkError.self) {
            try ModelImporter.read(SafeTensors.write(weights)) { trial.choose(among: $0) }
        }
        #expect(trial.outcome == nil)
    }
}

@Suite struct FaceNodeTests {
    /// Initial weights as a file: the network finds nothing in particular, but runs.
    private func weights(_ network: String, _ variant: String, in scratch: Scratch) throws -> String {
        let path = scratch.file("\(network)_\(variant).safetensors")
        let built = try Architecture.find(network, variant).build(at: InputSize(width: 64, height: 64))
        try SafeTensors.write(built.initialWeights(seed: 8), path: path)
        return path
    }

    @Test(
        .timeLimit(.minutes(15)),
        arguments: [
            ("ssh", "mobilenet0.25", "160x120", ""), ("ssh", "mobilenet0.25", "64x48", #","pyramid":true"#),
            ("ssh", "mobilenet0.5", "33x47", #","every":3"#), ("retinaface", "mobilenet0.5", "97x65", ""),
        ])
    func `faces of any network reach every sink alike`(
        network: String, variant: String, size: String, more: String
    ) throws {
        let scratch = try Scratch()
        let path = try weights(network, variant, in: scratch)
        let run = try PipelineRun(
            pipeline(
                """
                "bars": {"type": "testpattern", "size": "160x120", "frames": 7},
                "faces": {"type": "\(network)", "input": "bars", "variant": "\(variant)", "weights": "\(path)",
                          "size": "\(size)", "threshold": 0.1\(more)},
                "drawn": {"type": "overlay", "inputs": ["faces"]},
                "end": {"type": "null", "input": "drawn"},
                "text": {"type": "jsonl", "input": "faces", "path": "\(scratch.file("a.jsonl"))"}
                """))
        try run.start()
        let report = run.waitUntilFinished()
        #expect(report.failures.isEmpty, "\(report.failures)")
        #expect(report.isBalanced && report.source("bars")?.delivered == 7)
        let lines = try scratch.lines("a.jsonl")
        #expect(lines.count == 7)
        #expect(lines.allSatisfy { $0.contains(#""faces":[{"box":["#) })
        // Landmarks are there where the network has them, and the key is not where it has none.
        #expect(lines.allSatisfy { $0.contains(#""landmarks""#) == (network == "retinaface") })
        #expect(run.notes().contains { $0.node == "faces" && $0.lines[0].contains("\(network) \(variant) at \(size)") })
    }

    @Test func `without weights a node says which command would bring some`() {
        #expect {
            try NodeModel(
                network: "ssh", variant: "mobilenet0.25", weights: nil, size: nil, store: ModelStore(folders: []))
        } throws: { error in
            "\(error)"
                == #"no weights for ssh mobilenet0.25 are installed; import an official release with "vpipe models import "#
                + #"FILE" or train your own with "python -m vpipe_training train ssh" (training/README.md) and name the file "#
                + #"as "weights"; "vpipe models list" shows what is there"#
        }
    }

    @Test func `"default" asks for the installed weights, as saying nothing does`() throws {
        let scratch = try Scratch()
        let path = scratch.file("any.safetensors")
        var weights = try Architecture.find("retinaface", "mobilenet0.25").build().initialWeights(seed: 3)
        weights.metadata[Weights.MetadataKey.state] = nil
        try SafeTensors.write(weights, path: path)
        let model = try NodeModel(
            network: "retinaface", variant: "mobilenet0.25", weights: "default", size: nil,
            store: ModelStore(folders: [scratch.path]))
        #expect(model.path == path)
    }

    @Test func `untrained weights are nobody's default`() throws {
        let scratch = try Scratch()
        let path = try weights("ssh", "mobilenet0.25", in: scratch)
        #expect(ModelStore(folders: [scratch.path]).entries.isEmpty)
        var weights = try SafeTensors.read(path: path)
        weights.metadata[Weights.MetadataKey.state] = nil
        try SafeTensors.write(weights, path: path)
        let model = try NodeModel(
            network: "ssh", variant: "mobilenet0.25", weights: nil, size: nil,
            store: ModelStore(folders: [scratch.path]))
        #expect(model.path == path)
    }

    @Test func `weights of another width are refused by name`() throws {
        let scratch = try Scratch()
        let path = try weights("ssh", "mobilenet0.5", in: scratch)
        #expect {
            try NodeModel(network: "ssh", variant: "mobilenet0.25", weights: path, size: nil)
        } throws: { "\($0)".hasSuffix(#"weights of ssh mobilenet0.5, but "variant" is "mobilenet0.25""#) }
    }

    @Test func `a width the node does not have is a diagnostic with the choices`() {
        #expect {
            try pipeline(
                """
                "bars": {"type": "testpattern"},
                "faces": {"type": "ssh", "input": "bars", "variant": "mobilenet0.3"},
                "end": {"type": "null", "input": "faces"}
                """)
        } throws: { error in
            "\(error)".contains("nodes.faces.variant") && "\(error)".contains("mobilenet0.25")
        }
    }
}
