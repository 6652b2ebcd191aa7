// SPDX-License-Identifier: Apache-2.0
import Foundation
import Networks
import TestSupport
import Testing

@testable import Pipeline
@testable import PipelineLanguage

@Suite struct ONNXNodeTests {
    private func write(_ model: [UInt8], _ scratch: Scratch) throws -> String {
        let path = scratch.file("model.onnx")
        try Data(model).write(to: URL(fileURLWithPath: path))
        return path
    }

    private func lines(_ settings: String, _ model: [UInt8], _ scratch: Scratch) throws -> [String] {
        let path = try write(model, scratch)
        try PipelineRun(
            pipeline(
                """
                "bars": {"type": "testpattern", "size": "64x48", "frames": 2},
                "own": {"type": "onnx", "input": "bars", "model": "\(path)"\(settings)},
                "draw": {"type": "overlay", "inputs": ["bars", "own"]},
                "shots": {"type": "snapshots", "input": "draw", "path": "\(scratch.file("shots"))", "every": "0s"},
                "arrays": {"type": "npz", "input": "own", "path": "\(scratch.file("arrays"))"},
                "text": {"type": "jsonl", "input": "own", "path": "\(scratch.file("a.jsonl"))"}
                """), options: .init(cache: .off)
        ).finish()
        return try scratch.records("a.jsonl")
    }

    @Test(.timeLimit(.minutes(15))) func `boxes of a model are objects in source pixels`() throws {
        let scratch = try Scratch()
        let rows: [[Float]] = [
            [16, 16, 8, 8, 0.1, 0.75], [16, 16, 9, 8, 0, 0.5], [8, 8, 4, 4, 0.3, 0], [1, 1, 1, 1, 0.2, 0.1],
        ]
        let found = try lines(#", "classes": ["cat", "dog"]"#, SmallModels.constant(rows: rows), scratch)
        #expect(found.count == 2)
        #expect(
            found[1] == #"{"source":"bars","frame":1,"pts":0.04,"objects":["#
                + #"{"box":[24,18,16,12],"score":0.75,"label":1,"class":"dog"},"#
                + #"{"box":[12,9,8,6],"score":0.3,"label":0,"class":"cat"}],"carried":false}"#)
    }

    @Test(.timeLimit(.minutes(15))) func `a mask of a model is the area of each class`() throws {
        let scratch = try Scratch()
        let found = try lines(
            #", "decode": "mask", "classes": ["sky", "road"]"#, SmallModels.halves(), scratch)
        #expect(
            found[0].contains(#""segmentation":{"classes":{"sky":0.25,"road":0.75}},"carried":false"#), "\(found[0])")
        let error = #expect(throws: PipelineRunError.self) {
            try lines(#", "decode": "mask", "classes": ["a", "b", "c"]"#, SmallModels.halves(), scratch)
        }
        #expect(error.map { "\($0)" }?.contains("tells 2 classes apart, but 3 are named") == true)
    }

    @Test(.timeLimit(.minutes(15)), arguments: [false, true])
    func `raw tensors reach jsonl and npz, colours first or last, of a fixed or an open size`(isLast: Bool) throws {
        let scratch = try Scratch()
        let model = try isLast ? SmallModels.meansOfPixels() : SmallModels.open(SmallModels.means())
        let size = isLast ? "" : #", "size": "16x24""#
        let found = try lines(
            #", "decode": "tensors", "channels": "bgr", "mean": 0, "scale": [1, 1, 1]"# + size, model, scratch)
        #expect(found[0].contains(#""tensors":[{"name":"means","shape":[1,3,1,1],"values":["#), "\(found[0])")
        let arrays = try NPZ.read(path: scratch.file("arrays/bars-000001.npz"))
        let means = try #require(arrays["own.means"])
        #expect(means.shape == [1, 3, 1, 1])
        // Colour bars: between black and white, and not all the same.
        let values = try #require(means.floats())
        #expect(values.allSatisfy { $0 > 20 && $0 < 235 })
    }

    @Test(arguments: [
        (#", "mean": [1, 2]"#, "own.mean: has 2 numbers", "three, in the order of \"channels\""),
        (#", "scale": 0"#, "own.scale: is 0", ""),
        (#", "scale": []"#, "own.scale: must be a number or a list of numbers", ""),
        (#", "columns": ["box", "clases"]"#, "there is no column \"clases\"", "did you mean \"classes\"?"),
        (#", "columns": ["classes", "box"]"#, "\"classes\" takes the rest of a row", ""),
        (#", "columns": ["score"]"#, "\"box\" must be there once", ""),
        (#", "decode": "masks""#, "own.decode: must be", ""),
    ])
    func `a wrong setting is one diagnostic`(_ setting: String, _ message: String, _ fix: String) throws {
        let error = #expect(throws: PipelineFileError.self) {
            try pipeline(
                #""b": {"type": "testpattern"}, "own": {"type": "onnx", "input": "b", "model": "m.onnx"\#(setting)}, "#
                    + #""e": {"type": "null", "input": "own"}"#)
        }
        let text = error.map { $0.diagnostics.map(\.description).joined(separator: "\n") } ?? ""
        #expect(text.contains(message) && (fix.isEmpty || text.contains(fix)), "\(text)")
        #expect(error?.diagnostics.count == 1, "\(text)")
    }

    @Test func `lists of numbers can be set by a flag, and one number stands for three`() throws {
        func mean(_ overrides: [String]) throws -> [Double]? {
            let nodes =
                #""b": {"type": "testpattern"}, "own": {"type": "onnx", "input": "b", "model": "m", "mean": 7}, "#
                + #""e": {"type": "null", "input": "own"}"#
            return try pipeline(nodes, overrides: overrides).nodes.first { $0.id == "own" }?.settings[ONNXNode.mean]
        }
        #expect(try mean([]) == [7])
        #expect(try mean(["own.mean=104"]) == [104])
        #expect(try mean(["own.mean=104,117,123.5"]) == [104, 117, 123.5])
        for bad in ["1,,x", "", "1,nan,2", "5000"] {
            #expect(throws: PipelineFileError.self) { try mean(["own.mean=" + bad]) }
        }
    }

    @Test(arguments: [
        ("open", "", "of any size; set \"size\""), ("means", #", "size": "64x64""#, "cannot be run at 64x64"),
        ("means", "", "is not a table of numbers"), ("garbage", "", "model.onnx"),
        ("constant", #", "classes": ["a", "b", "c"]"#, "no axis of 7 columns"),
        ("constant", #", "output": "rows""#, "has no output \"rows\"; it has boxes"),
    ])
    func `a model that does not fit is one sentence`(_ kind: String, _ settings: String, _ text: String) throws {
        let scratch = try Scratch()
        let model: [UInt8] =
            switch kind {
            case "open": SmallModels.open(try SmallModels.means())
            case "means": try SmallModels.means()
            case "garbage": Array("no model at all".utf8)
            default: try SmallModels.constant(rows: [[1, 2, 3, 4, 5, 6]])
            }
        let path = try write(model, scratch)
        let error = #expect(throws: PipelineRunError.self) {
            try PipelineRun(
                pipeline(
                    #""b": {"type": "testpattern", "frames": 1}, "own": {"type": "onnx", "input": "b", "model": "\#(path)"\#(settings)}, "#
                        + #""e": {"type": "null", "input": "own"}"#), options: .init(cache: .off))
        }
        let found = error.map { "\($0)" } ?? ""
        #expect(found.hasPrefix("nodes.own: ") && found.contains(text), "\(found)")
        #expect(!found.contains("\n"), "\(found)")
    }
}
