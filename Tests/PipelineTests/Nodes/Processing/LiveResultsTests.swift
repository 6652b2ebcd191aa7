// SPDX-License-Identifier: Apache-2.0
import Annotations
import Foundation
import Media
import MediaTestSupport
import TestSupport
import Testing

@testable import Dataflow
@testable import Pipeline

/// Results that belong to another frame than the one they go with.
@Suite struct LiveResultsTests {
    private static let rate = 25

    /// Frame `number` of a textured picture that moves 4 pixels to the right each frame.
    private func frame(_ number: Int, _ results: FrameAnnotations = FrameAnnotations(), hasSignal: Bool = true) -> Frame
    {
        let picture = somePicture(
            width: 320, height: 180, format: .gray8, color: ColorSpec(matrix: .bt709))
        let plane = picture.mutablePlane(0)
        for y in 0..<180 {
            for x in 0..<320 {
                let (across, down) = (Float(x - 4 * number), Float(y))
                let wave = sinf(across * 0.11) + sinf(across * 0.043 + down * 0.07) + sinf(down * 0.13)
                plane.row(y)[x] = UInt8(128 + 30 * wave)
            }
        }
        let base = Rational(1, Int32(Self.rate))
        return Frame(
            ticket: Ticket(source: 0, sequence: UInt64(number), capturedAt: 0), picture: picture,
            pts: MediaTime(ticks: Int64(number), base: base), duration: MediaTime(ticks: 1, base: base),
            stream: StreamInfo(source: "camera", frameRate: Rational(25, 1), isLive: true, hasSignal: hasSignal),
            annotations: results)
    }

    private func face(_ x: Float) -> any AnnotationList {
        [Face(box: Box(x: x, y: 60, width: 60, height: 60), score: 0.9)]
    }

    private func made(_ mode: String, maxAge: String = "3s") throws -> BranchResults {
        let run = try pipeline(
            """
            "bars": {"type": "testpattern"},
            "join": {"type": "merge", "inputs": ["bars", "bars"], "results": "\(mode)", "maxAge": "\(maxAge)"},
            "end": {"type": "null", "input": "join"}
            """)
        return BranchResults(try #require(run["join"]).settings)
    }

    private func complete(_ branches: BranchResults, _ items: [Frame?]) -> Frame {
        let slots: [Item?] = items
        return slots.withUnsafeBufferPointer { slots in
            guard let base = slots.baseAddress else { preconditionFailure("a join has ports") }
            return branches.completed(JoinedItems(slots: base, count: slots.count))
        }
    }

    /// The face of a frame: where it is, and how old it is in frames.
    private func found(_ frame: Frame, by node: String = "faces") -> (x: Float, age: Int)? {
        guard let entry = frame.annotations[node], let face = entry.list.items(Face.self)?.first else {
            return nil
        }
        return (face.box.x, Int(((entry.age ?? 0) * Double(Self.rate)).rounded()))
    }

    @Test(arguments: ["wait", "newest"]) func `a frame that a branch skipped has its last results, moved and marked`(
        mode: String
    ) throws {
        let branches = try made(mode)
        for number in 0..<12 {
            let isInferred = number % 4 == 0
            let own = frame(number, FrameAnnotations().adding(face(40 + 4 * Float(number)), by: "faces"))
            let out = complete(branches, [frame(number), isInferred ? own : nil])
            let seen = try #require(found(out))
            #expect(abs(seen.x - (40 + 4 * Float(number))) < 2.5, "frame \(number)")
            #expect(seen.age == number % 4)
            #expect(out.annotations["faces"]?.isCarried == !isInferred)
        }
    }

    @Test func `results of earlier frames are brought to the newest`() throws {
        let branches = try made("newest")
        // The detector needs five frames; its results come with every third picture.
        for number in 0..<30 {
            let item = number >= 5 && number % 3 == 0 ? number - 5 : nil
            let result = item.map { frame($0, FrameAnnotations().adding(face(40 + 4 * Float($0)), by: "faces")) }
            let out = complete(branches, [frame(number), result])
            guard number >= 6 else {
                #expect(out.annotations.isEmpty)
                continue
            }
            let seen = try #require(found(out))
            #expect(abs(seen.x - (40 + 4 * Float(number))) < 4, "frame \(number)")
            #expect(seen.age == 5 + number % 3)
        }
    }

    @Test func `an older result counts from where it was found`() throws {
        let branches = try made("wait")
        // A detector that looks at every third frame carries its own results, and is then silent.
        let carried = FrameAnnotations().adding(face(48), by: "faces", age: 2.0 / 25)
        _ = complete(branches, [frame(2), frame(2, carried)])
        #expect(found(complete(branches, [frame(3), nil]))?.age == 3)
    }

    @Test func `a silent branch is forgotten in time, and nothing goes onto a picture without signal`() throws {
        let branches = try made("newest", maxAge: "200ms")
        func join(_ number: Int, _ found: Bool = false, hasSignal: Bool = true) -> Frame {
            let result = found ? frame(number, FrameAnnotations().adding(face(40), by: "faces")) : nil
            return complete(branches, [frame(number, hasSignal: hasSignal), result])
        }
        #expect(found(join(0, true))?.age == 0)
        #expect(found(join(5))?.age == 5)
        #expect(found(join(6)) == nil)
        #expect(found(join(7, true))?.age == 0)
        #expect(found(join(8, hasSignal: false)) == nil)
        #expect(found(join(9)) == nil)
    }

    @Test func `results keep the order of the inputs, whoever answers first and whoever falls silent`() throws {
        let branches = try made("newest", maxAge: "200ms")
        func order(_ number: Int, _ answers: [Bool]) -> [String] {
            let items = zip(["a", "b"], answers).map { node, answers in
                answers ? frame(number, FrameAnnotations().adding(face(40), by: node)) : nil
            }
            var nodes: [String] = []
            complete(branches, [frame(number)] + items).annotations.forEach { nodes.append($0.node) }
            return nodes
        }
        #expect(order(0, [false, true]) == ["b"])
        #expect(order(1, [true, false]) == ["a", "b"])
        #expect(order(8, [false, true]) == ["b"])
        #expect(order(9, [true, false]) == ["a", "b"])
    }

    @Test func `results that come too late for any frame are counted`() throws {
        let branches = try made("newest", maxAge: "200ms")
        func late(_ number: Int, _ found: Int?) -> Frame {
            complete(
                branches, [frame(number), found.map { frame($0, FrameAnnotations().adding(face(40), by: "faces")) }])
        }
        #expect(found(late(5, 0))?.age == 5)
        #expect(branches.notes == [])
        #expect(found(late(12, 6)) == nil && found(late(20, 14)) == nil && found(late(21, 20))?.age == 1)
        #expect(branches.notes == ["2 results of faces were older than maxAge when they came, and left out"])
    }

    @Test func `colours go by the pipeline, not by who answers first`() throws {
        let valid = try pipeline(
            """
            "bars": {"type": "testpattern"},
            "road": {"type": "ddrnet", "input": "bars"},
            "faces": {"type": "retinaface", "input": "road"},
            "small": {"type": "scale", "input": "bars", "size": "64x48"},
            "lines": {"type": "mlsd", "input": "small"},
            "draw": {"type": "overlay", "inputs": ["bars", "faces", "lines", "road"], "results": "newest"},
            "end": {"type": "null", "input": "draw"}
            """)
        #expect(OverlayNode.colored(before: try #require(valid["draw"]), in: valid) == ["road", "faces", "lines"])
    }

    @Test func `what the picture brings itself is not replaced, and an empty result is one`() throws {
        let branches = try made("wait")
        let mine = FrameAnnotations().adding(face(10), by: "own")
        let first = complete(branches, [frame(0, mine), frame(0, mine.adding(face(20), by: "faces"))])
        #expect(found(first, by: "own")?.x == 10 && found(first)?.x == 20)
        let second = complete(branches, [frame(1, mine), nil])
        #expect(found(second, by: "own")?.age == 0 && found(second)?.age == 1)
        _ = complete(branches, [frame(2, mine), frame(2, mine.adding([Face](), by: "faces"))])
        let last = complete(branches, [frame(3, mine), nil])
        #expect(last.annotations["faces"]?.isCarried == true && found(last) == nil)
    }

    @Test(.timeLimit(.minutes(15)), arguments: ["wait", "newest"])
    func `a live picture goes on beside a slow network`(mode: String) throws {
        let scratch = try Scratch()
        let rows: [[Float]] = [[16, 16, 8, 8, 0.1, 0.75]]
        let model = scratch.file("model.onnx")
        try Data(SmallModels.constant(rows: rows)).write(to: URL(fileURLWithPath: model))
        let run = try PipelineRun(
            pipeline(
                """
                "bars": {"type": "testpattern", "size": "64x48", "fps": 50, "frames": 60, "realtime": true},
                "slow": {"type": "rate", "input": "bars", "fps": 10},
                "own": {"type": "onnx", "input": "slow", "model": "\(model)"},
                "draw": {"type": "overlay", "inputs": ["bars", "own"], "results": "\(mode)"},
                "text": {"type": "jsonl", "input": "draw", "path": "\(scratch.file("a.jsonl"))"}
                """), options: .init(cache: .off))
        let report = try run.finish()
        #expect(report.ledgerErrors == [])
        let source = try #require(report.source("bars"))
        #expect(source.admitted == source.delivered + source.dropped && source.inFlight == 0)
        var carried = 0
        for line in try scratch.records("a.jsonl") {
            let record = try #require(
                try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "\(line)")
            for object in record["objects"] as? [[String: Any]] ?? [] where object["carried"] as? Bool == true {
                carried += 1
                #expect((object["age"] as? Double ?? 0) > 0 && record["carried"] as? Bool == true)
            }
        }
        // Four of five frames have no result of their own.
        #expect(carried > 0)
    }
}
