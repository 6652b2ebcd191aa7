// SPDX-License-Identifier: Apache-2.0
import Dataflow
import Foundation
import Inference
import Networks
import TestSupport
import Testing

@testable import Pipeline

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
        let lines = try scratch.records("a.jsonl")
        #expect(lines.count == 7)
        #expect(lines.allSatisfy { $0.contains(#""faces":[{"box":["#) })
        // Landmarks are there where the network has them, and the key is not where it has none.
        #expect(lines.allSatisfy { $0.contains(#""landmarks""#) == (network == "retinaface") })
        #expect(run.notes().contains { $0.node == "faces" && $0.lines[0].contains("\(network) \(variant) at \(size)") })
    }

    @Test func `without weights a node says which command would bring some`() {
        #expect {
            try NodeModel(
                .ssh, variant: "mobilenet0.25", weights: nil, size: nil, store: ModelStore(folders: []))
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
            .retinaFace, variant: "mobilenet0.25", weights: "default", size: nil,
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
            .ssh, variant: "mobilenet0.25", weights: nil, size: nil,
            store: ModelStore(folders: [scratch.path]))
        #expect(model.path == path)
    }

    @Test func `weights of another width are refused by name`() throws {
        let scratch = try Scratch()
        let path = try weights("ssh", "mobilenet0.5", in: scratch)
        #expect {
            try NodeModel(.ssh, variant: "mobilenet0.25", weights: path, size: nil)
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
