// SPDX-License-Identifier: Apache-2.0
import Annotations
import Dataflow
import Media
import MediaTestSupport
import Testing
import Vision

@testable import Pipeline

@Suite struct DWTANetNodeTests {
    /// Emits flat pictures of given luma, 25 a second.
    private final class Greys: SourceNode {
        let pictures: [Picture]
        private var index = 0
        private let stream = StreamInfo(source: "greys", frameRate: Rational(25, 1))

        init(_ levels: [UInt8]) {
            pictures = levels.map { level in
                let picture = somePicture(
                    width: 64, height: 48, format: .i420, color: ColorSpec(matrix: .bt601, range: .full))
                for index in 0..<3 {
                    let plane = picture.mutablePlane(index)
                    for y in 0..<plane.height {
                        plane.row(y).update(repeating: index == 0 ? level : 128, count: plane.width)
                    }
                }
                return picture
            }
        }

        func produce(to output: Output) -> Production {
            guard index < pictures.count else { return .ended }
            guard let ticket = output.admit() else { return .waiting }
            let base = Rational(1, 25)
            output.emit(
                Frame(
                    ticket: ticket, picture: pictures[index], pts: MediaTime(ticks: Int64(index), base: base),
                    duration: MediaTime(ticks: 1, base: base), stream: stream))
            index += 1
            return .more
        }
    }

    private final class Collector: Node {
        private(set) var frames: [Frame] = []

        func process(_ item: Item, to output: Output) -> Disposition {
            frames.append(item.frame)
            return .done
        }
    }

    private func run(_ levels: [UInt8], _ node: EnhanceNode) throws -> (sent: [Picture], got: [Frame]) {
        let (source, sink) = (Greys(levels), Collector())
        var builder = GraphBuilder(name: "test")
        let ids = (
            builder.addSource("greys", source), builder.addNode("bright", node), builder.addNode("sink", sink)
        )
        builder.connect(ids.0, to: ids.1)
        builder.connect(ids.1, to: ids.2)
        let graph = try builder.build()
        try graph.start()
        let report = graph.waitUntilFinished()
        #expect(report.failures.isEmpty && report.isBalanced)
        return (source.pictures, sink.frames)
    }

    @Test func `a frame that is offered again is not measured again`() {
        let node = EnhanceNode(
            VideoEnhancer(options: .init()), gate: DarknessGate(threshold: 60), summary: "test",
            failures: InferenceFailures(of: "n", EventBox(now: { 0 })))
        func frame(_ number: UInt64, _ level: UInt8) -> Frame {
            Frame(
                ticket: Ticket(source: 0, sequence: number, capturedAt: 0), picture: Greys([level]).pictures[0],
                pts: MediaTime(ticks: Int64(number), base: Rational(1, 25)),
                duration: MediaTime(ticks: 1, base: Rational(1, 25)),
                stream: StreamInfo(source: "greys", frameRate: Rational(25, 1)))
        }
        #expect(node.isDark(frame(0, 30)))
        // The same frame by its ticket: another picture would be seen to be bright if anybody looked.
        #expect(node.isDark(frame(0, 200)))
        #expect(!node.isDark(frame(1, 200)))
    }

    @Test(.timeLimit(.minutes(15))) func `bright frames pass as the same object, dark ones are brightened`() throws {
        var options = VideoEnhancer.Options()
        options.exposure = .automatic(limit: 8)
        let node = EnhanceNode(
            VideoEnhancer(options: options), gate: DarknessGate(threshold: 60), summary: "test",
            failures: InferenceFailures(of: "n", EventBox(now: { 0 })))
        let (sent, got) = try run([100, 30, 30, 100, 30], node)
        #expect(got.map(\.ticket.sequence) == [0, 1, 2, 3, 4])
        #expect(zip(sent, got).map { $0 === $1.picture } == [true, false, false, true, false])
        for frame in [1, 2, 4] {
            #expect(got[frame].picture.plane(0).row(20)[20] > 70)
            #expect(got[frame].map.isIdentity)
        }
        #expect(
            node.notes == [
                "test", "enhanced 3 frames, passed 2 bright ones through; history begun twice; gain 8.0 to 8.0",
            ])
    }

    @Test(.timeLimit(.minutes(15))) func `a picture of another size says where its pixels were`() throws {
        var options = VideoEnhancer.Options()
        options.exposure = .fixed(1)
        options.keepsSize = false
        let node = EnhanceNode(
            VideoEnhancer(denoisingAt: .init(width: 32, height: 40), options: options), gate: nil, summary: "test",
            failures: InferenceFailures(of: "n", EventBox(now: { 0 })))
        let (_, got) = try run([100, 100], node)
        #expect(got.map { [$0.picture.width, $0.picture.height] } == [[32, 40], [32, 40]])
        #expect(got[1].map(Point(x: 16, y: 20)) == Point(x: 32, y: 24))
    }

    @Test(.timeLimit(.minutes(15))) func `the node runs in a pipeline without weights`() throws {
        let run = try PipelineRun(
            pipeline(
                """
                "bars": {"type": "testpattern", "size": "96x64", "frames": 6},
                "bright": {"type": "dwtanet", "input": "bars", "variant": "denoise", "exposure": "off"},
                "end": {"type": "null", "input": "bright"}
                """))
        try run.start()
        let report = run.waitUntilFinished()
        #expect(report.failures.isEmpty && report.isBalanced)
        #expect(report.node("end")?.items == 6)
        let notes = run.notes().first { $0.node == "bright" }?.lines
        #expect(notes?.first == "aggregation over time at the picture's size, no network")
        #expect(notes?.last?.hasPrefix("enhanced 6 frames") == true)
    }

    @Test func `without weights the message names what does without`() throws {
        #expect {
            _ = try PipelineRun(
                pipeline(
                    """
                    "bars": {"type": "testpattern"},
                    "bright": {"type": "dwtanet", "input": "bars", "variant": "M"},
                    "end": {"type": "null", "input": "bright"}
                    """))
        } throws: {
            "\($0)".hasPrefix("nodes.bright: no weights for dwtanet M are installed; import an official release")
                && "\($0)".hasSuffix("; or set \"variant\": \"denoise\", which needs none")
        }
    }
}
