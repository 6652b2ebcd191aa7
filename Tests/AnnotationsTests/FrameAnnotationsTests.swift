// SPDX-License-Identifier: Apache-2.0
import Annotations
import Testing

/// A kind that the product does not know.
private struct Barcode: BoxAnnotation, Hashable {
    static let kind = AnnotationKind("barcodes")
    var box: Box
    var score: Float
    var name: String

    func write(to record: inout JSONWriter) {
        writeBox(to: &record)
        record.field("text", name)
    }
}

/// Everything moves by the same.
private struct Shift: MotionField {
    let by: Point
    func motion(inside box: Box) -> Point { by }
    func motion(from start: Point, to end: Point) -> Point { by }
}

/// Writes down what is drawn.
private final class Script: AnnotationCanvas {
    var lines: [String] = []
    func box(_ box: Box, _ color: AnnotationColor) { lines.append("box \(color)") }
    func lines(_ segments: [LineSegment], _ color: AnnotationColor) { lines.append("lines \(segments.count) \(color)") }
    func polyline(_ points: [Point], isClosed: Bool, _ color: AnnotationColor) { lines.append("polyline") }
    func points(_ points: [Point], largestRadius: Float) {
        if !points.isEmpty { lines.append("points \(points.count)") }
    }
    func label(_ text: String, score: Float?, at box: Box, _ color: AnnotationColor) { lines.append("label \(text)") }
    func mask(_ map: ClassMap) { lines.append("mask") }
    func legend(_ map: ClassMap) { lines.append("legend") }
}

@Suite struct FrameAnnotationsTests {
    private static let box = Box(x: 10, y: 20, width: 30, height: 40)
    private let code = Barcode(box: box, score: 0.5, name: "4006381333931")
    private let face = Face(box: box, score: 0.75, landmarks: [Point(x: 12, y: 24)])
    private let line = LineSegment(from: Point(x: 0, y: 1), to: Point(x: 2, y: 3), score: 0.25)
    private let object = Detection(box: box, score: 0.5, label: 3, name: "cat")
    private let tensor = RawTensor(name: "t", shape: [2], values: [1.5, 2])
    private let map = ClassMap(
        classes: ClassSet("test", [.init("road", .white), .init("sky", .black)]), width: 2, height: 1, labels: [1, 1],
        region: Box(x: 0, y: 0, width: 8, height: 4))

    private var all: FrameAnnotations {
        FrameAnnotations().adding([map], by: "m").adding([tensor], by: "t").adding([object], by: "o")
            .adding([line], by: "l").adding([face], by: "f", age: 0.5).adding([code], by: "c").adding([face], by: "g")
    }

    private func record(_ annotations: FrameAnnotations) -> String {
        var json = JSONWriter()
        json.beginObject()
        _ = annotations.write(to: &json)
        json.endObject()
        return json.withBytes { String(decoding: $0, as: UTF8.self) }
    }

    @Test func `a record has the lists by name and then the objects, whoever came first`() {
        let box = #"{"box":[10,20,30,40],"score":"#
        let face = box + #"0.75,"landmarks":[[12,24]]"#
        #expect(
            record(all) == #"{"barcodes":["# + box + #"0.5,"text":"4006381333931"}],"faces":["#
                + face + #","carried":true,"age":0.5},"# + face
                + #"}],"lines":[{"from":[0,1],"to":[2,3],"score":0.25}],"#
                + #""objects":["# + box + #"0.5,"label":3,"class":"cat"}],"#
                + #""tensors":[{"name":"t","shape":[2],"values":[1.5,2.0]}],"segmentation":{"classes":{"sky":1}},"#
                + #""carried":true}"#)
    }

    @Test func `of objects a frame has one of, the last is written`() {
        let older = map.moved(to: Box(x: 1, y: 1, width: 1, height: 1))
        let annotations = FrameAnnotations().adding([older], by: "a", age: 1).adding([map], by: "b")
        #expect(record(annotations) == #"{"segmentation":{"classes":{"sky":1}},"carried":false}"#)
        #expect(annotations.newest(ClassMap.self)?.item == map && annotations.newest(ClassMap.self)?.age == nil)
        #expect(annotations.newest(Face.self) == nil)
    }

    @Test func `a kind is read by its type, of all nodes`() {
        #expect(all.all(Face.self) == [face, face])
        #expect(all.all(Barcode.self).map(\.name) == ["4006381333931"])
        #expect(FrameAnnotations().all(Face.self).isEmpty)
        #expect(all["c"]?.list.items(Face.self) == nil && all["none"] == nil)
        #expect(all["g"]?.list.boxes?.count == 1 && all["l"]?.list.boxes == nil)
    }

    @Test func `something was found when a list has elements`() {
        let nothing = FrameAnnotations().adding([Face](), by: "f")
        #expect(!nothing.isEmpty && !nothing.hasFindings && all.hasFindings)
        var json = JSONWriter()
        #expect(!nothing.write(to: &json) && all.write(to: &json))
    }

    @Test func `a newer result of a node is the one read by name`() {
        let twice = FrameAnnotations().adding([face], by: "n").adding([line], by: "n", age: 2)
        #expect(twice["n"]?.list.kind == LineSegment.kind && twice["n"]?.isCarried == true)
    }

    @Test func `coordinates are mapped, whatever the kind`() {
        let mapped = all.mapped(by: PictureMap(scaleX: 2, scaleY: 1, offsetX: 1, offsetY: 0))
        let box = Box(x: 21, y: 20, width: 60, height: 40)
        #expect(mapped.all(Barcode.self).map(\.box) == [box] && mapped.all(Detection.self).map(\.box) == [box])
        #expect(mapped.all(Face.self).map(\.landmarks) == [[Point(x: 25, y: 24)], [Point(x: 25, y: 24)]])
        #expect(mapped.all(LineSegment.self).map(\.to) == [Point(x: 5, y: 3)])
        #expect(mapped.newest(ClassMap.self)?.item.region == Box(x: 1, y: 0, width: 16, height: 4))
        #expect(mapped.all(RawTensor.self) == [tensor] && mapped["f"]?.age == 0.5)
    }

    @Test func `what has a place moves, what has none stays`() throws {
        let shift = Shift(by: Point(x: 5, y: -1))
        func moved(_ node: String) throws -> any AnnotationList { try #require(all[node]).list.carried(by: shift) }
        #expect(try moved("c").items(Barcode.self)?.first?.box == Self.box.moved(by: shift.by))
        #expect(try moved("o").items(Detection.self)?.first?.box == Self.box.moved(by: shift.by))
        #expect(try moved("g").items(Face.self)?.first?.landmarks == [Point(x: 17, y: 23)])
        #expect(try moved("l").items(LineSegment.self)?.first?.from == Point(x: 5, y: 0))
        #expect(try moved("m").items(ClassMap.self) == [map] && moved("t").items(RawTensor.self) == [tensor])
    }

    @Test func `layers are drawn from the lowest, each kind in its own way`() {
        let script = Script()
        all.forEachByLayer { $0.list.draw(on: script) }
        #expect(
            script.lines == [
                "mask", "legend", "lines 1 node", "box palette(3)", "label cat", "box node", "label 4006381333931",
                "box node", "points 1", "label face", "box node", "points 1", "label face",
            ])
    }

    @Test func `regions say where to look and what is there`() {
        var regions: [AnnotationRegion] = []
        all.forEach { $0.list.forEachRegion { regions.append($0) } }
        #expect(regions.map(\.name) == ["sky", "cat", "face", "4006381333931", "face"])
        #expect(regions[0] == .cells(map, label: 1) && regions[1] == .box(Self.box, name: "cat"))
    }
}
