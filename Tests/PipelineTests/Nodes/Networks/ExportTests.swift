// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

@testable import Pipeline
@testable import PipelineLanguage

/// What a tool that exports networks may do, and what the first frame's record is then.
struct Export: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// Of the node, after the model; `@/` stands for the folder of the model.
    let settings: String
    let record: String
    let make: @Sendable (inout ExportedModel, Scratch) throws -> Void
    let picture: (ExportedModel.Kind, [Int])

    init(
        _ essence: String, _ settings: String, gives record: String,
        picture: (ExportedModel.Kind, [Int]) = (.f32, [1, 3, 32, 32]),
        _ make: @escaping @Sendable (inout ExportedModel, Scratch) throws -> Void
    ) {
        testDescription = essence
        self.settings = settings
        self.record = record
        self.picture = picture
        self.make = make
    }

    /// Two rows of corners, score and label; the picture is 64x48, the input 32x32.
    private static let rows: [Float] = [8, 8, 16, 16, 0.75, 1, 2, 4, 6, 10, 0.5, 0]
    private static let corners = #", "columns": ["box", "score", "label"], "format": "xyxy""#
    private static func objects(_ first: String = "1", _ second: String = "0") -> String {
        #""objects":[{"box":[16,12,16,12],"score":0.75,"label":1,"class":"\#(first)"},"#
            + #"{"box":[4,6,8,9],"score":0.5,"label":0,"class":"\#(second)"}]"#
    }
    /// A grid of 4 by 2 whose left column is of one class.
    private static let grid: [Float] = [0, 1, 1, 1, 0, 1, 1, 1]
    private static let areas = #""segmentation":{"classes":{"sky":0.25,"road":0.75}}"#
    private static let mask = #", "decode": "mask", "classes": ["sky", "road"]"#

    /// Suppression inside: of three boxes two overlap, the best of which stays, and the number that stays is open.
    private static func suppressing(_ model: inout ExportedModel, threshold: Float = 0.1) {
        model.floats("b", [1, 3, 4], [8, 8, 16, 16, 8, 8, 16, 17, 4, 2, 10, 6])
        model.floats("s", [1, 1, 3], [0.75, 0.5, 0.25])
        model.node("Add", ["s", "zero"], "sz")
        model.integers("most", [1], [10])
        model.floats("overlap", [1], [0.5])
        model.floats("least", [1], [threshold])
        model.node("NonMaxSuppression", ["b", "sz", "most", "overlap", "least"], "chosen")
        model.integers("column", [], [2])
        model.node("Gather", ["chosen", "column"], "places", ["axis": .integer(1)])
    }

    static let all: [Export] = [
        Export("f16 out", corners, gives: objects()) { model, _ in model.output("boxes", .f16, [1, 2, 6], rows) },
        Export(
            "boxes of whole numbers", corners,
            gives: #""objects":[{"box":[16,12,16,12],"score":1,"label":3,"class":"3"}]"#
        ) { model, _ in
            model.output("boxes", .i32, [1, 6], [8, 8, 16, 16, 1, 3])
        },
        Export(
            "u8 in, colours last", #", "decode": "tensors", "mean": 0, "scale": 1"#,
            gives: #""tensors":[{"name":"size","shape":[1,2],"values":[32.0,32.0]}]"#, picture: (.u8, [1, 32, 32, 3])
        ) { model, _ in model.output("size", .f32, [1, 2], [32, 32]) },
        Export("f16 in", corners, gives: objects(), picture: (.f16, [1, 3, 32, 32])) { model, _ in
            model.output("boxes", .f32, [2, 6], rows)
        },
        Export("one grey channel", corners, gives: objects(), picture: (.f32, [1, 1, 32, 32])) { model, _ in
            model.output("boxes", .f32, [2, 6], rows)
        },
        Export(
            "a batch of several, of which one place is used", corners, gives: objects(),
            picture: (.f32, [3, 3, 32, 32])
        ) {
            model, _ in model.output("boxes", .f32, [3, 2, 6], rows + [Float](repeating: 1, count: 24))
        },
        Export("a mask of i64", mask, gives: areas) { model, _ in model.output("mask", .i64, [1, 2, 4], grid) },
        Export("a mask of i32 with a channel", mask, gives: areas) { model, _ in
            model.output("mask", .i32, [1, 1, 2, 4], grid)
        },
        Export("a mask of u8 without a batch", mask, gives: areas) { model, _ in
            model.output("mask", .u8, [2, 4], grid)
        },
        Export("a mask of one score", mask, gives: areas) { model, _ in
            model.output("mask", .f32, [1, 1, 2, 4], grid.map { $0 * 0.4 + 0.3 })
        },
        Export("a mask of one logit in f16", mask + #", "logits": true"#, gives: areas) { model, _ in
            model.output("mask", .f16, [1, 1, 2, 4], grid.map { $0 - 0.75 })
        },
        Export("the largest class found inside", mask, gives: areas) { model, _ in
            model.floats("scores", [1, 2, 2, 4], grid.map { 1 - $0 } + grid)
            model.node("Add", ["scores", "zero"], "sums")
            model.node("ArgMax", ["sums"], "mask", ["axis": .integer(1), "keepdims": .integer(0)])
            model.output("mask", .i64, [1, 2, 4])
        },
        Export(
            "an input for the picture's size, width first", #", "decode": "tensors""#,
            gives: #""tensors":[{"name":"size","shape":[1,2],"values":[32.0,32.0]}]"#
        ) { model, _ in
            model.input("orig_target_sizes", .i64, [1, 2])
            model.node("Cast", ["orig_target_sizes"], "sizes", ["to": .integer(1)])
            model.node("Add", ["sizes", "zero"], "size")
            model.output("size", .f32, [1, 2])
        },
        Export(
            "the same, height first", #", "decode": "tensors""#,
            gives: #""tensors":[{"name":"size","shape":[1,2],"values":[16.0,32.0]}]"#, picture: (.f32, [1, 3, 16, 32])
        ) { model, _ in
            model.input("im_shape", .f32, [1, 2])
            model.node("Add", ["im_shape", "zero"], "size")
            model.output("size", .f32, [1, 2])
        },
        Export("corners from the top", #", "columns": ["box", "score", "label"], "format": "yxyx""#, gives: objects()) {
            model, _ in
            model.output("boxes", .f32, [2, 6], [8, 8, 16, 16, 0.75, 1, 4, 2, 10, 6, 0.5, 0])
        },
        Export("weights in a file beside the model", corners, gives: objects()) { model, scratch in
            let values = [Float](repeating: 9, count: 16) + rows
            try values.withUnsafeBytes { Data($0) }.write(to: URL(fileURLWithPath: scratch.file("w.bin")))
            model.floats("rows", [2, 6], in: "w.bin", at: 64)
            model.node("Add", ["rows", "zero"], "boxes")
            model.output("boxes", .f32, [2, 6])
        },
        Export("names of classes inside", corners, gives: objects("dog's bowl", "cat")) { model, _ in
            model.says("names", #"{0: 'cat', 1: "dog's bowl"}"#)
            model.output("boxes", .f32, [2, 6], rows)
        },
        Export("names of classes in a file", corners + #", "classes": ["@/names.txt"]"#, gives: objects("dog", "cat")) {
            model, scratch in
            try "cat\ndog\n".write(toFile: scratch.file("names.txt"), atomically: true, encoding: .utf8)
            model.says("names", "{0: 'x', 1: 'y'}")
            model.output("boxes", .f32, [2, 6], rows)
        },
        Export(
            "suppression inside, rows open", corners + #", "threshold": 0.1"#,
            gives: #""objects":[{"box":[16,12,16,12],"score":0.75,"label":1,"class":"1"},"#
                + #"{"box":[4,6,8,9],"score":0.25,"label":2,"class":"2"}]"#
        ) { model, _ in
            suppressing(&model)
            model.floats("all", [3, 6], [8, 8, 16, 16, 0.75, 1, 8, 8, 17, 16, 0.5, 1, 2, 4, 6, 10, 0.25, 2])
            model.node("Gather", ["all", "places"], "boxes", ["axis": .integer(0)])
            model.output("boxes", .f32, [nil, 6])
        },
        // What is not there must not pass as a logit of 0, which is a half.
        Export("suppression inside, nothing left", corners + #", "logits": true"#, gives: #""objects":[]"#) {
            model, _ in
            suppressing(&model, threshold: 0.9)
            model.floats("all", [3, 6], [Float](repeating: 1, count: 18))
            model.node("Gather", ["all", "places"], "boxes", ["axis": .integer(0)])
            model.output("boxes", .f32, [nil, 6])
        },
        Export(
            "boxes, scores and labels apart, rows open",
            #", "columns": ["box"], "format": "xyxy", "output": "boxes", "scores": "scores", "labels": "labels", "threshold": 0.1"#,
            gives: #""objects":[{"box":[16,12,16,12],"score":0.75,"label":4,"class":"4"},"#
                + #"{"box":[4,6,8,9],"score":0.25,"label":6,"class":"6"}]"#
        ) { model, _ in
            suppressing(&model)
            model.floats("allBoxes", [3, 4], [8, 8, 16, 16, 8, 8, 17, 16, 2, 4, 6, 10])
            model.floats("allScores", [3], [0.75, 0.5, 0.25])
            model.integers("allLabels", [3], [4, 5, 6])
            for (all, name) in [("allBoxes", "boxes"), ("allScores", "scores"), ("allLabels", "labels")] {
                model.node("Gather", [all, "places"], name, ["axis": .integer(0)])
            }
            model.output("boxes", .f32, [nil, 4])
            model.output("scores", .f32, [nil])
            model.output("labels", .i64, [nil])
        },
        Export(
            "rows that are open, as they are", #", "decode": "tensors""#,
            gives: #""tensors":[{"name":"places","shape":[2],"values":[0.0,2.0]}]"#
        ) { model, _ in
            suppressing(&model)
            model.output("places", .i64, [nil])
        },
    ]
}

@Suite struct ExportTests {
    private func record(_ export: Export, cached: Bool = false, _ scratch: Scratch) throws -> String {
        var model = ExportedModel(export.picture.0, export.picture.1)
        try export.make(&model, scratch)
        try Data(model.bytes).write(to: URL(fileURLWithPath: scratch.file("model.onnx")))
        let settings = export.settings.replacing("@/", with: scratch.path + "/")
        try PipelineRun(
            pipeline(
                """
                "bars": {"type": "testpattern", "size": "64x48", "frames": 3},
                "own": {"type": "onnx", "input": "bars", "model": "\(scratch.file("model.onnx"))"\(settings)},
                "text": {"type": "jsonl", "input": "own", "path": "\(scratch.file("a.jsonl"))", "overwrite": true}
                """), options: .init(cache: cached ? .directory(scratch.file("cache")) : .off)
        ).finish()
        let records = try scratch.records("a.jsonl")
        #expect(records.count == 3)
        return try #require(records.last)
    }

    @Test(.timeLimit(.minutes(15)), arguments: Export.all) func `is read as it is meant`(export: Export) throws {
        let record = try record(export, Scratch())
        #expect(record.contains(export.record), "\(record)")
    }

    @Test(.timeLimit(.minutes(15))) func `a picture is the same in every kind of input`() throws {
        let kinds: [(ExportedModel.Kind, [Int])] = [
            (.f32, [1, 3, 32, 32]), (.f16, [1, 3, 32, 32]), (.u8, [1, 3, 32, 32]), (.u8, [1, 32, 32, 3]),
            (.f32, [1, 32, 32, 3]),
        ]
        let means = try kinds.map { picture in
            let export = Export("", #", "decode": "tensors", "mean": 0, "scale": 1"#, gives: "", picture: picture) {
                model, _ in
                model.floats("row", [1], [0])
                model.node("Add", ["mean", "row"], "level")
                model.output("level", .f32, [1])
            }
            let record = try record(export, Scratch())
            let number = record.firstMatch(of: /"values":\[([0-9.]+)\]/)?.output.1
            return try #require(number.flatMap { Double($0) }, "\(record)")
        }
        // Bars of three quarters brightness, each colour on in half of them.
        #expect(means[0] > 60 && means[0] < 140)
        #expect(means.allSatisfy { abs($0 - means[0]) < 0.6 }, "\(means)")
    }

    @Test(.timeLimit(.minutes(15))) func `rows are open after a restoration, too`() throws {
        let scratch = try Scratch()
        for export in Export.all where export.testDescription.hasSuffix("rows open") {
            for _ in 0..<2 {
                let record = try record(export, cached: true, scratch)
                #expect(record.contains(export.record), "\(record)")
            }
        }
    }

    @Test(arguments: [([nil, nil], "boxes"), ([1, 3, nil], "boxes")] as [([Int?], String)])
    func `what is open otherwise is refused`(shape: [Int?], name: String) throws {
        let open = Export("open", "", gives: "") { model, _ in
            model.floats("rows", [1, 3, 6], [Float](repeating: 1, count: 18))
            model.node("Add", ["rows", "zero"], "table")
            // Sizes that depend on numbers.
            model.node("NonZero", ["table"], "boxes")
            model.output("boxes", .i64, shape)
        }
        let error = #expect(throws: PipelineRunError.self) { try record(open, Scratch()) }
        #expect(
            error?.description.contains("boxes: has a dynamic shape; every size but the number of rows must be fixed")
                == true,
            "\(error?.description ?? "")")
    }
}
