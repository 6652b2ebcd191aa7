// SPDX-License-Identifier: Apache-2.0
import Annotations
import Foundation
import Media
import MediaTestSupport
import Overlay
import TestSupport
import Testing

@testable import Dataflow
@testable import Pipeline
@testable import PipelineLanguage

@Suite struct RedactNodeTests {
    private func settings(_ parameters: String = "") throws -> Settings {
        let run = try pipeline(
            """
            "bars": {"type": "testpattern"},
            "redact": {"type": "redact", "input": "bars"\(parameters)},
            "end": {"type": "null", "input": "redact"}
            """)
        return try #require(run["redact"]).settings
    }

    private func made(_ parameters: String = "") throws -> RedactNode {
        RedactNode(try settings(parameters), required: ["faces"])
    }

    /// A picture that stands still, another one for each seed.
    private func frame(
        _ number: Int, _ annotations: FrameAnnotations, format: PixelFormat = .i420, hasSignal: Bool = true,
        seed: Int = 0, size: (Int, Int) = (160, 120), map: PictureMap = .identity
    ) -> Frame {
        let picture = somePicture(
            width: size.0, height: size.1, format: format, color: ColorSpec(matrix: .bt709))
        for index in 0..<format.planeCount {
            let plane = picture.mutablePlane(index)
            let bytes = format == .nv12 && index == 1 ? 2 * plane.width : plane.width
            for y in 0..<plane.height {
                for x in 0..<bytes {
                    plane.row(y)[x] = UInt8(truncatingIfNeeded: 40 + (x * 7 + y * 13 + seed * 31) % 170)
                }
            }
        }
        let base = Rational(1, 25)
        return Frame(
            ticket: Ticket(source: 0, sequence: UInt64(number), capturedAt: 0), picture: picture, map: map,
            pts: MediaTime(ticks: Int64(number), base: base), duration: MediaTime(ticks: 1, base: base),
            stream: StreamInfo(source: "s", frameRate: Rational(25, 1), hasSignal: hasSignal), annotations: annotations)
    }

    private func faces(_ boxes: [Box], age: Double? = nil) -> FrameAnnotations {
        FrameAnnotations().adding(boxes.map { Face(box: $0, score: 0.9) }, by: "faces", age: age)
    }

    /// Every sample of a frame, by plane.
    private func bytes(_ frame: Frame) -> [[UInt8]] {
        (0..<frame.picture.format.planeCount).map { index in
            let plane = frame.picture.plane(index)
            let count = frame.picture.format == .nv12 && index == 1 ? 2 * plane.width : plane.width
            return (0..<plane.height).flatMap { y in (0..<count).map { plane.row(y)[$0] } }
        }
    }

    /// Runs frames through a node inside a graph of its own; what came out, and what was dropped for which cause.
    private func run(_ node: RedactNode, _ frames: [Frame]) throws -> (out: [Frame], report: RunReport) {
        final class Feed: SourceNode {
            var frames: [Frame]
            init(_ frames: [Frame]) { self.frames = frames }
            func produce(to output: Output) -> Production {
                guard let frame = frames.first else { return .ended }
                guard let ticket = output.admit() else { return .waiting }
                frames.removeFirst()
                output.emit(
                    Frame(
                        ticket: ticket, picture: frame.picture, map: frame.map, pts: frame.pts,
                        duration: frame.duration, stream: frame.stream, annotations: frame.annotations))
                return .more
            }
        }
        final class Catch: Node {
            var frames: [Frame] = []
            func process(_ item: Item, to output: Output) -> Disposition {
                frames.append(item.frame)
                return .done
            }
        }
        let end = Catch()
        var builder = GraphBuilder(name: "test")
        let feed = builder.addSource("feed", Feed(frames), onError: .stop)
        let middle = builder.addNode("redact", node, onError: .stop)
        let last = builder.addNode("end", end, onError: .stop)
        builder.connect(feed, port: 0, to: middle, port: 0, policy: .block, capacity: 4)
        builder.connect(middle, port: 0, to: last, port: 0, policy: .block, capacity: 4)
        let graph = try builder.build()
        try graph.start()
        let report = graph.waitUntilFinished()
        return (end.frames, report)
    }

    private let box = Box(x: 50.5, y: 41.2, width: 21, height: 25)

    /// Whether a sample of luma lies in the box with its margin.
    private func isCovered(_ x: Int, _ y: Int, margin: Float = 0.3) -> Bool {
        let (left, top): (Float, Float) = (box.x - margin * box.width, box.y - margin * box.height)
        let (right, bottom): (Float, Float) = (left + (1 + 2 * margin) * box.width, top + (1 + 2 * margin) * box.height)
        let (column, row) = (Float(x) + 0.5, Float(y) + 0.5)
        return column > left && column < right && row > top && row < bottom
    }

    @Test(arguments: PixelFormat.allCases) func `what is covered does not depend on what was there`(
        format: PixelFormat
    ) throws {
        let inputs = [0, 1].map { frame(0, faces([box]), format: format, seed: $0) }
        let outputs = try inputs.map { input in
            let (out, _) = try run(try made(), [input])
            return bytes(try #require(out.first))
        }
        var (same, kept, wrong) = (0, 0, 0)
        let before = bytes(inputs[0])[0]
        for y in 0..<120 {
            for x in 0..<160 {
                let place = y * 160 + x
                if isCovered(x, y) {
                    if outputs[0][0][place] != 16 || outputs[1][0][place] != 16 { wrong += 1 }
                    same += 1
                } else if outputs[0][0][place] == before[place] {
                    kept += 1
                }
            }
        }
        #expect(same > 1000 && kept > 160 * 120 - same - 400)
        // No chroma sample that touches the box is left, either.
        for index in 1..<max(1, format.planeCount) {
            let (shiftX, shiftY) = (format.chromaShiftX, format.chromaShiftY)
            let width = format == .nv12 ? 160 : format.chromaWidth(160)
            for y in 0..<120 {
                for x in 0..<160 where isCovered(x, y) {
                    let column = format == .nv12 ? (x >> 1) * 2 : x >> shiftX
                    let place = (y >> shiftY) * width + column
                    if outputs[0][index][place] != 128 { wrong += 1 }
                    if format == .nv12, outputs[0][index][place + 1] != 128 { wrong += 1 }
                }
            }
        }
        #expect(wrong == 0)
    }

    @Test(arguments: ["pixelate", "blur"]) func `what is made unclear keeps next to nothing`(method: String) throws {
        // The finest detail there is: single samples of black and white, then a flat grey of the same mean.
        let flat = frame(0, faces([Box(x: 40, y: 40, width: 64, height: 64)]))
        let fine = frame(0, faces([Box(x: 40, y: 40, width: 64, height: 64)]))
        for y in 0..<120 {
            for x in 0..<160 {
                flat.picture.mutablePlane(0).row(y)[x] = 112
                fine.picture.mutablePlane(0).row(y)[x] = (x + y) % 2 == 0 ? 0 : 224
            }
        }
        let parameters = #", "method": "\#(method)", "margin": 0"#
        let levels = try [flat, fine].map { input in
            let out = try #require(try run(try made(parameters), [input]).out.first)
            return (48..<96).flatMap { y in (48..<96).map { Int(out.picture.plane(0).row(y)[$0]) } }
        }
        #expect(levels.joined().allSatisfy { abs($0 - 112) <= 12 + 1 })
        // Two runs have different noise.
        let again = try #require(try run(try made(parameters), [flat]).out.first)
        #expect((48..<96).contains { again.picture.plane(0).row(48)[$0] != levels[0][$0 - 48] })
        if method == "pixelate" { #expect(Set(levels[0]).count <= 64) }
    }

    @Test(arguments: ["cover", "drop"]) func `a frame without results that are young enough is not shown`(
        onMissing: String
    ) throws {
        let cases: [(FrameAnnotations, hasSignal: Bool, isShown: Bool)] = [
            (faces([]), true, true), (faces([], age: 0.25), true, true), (faces([], age: 0.26), true, false),
            (FrameAnnotations(), true, false), (FrameAnnotations().adding([Face](), by: "others"), true, false),
            (faces([]), false, false), (faces([], age: 5), true, false),
        ]
        let frames = cases.enumerated().map { frame($0.offset, $0.element.0, hasSignal: $0.element.hasSignal) }
        let (out, report) = try run(try made(#", "onMissing": "\#(onMissing)""#), frames)
        let hidden = cases.filter { !$0.isShown }.count
        if onMissing == "drop" {
            #expect(out.map(\.ticket.sequence) == [0, 1])
            let drops: [RunReport.Drop] = report.source("feed").map(\.drops) ?? []
            let counted = drops.filter { $0.count > 0 }
            #expect(counted.map { "\($0.count) \($0.place) \($0.cause.name)" } == ["\(hidden) redact notRedacted"])
        } else {
            #expect(out.count == cases.count)
            for (index, frame) in out.enumerated() {
                let luma = bytes(frame)[0]
                #expect(luma.allSatisfy { $0 == 16 } == !cases[index].isShown, "case \(index)")
                if !cases[index].isShown { #expect(bytes(frame)[1...].joined().allSatisfy { $0 == 128 }) }
            }
        }
        #expect(report.isBalanced)
    }

    @Test func `a network that was never asked covers everything`() throws {
        let node = RedactNode(try settings(), required: [])
        #expect(try run(node, [frame(0, faces([]))]).out.allSatisfy { bytes($0)[0].allSatisfy { $0 == 16 } })
        let run = try pipeline(
            """
            "bars": {"type": "testpattern"}, "faces": {"type": "retinaface", "input": "bars"},
            "lines": {"type": "mlsd", "input": "faces"}, "track": {"type": "track", "input": "lines"},
            "redact": {"type": "redact", "input": "track"}, "end": {"type": "null", "input": "redact"}
            """)
        #expect(RedactNode.finders(before: try #require(run["redact"]), in: run) == ["faces"])
    }

    @Test func `a face that is missed for a moment stays covered, and not for longer`() throws {
        let frames = (0..<30).map { number in
            frame(number, faces(number < 10 ? [box] : []), seed: 0)
        }
        let (out, _) = try run(try made(#", "hold": "400ms""#), frames)
        #expect(out.count == 30)
        for (number, frame) in out.enumerated() {
            let isBlack = frame.picture.plane(0).row(53)[61] == 16
            #expect(isBlack == (number <= 19), "frame \(number)")
        }
    }

    @Test func `with a delay a face is covered before it was found`() throws {
        let frames = (0..<20).map { number in frame(number, faces(number >= 10 ? [box] : [])) }
        let (out, report) = try run(try made(#", "delay": "200ms""#), frames)
        #expect(out.map(\.ticket.sequence) == Array(0..<20))
        for (number, frame) in out.enumerated() {
            #expect((frame.picture.plane(0).row(53)[61] == 16) == (number >= 5), "frame \(number)")
        }
        #expect(report.isBalanced && report.failures.isEmpty)
    }

    @Test func `places are those of the picture at hand, and tensors go`() throws {
        let tensor = RawTensor(name: "t", shape: [1], values: [1])
        let annotations = faces([Box(x: 120, y: 100, width: 40, height: 40)]).adding([tensor], by: "onnx")
        // The picture is the right half of the source at half the size.
        let input = frame(
            0, annotations, size: (40, 60), map: PictureMap(scaleX: 2, scaleY: 2, offsetX: 80, offsetY: 0))
        let out = try #require(try run(try made(#", "margin": 0"#), [input]).out.first)
        #expect(out.picture.plane(0).row(60 - 5)[25] == 16)
        #expect(out.picture.plane(0).row(30)[25] != 16 && out.picture.plane(0).row(55)[10] != 16)
        #expect(out.annotations["onnx"] == nil && out.annotations["faces"] != nil)
    }

    @Test func `classes of a segmentation and zones are covered by name`() throws {
        let classes = ClassSet("test", [.init("road", .white), .init("person", .black)])
        let map = ClassMap(
            classes: classes, width: 16, height: 12, labels: (0..<192).map { $0 % 16 == 8 && $0 / 16 > 5 ? 1 : 0 },
            region: Box(x: 0, y: 0, width: 160, height: 120))
        let zone = Zone(
            name: "house", number: 0,
            shape: .polygon([Point(x: 0, y: 0), Point(x: 30, y: 0), Point(x: 30, y: 30), Point(x: 0, y: 30)]))
        let annotations = faces([]).adding([map], by: "seg").adding([zone], by: "zones")
        let node = try made(#", "cover": ["person", "house"], "margin": 0"#)
        let out = try #require(try run(node, [frame(0, annotations)]).out.first)
        #expect(out.picture.plane(0).row(90)[85] == 16 && out.picture.plane(0).row(10)[10] == 16)
        #expect(out.picture.plane(0).row(90)[120] != 16 && out.picture.plane(0).row(20)[85] != 16)
    }

    @Test func `boxes that make no sense cover everything, and none crash`() throws {
        let redactor = PictureRedactor()
        for method in PictureRedactor.Method.allCases {
            for format in PixelFormat.allCases {
                for size in [(1, 1), (3, 5), (160, 120)] {
                    let picture = frame(0, FrameAnnotations(), format: format, size: size).picture
                    for box in [
                        Box(x: -1e30, y: 0, width: 1e38, height: 1e38), Box(x: 0, y: 0, width: .infinity, height: 1),
                        Box(x: 5, y: 5, width: -3, height: -3), Box(x: 1e9, y: 1e9, width: 1, height: 1),
                        Box(x: 0.2, y: 0.2, width: 0.1, height: 0.1),
                    ] { redactor.cover(box, of: picture, method) }
                    redactor.cover(Box(x: .nan, y: 0, width: 1, height: 1), of: picture, .fill)
                    #expect(picture.plane(0).row(size.1 - 1)[size.0 - 1] == 16)
                }
            }
        }
    }
}
