// SPDX-License-Identifier: Apache-2.0
import Annotations
import Dataflow
import Foundation
import Media
import MediaTestSupport
import Testing

@testable import Pipeline

@Suite struct RecordTests {
    private func frame(_ results: FrameAnnotations, hasSignal: Bool = true) -> Frame {
        let picture = somePicture(width: 4, height: 4, format: .gray8, color: .assumed(height: 4))
        let base = Rational(1, 30)
        return Frame(
            ticket: Ticket(source: 0, sequence: 17, capturedAt: 0), picture: picture,
            pts: MediaTime(ticks: 17, base: base), duration: MediaTime(ticks: 1, base: base),
            stream: StreamInfo(source: "cam\"1", frameRate: Rational(30, 1), hasSignal: hasSignal), annotations: results
        )
    }

    private func record(_ results: FrameAnnotations, hasSignal: Bool = true) -> String {
        var text = JSONWriter()
        _ = FrameRecord.write(frame(results, hasSignal: hasSignal), to: &text)
        return text.withBytes { String(decoding: $0, as: UTF8.self) }
    }

    private let face = Face(
        box: Box(x: 1.005, y: -2.5, width: 30, height: 40), score: 0.98766,
        landmarks: [Point(x: 1, y: 2), Point(x: 3, y: 4)])
    private let line = LineSegment(from: Point(x: 0, y: 1), to: Point(x: 2.125, y: .infinity), score: 0.7)

    @Test func `a record is the documented object`() {
        let start = #"{"source":"cam\"1","frame":17,"pts":0.566667"#
        #expect(record(FrameAnnotations()) == start + "}")
        #expect(record(FrameAnnotations(), hasSignal: false) == start + #","signal":false}"#)
        #expect(record(FrameAnnotations().adding([Face](), by: "f")) == start + #","faces":[],"carried":false}"#)
        let faces = #"{"box":[1,-2.5,30,40],"score":0.9877,"landmarks":[[1,2],[3,4]]}"#
        let both = FrameAnnotations().adding([line], by: "l").adding([face], by: "f", age: 0.04)
        #expect(
            record(both) == start + #","faces":["# + faces.dropLast() + #","carried":true,"age":0.04}"#
                + #"],"lines":[{"from":[0,1],"to":[2.13,null],"score":0.7}],"carried":true}"#)
        let two = FrameAnnotations().adding([face], by: "f").adding([Face](), by: "g").adding([face], by: "h")
        #expect(record(two) == start + #","faces":["# + faces + "," + faces + #"],"carried":false}"#)
    }

    @Test func `objects and raw tensors are records, too`() throws {
        let results = FrameAnnotations()
            .adding([Detection(box: face.box, score: 0.5, label: 3, name: "a \"b\"")], by: "o")
            .adding([RawTensor(name: "t", shape: [1, 3], values: [1.5, -.infinity, 1e-9])], by: "r")
        let text = record(results)
        #expect(
            text.hasSuffix(
                #","objects":[{"box":[1,-2.5,30,40],"score":0.5,"label":3,"class":"a \"b\""}],"#
                    + #""tensors":[{"name":"t","shape":[1,3],"values":[1.5,null,1e-09]}],"carried":false}"#), "\(text)")
        #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(text.utf8)) }
    }

    @Test func `a segmentation is areas, and runs where asked for`() {
        let classes = ClassSet("test", [.init("road", .white), .init("a \"b\"", .black), .init("sky", .black)])
        let map = ClassMap(
            classes: classes, width: 3, height: 2, labels: [2, 2, 0, 0, 0, 0],
            region: Box(x: 0, y: -1, width: 4, height: 4.5))
        let results = FrameAnnotations().adding([Face](), by: "f").adding([map], by: "s", age: 1.5)
        let areas =
            #"{"source":"cam\"1","frame":17,"pts":0.566667,"faces":[],"segmentation":{"classes":"#
            + #"{"road":0.6667,"sky":0.3333}"#
        #expect(record(results) == areas + #","carried":true,"age":1.5},"carried":true}"#)
        var text = JSONWriter(isDetailed: true)
        #expect(FrameRecord.write(frame(results), to: &text))
        #expect(
            text.withBytes { String(decoding: $0, as: UTF8.self) } == areas
                + #","mask":{"size":[3,2],"box":[0,-1,4,4.5],"names":["road","a \"b\"","sky"],"runs":[2,2,0,4]},"#
                + #""carried":true,"age":1.5},"carried":true}"#)
    }

    @Test func `what is void has its share in the record, and runs of 255`() {
        let classes = ClassSet("test", [.init("road", .white), .init("sky", .black)])
        let map = ClassMap(
            classes: classes, width: 4, height: 2, labels: [255, 255, 0, 0, 0, 0, 0, 255],
            region: Box(x: 0, y: 0, width: 8, height: 4))
        var text = JSONWriter(isDetailed: true)
        #expect(FrameRecord.write(frame(FrameAnnotations().adding([map], by: "s")), to: &text))
        #expect(
            text.withBytes { String(decoding: $0, as: UTF8.self) }.contains(
                #""segmentation":{"classes":{"road":0.625},"void":0.375,"mask":{"size":[4,2],"box":[0,0,8,4],"#
                    + #""names":["road","sky"],"runs":[255,2,0,5,255,1]}"#))
    }

    @Test func `the mask of a scaled frame lies over its picture`() throws {
        let classes = ClassSet("test", [.init("road", Color(hex: 0x804080)), .init("sky", .white)])
        // The source frame is 8x8, the picture its lower half at half the size; the map covers the left six columns.
        let map = ClassMap(
            classes: classes, width: 2, height: 2, labels: [1, 1, 0, 1],
            region: Box(x: 0, y: 0, width: 6, height: 8))
        let base = Rational(1, 30)
        let frame = Frame(
            ticket: Ticket(source: 0, sequence: 1, capturedAt: 0),
            picture: try PicturePool().make(width: 4, height: 2, format: .gray8, color: .assumed(height: 2)),
            map: PictureMap(scaleX: 2, scaleY: 2, offsetX: 0, offsetY: 4), pts: MediaTime(ticks: 0, base: base),
            duration: MediaTime(ticks: 1, base: base), stream: StreamInfo(source: "s", frameRate: Rational(30, 1)),
            annotations: FrameAnnotations().adding([map], by: "s"))
        let mask = try #require(SnapshotsNode.mask(of: frame))
        // Pixel centres at 1, 3, 5 and 7 of the source: the border is at 3, the map ends at 6.
        #expect(mask.indices == [0, 1, 1, 2, 0, 1, 1, 2])
        #expect(mask.palette == [Color(hex: 0x804080), .white, .black])
        #expect(SnapshotsNode.mask(of: frame.replacing(annotations: FrameAnnotations())) == nil)
    }

    @Test func `every record is JSON`() throws {
        let results = FrameAnnotations().adding([face, face], by: "f").adding([line, line], by: "l")
        let object = try JSONSerialization.jsonObject(with: Data(record(results).utf8)) as? [String: Any]
        #expect((object?["faces"] as? [Any])?.count == 2)
        #expect(object?["source"] as? String == "cam\"1")
    }

    @Test func `a playback pace follows timestamps`() {
        let pace = PlaybackPace(now: 1_000_000_000, first: 5)
        #expect(pace.wait(now: 1_000_000_000, for: 5) == nil)
        #expect(abs((pace.wait(now: 1_000_000_000, for: 5.5) ?? 0) - 0.5) < 1e-9)
        #expect(pace.wait(now: 1_600_000_000, for: 5.5) == nil)
    }
}
