// SPDX-License-Identifier: Apache-2.0
import Annotations
import Foundation
import Media
import MediaTestSupport
import Overlay
import TestSupport
import Testing

/// Prints what drawing costs: `VPIPE_BENCHMARK=1 swift test -c release -Xswiftc -enable-testing --filter DrawingBench`.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["VPIPE_BENCHMARK"] != nil, "prints figures, on demand"))
struct DrawingBench {
    @Test func `ten faces and a hundred lines at 1280x720`() {
        for format in [PixelFormat.i420, .nv12, .i422, .i444, .gray8] {
            let scene = DrawingScene(seed: 7)
            let picture = somePicture(width: 1280, height: 720, format: format, color: .assumed(height: 720))
            let canvas = Canvas()
            let painter = OverlayPainter()
            func time(_ results: FrameAnnotations, _ rounds: Int) -> Double {
                var best = Double.infinity
                var total = 0.0
                for _ in 0..<rounds {
                    let start = cpuMilliseconds()
                    canvas.draw(on: picture) { painter.draw(results, on: $0) }
                    let spent = cpuMilliseconds() - start
                    best = min(best, spent)
                    total += spent
                }
                print("   best \(best) ms, mean \(total / Double(rounds)) ms")
                return best
            }
            print("\(format): first frame"); _ = time(scene.all, 1)
            print("\(format): everything"); #expect(time(scene.all, 400) > 0)
            print("\(format): lines"); #expect(time(scene.lines, 400) > 0)
            print("\(format): faces"); #expect(time(scene.faces, 400) > 0)
        }
    }

    @Test(arguments: [(60, 45), (80, 45), (640, 360)]) func `a class map at 1280x720`(width: Int, height: Int) {
        // A road scene's areas, with borders in every part of the picture.
        let labels = (0..<width * height).map { index -> UInt8 in
            let (x, y) = (Float(index % width) / Float(width), Float(index / width) / Float(height))
            if y > 0.55 + 0.05 * sin(x * 40) { return abs(x - 0.5) < y - 0.4 ? 0 : 1 }
            return sin(x * 17) * 0.2 + 0.35 > y ? (sin(x * 9) > 0 ? 2 : 8) : (sin(x * 60) > 0.9 ? 5 : 10)
        }
        let names = (0..<19).map { ClassSet.Member("class \($0)", Color(hex: UInt32($0) * 0x0D1B2F)) }
        let map = ClassMap(
            classes: ClassSet("bench", names), width: width, height: height, labels: labels,
            region: Box(x: 0, y: 0, width: 1280, height: 720))
        let results = FrameAnnotations().adding([map], by: "road")
        for format in [PixelFormat.i420, .nv12] {
            let picture = somePicture(width: 1280, height: 720, format: format, color: .assumed(height: 720))
            let canvas = Canvas()
            let painter = OverlayPainter()
            var times: [Double] = []
            for _ in 0..<400 {
                let start = cpuMilliseconds()
                canvas.draw(on: picture) { painter.draw(results, on: $0) }
                times.append(cpuMilliseconds() - start)
            }
            times.sort()
            print("\(width)x\(height) on \(format): best \(times[0]) ms, median \(times[200]) ms with legend")
            #expect(times[0] > 0)
        }
    }
}

/// CPU time of this thread: other work on the machine does not count.
private func cpuMilliseconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1e3 + Double(time.tv_nsec) / 1e6
}

/// Ten faces with landmarks and a hundred lines of 150 pixels on average, the same for the same seed.
struct DrawingScene {
    let lines: FrameAnnotations
    let faces: FrameAnnotations
    let all: FrameAnnotations

    init(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var segments: [LineSegment] = []
        for _ in 0..<100 {
            let length = Float.random(in: 50...250, using: &random)
            let angle = Float.random(in: 0...(2 * .pi), using: &random)
            let half = Point(x: cos(angle) * length / 2, y: sin(angle) * length / 2)
            let x = Float.random(in: 130...1150, using: &random)
            let y = Float.random(in: 130...590, using: &random)
            segments.append(
                LineSegment(
                    from: Point(x: x - half.x, y: y - half.y), to: Point(x: x + half.x, y: y + half.y), score: 0.5))
        }
        var found: [Face] = []
        for _ in 0..<10 {
            let width = Float.random(in: 40...200, using: &random)
            let box = Box(
                x: Float.random(in: 20...1050, using: &random), y: Float.random(in: 20...450, using: &random),
                width: width, height: width * 1.25)
            let landmarks = (0..<5).map { _ in
                Point(
                    x: box.x + box.width * Float.random(in: 0.2...0.8, using: &random),
                    y: box.y + box.height * Float.random(in: 0.3...0.8, using: &random))
            }
            found.append(Face(box: box, score: Float.random(in: 0.6...1, using: &random), landmarks: landmarks))
        }
        lines = FrameAnnotations().adding(segments, by: "lines")
        faces = FrameAnnotations().adding(found, by: "faces")
        all = lines.adding(found, by: "faces")
    }
}
