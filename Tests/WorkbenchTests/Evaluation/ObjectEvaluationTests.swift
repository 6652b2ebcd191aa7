// SPDX-License-Identifier: Apache-2.0
import Annotations
import Foundation
import Inference
import InferenceTestSupport
import Media
import Networks
import Overlay
import TestSupport
import Testing

@testable import Pipeline
@testable import PipelineLanguage
@testable import Workbench

@Suite struct ObjectAccuracyTests {
    /// Numbers that any language makes alike.
    private struct Dice {
        var state: UInt64
        mutating func next(_ limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % limit
        }
    }

    /// Fourteen pictures of objects of three classes and four sizes, some of them crowds, with detections near them, of wrong
    /// classes, and anywhere.
    private static func pictures(_ seed: UInt64) -> [(found: [Detection], truth: [ObjectAccuracy.Truth])] {
        var dice = Dice(state: seed)
        func box(_ x: Int, _ y: Int, _ width: Int, _ height: Int) -> Box {
            Box(x: Float(x), y: Float(y), width: Float(width), height: Float(height))
        }
        return (0..<14).map { _ in
            var (found, truth) = ([Detection](), [ObjectAccuracy.Truth]())
            for _ in 0..<dice.next(7) {
                let side = [8, 30, 60, 150][dice.next(4)]
                let (x, y) = (dice.next(250), dice.next(250))
                let (width, height) = (side / 2 + dice.next(side), side / 2 + dice.next(side))
                let label = dice.next(3)
                truth.append(
                    .init(
                        box: box(x, y, width, height), label: label, area: Float(width * height),
                        isCrowd: dice.next(8) == 0))
                for _ in 0..<dice.next(4) {
                    let (dx, dy) = (dice.next(1 + side / 4) - side / 8, dice.next(1 + side / 4) - side / 8)
                    let other = dice.next(6) == 0 ? (label + 1) % 3 : label
                    let score = Float(dice.next(50)) / 64
                    found.append(
                        Detection(box: box(x + dx, y + dy, width, height), score: score, label: other, name: ""))
                }
            }
            for _ in 0..<dice.next(4) {
                let (x, y, width, height) = (dice.next(300), dice.next(300), 5 + dice.next(90), 5 + dice.next(90))
                let label = dice.next(3)
                let score = Float(dice.next(50)) / 64
                found.append(Detection(box: box(x, y, width, height), score: score, label: label, name: ""))
            }
            return (found, truth)
        }
    }

    /// AP, AP50, AP75, small, medium, large and recall that pycocotools 2.0 gives for the same boxes.
    @Test(
        arguments: [
            (
                1,
                [
                    0.16149832271036435, 0.36491941660281146, 0.11597681507281163, 0.23747760490334752,
                    0.22724939160582724, 0.02524752475247525, 0.3493506493506494,
                ]
            ),
            (
                2,
                [
                    0.2562000584745682, 0.48131893021234895, 0.21165877526610963, 0.31255500550055, 0.3076940001692477,
                    0.46831683168316834, 0.5287179487179487,
                ]
            ),
            (
                3,
                [
                    0.1912543642928414, 0.31499002841460616, 0.16492220650636494, 0.31395214521452147,
                    0.1622112211221122, 0.3547029702970297, 0.30000000000000004,
                ]
            ),
        ] as [(UInt64, [Double])])
    func `equals the reference implementation`(seed: UInt64, expected: [Double]) throws {
        var accuracy = ObjectAccuracy(classes: 3)
        for picture in Self.pictures(seed) { accuracy.add(found: picture.found, truth: picture.truth) }
        let found = [
            accuracy.averagePrecision(), accuracy.averagePrecision(overlap: 0), accuracy.averagePrecision(overlap: 5),
            accuracy.averagePrecision(.small), accuracy.averagePrecision(.medium), accuracy.averagePrecision(.large),
            accuracy.recall(),
        ]
        for (own, reference) in zip(found, expected) { #expect(abs(try #require(own) - reference) < 1e-9) }
    }

    @Test func `a class without objects has no figure and does not count`() throws {
        var accuracy = ObjectAccuracy(classes: 2)
        let box = Box(x: 0, y: 0, width: 50, height: 50)
        accuracy.add(
            found: [
                Detection(box: box, score: 0.9, label: 0, name: ""),
                Detection(box: box, score: 0.9, label: 1, name: ""),
            ], truth: [.init(box: box, label: 0, area: 2500)])
        #expect(accuracy.averagePrecision() == 1)
        #expect(accuracy.averagePrecision(of: 1) == nil)
        #expect(accuracy.averagePrecision(.small) == nil)
        #expect(ObjectAccuracy(classes: 0).averagePrecision() == nil)
    }
}

@Suite struct ObjectEvaluationTests {
    private static let labels = """
        {"images": [{"id": 7, "file_name": "a.png", "width": 64, "height": 48}, {"id": 9, "file_name": "b.png"}],
         "annotations": [{"image_id": 7, "category_id": 3, "bbox": [12, 9, 8, 6], "area": 48, "iscrowd": 0},
                         {"image_id": 9, "category_id": 1, "bbox": [0, 0, 20, 20]}],
         "categories": [{"id": 3, "name": "dog"}, {"id": 1, "name": "cat"}]}
        """

    private func folder(_ labels: String) throws -> Scratch {
        let scratch = try Scratch()
        let pattern = try TestPattern(width: 64, height: 48)
        try FileManager.default.createDirectory(atPath: scratch.file("images"), withIntermediateDirectories: true)
        for name in ["a", "b"] {
            try ImageWriter().write(pattern.frame(0).picture, to: scratch.file("images/\(name).png"))
        }
        try Data(labels.utf8).write(to: URL(fileURLWithPath: scratch.file("annotations.json")))
        try Data(try Self.model()).write(to: URL(fileURLWithPath: scratch.file("m.onnx")))
        return scratch
    }

    /// Any model: its header is read, what it gives is the engine's.
    private static func model() throws -> [UInt8] {
        let b = NetworkBuilder(name: "any", variant: "test")
        try b.output("found", b.apply("mean", .globalAveragePool, b.input("image", shape: [1, 3, 24, 32])))
        return try b.build().onnx(weights: Weights())
    }

    /// A network at 32x24 that finds the same two objects in every picture: corners, score, label.
    private static let engine = FakeEngine(
        ports: (
            [TensorInfo(name: "image", shape: [1, 3, 24, 32], element: .f32)],
            [TensorInfo(name: "found", shape: [1, 2, 6], element: .f32)]
        ),
        compute: { (_, request) throws(InferenceError) in
            _ = request.outputs[0].floats.update(fromContentsOf: [6, 4.5, 10, 7.5, 0.9, 1, 0, 0, 10, 10, 0.02, 0])
        })

    private func run(_ scratch: Scratch, _ settings: String = "") throws -> ObjectEvaluation {
        let text = #"""
            {"nodes": {"p": {"type": "testpattern"}, "n": {"type": "onnx", "input": "p", "model": "\#(scratch.file("m.onnx"))",
             "columns": ["box", "score", "label"], "format": "xyxy", "threshold": 0.001\#(settings)},
             "end": {"type": "null", "input": "n"}}}
            """#
        let valid = try PipelineFile(name: "p.json", text: text).validated(against: NodeRegistry.builtIn.contracts)
        return try ObjectEvaluation(
            valid, node: "n", data: scratch.path, split: "val", registry: .builtIn, engine: Self.engine)
    }

    @Test func `unnamed classes are the categories by their ids, named ones by name`() throws {
        let scratch = try folder(Self.labels)
        for settings in ["", #", "classes": ["cat", "dog"]"#] {
            let report = try run(scratch, settings)
            #expect(report.classes == ["cat", "dog"])
            // The dog is found, and once where there is none; the cat overlaps by 20 of 20 pixels in b, and a has none.
            #expect(report.accuracy.averagePrecision(of: 1) == 1)
            #expect(report.rows.map { $0[0] } == ["cat", "dog", "all"])
            #expect(report.rows[1][1...] == ["1", "100", "100", "100"])
            let object = try JSONSerialization.jsonObject(with: Data(report.json.utf8)) as? [String: Any]
            #expect(object?["AP"] as? Double == report.figure)
        }
        let swapped = try run(scratch, #", "classes": ["dog", "cat"]"#)
        #expect(swapped.accuracy.averagePrecision(of: 1) == 0)
    }

    static let faults: [(String, String, String)] = [
        ("{\"images\": []", "", "is not COCO's layout"),
        (#"{"images": [], "annotations": []}"#, "", "has no \"categories\""),
        (#"{"images": [], "annotations": [], "categories": []}"#, "", "has no images"),
        (labels.replacing("\"a.png\"", with: "\"c.png\""), "", "c.png: there is no such picture"),
        (labels.replacing("\"image_id\": 9", with: "\"image_id\": 8"), "", "annotations[1]: there is no image 8"),
        (
            labels.replacing("[0, 0, 20, 20]", with: "[0, 0, 20]"), "",
            "annotations[1]: a bbox is x, y, width and height"
        ),
        (labels.replacing("\"width\": 64", with: "\"width\": 65"), "", "is 64x48, but its labels are for 65x48"),
        (labels, #", "classes": ["horse", "cow"]"#, "none of what the model finds (cow, horse) is a category"),
    ]

    @Test(arguments: faults) func `what is wrong with the labels is said`(
        labels: String, settings: String, text: String
    )
        throws
    {
        let scratch = try folder(labels)
        #expect {
            try run(scratch, settings)
        } throws: { "\($0)".contains(text) }
    }
}
