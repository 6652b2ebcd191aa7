// SPDX-License-Identifier: Apache-2.0
import Foundation
import Media
import TestSupport
import Testing

@testable import Vision

/// Prints what flow, warps and aggregation cost; nothing depends on the time.
///
/// Optimised builds only: `VPIPE_FIGURES=1 swift test -c release -Xswiftc -enable-testing --filter FlowFigures`.
@Suite(.serialized, .enabled(if: ProcessInfo.processInfo.environment["VPIPE_FIGURES"] != nil, "set VPIPE_FIGURES=1"))
struct FlowFigures {
    @Test(arguments: [(320, 180), (640, 360)])
    func `flow between two frames`(width: Int, height: Int) {
        let scene = MovingScene(
            width: width, height: height, object: height / 3, pan: (2.3, -1.1), speed: (5.5, 2.5), seed: 7)
        let (first, second) = (scene.bytes(0), scene.bytes(1))
        let field = FlowField(width: width, height: height)
        let presets: [(String, DenseFlow.Options)] = [("ultrafast", .ultrafast), ("fast", .fast), ("medium", .medium)]
        for (name, options) in presets {
            let search = DenseFlow(width: width, height: height, options: options)
            first.withUnsafeBufferPointer { first in
                second.withUnsafeBufferPointer { second in
                    guard let a = first.baseAddress, let b = second.baseAddress else { return }
                    let from = Plane(base: a, stride: width, width: width, height: height)
                    let to = Plane(base: b, stride: width, width: width, height: height)
                    measure("flow \(width)x\(height) \(name)") { search.compute(from: from, to: to, into: field) }
                }
            }
        }
        #expect(field.u[height / 2 * width + width * 3 / 4].isFinite)
    }

    @Test func `aggregation of 640x360 and its parts`() {
        let (width, height) = (640, 360)
        let scene = MovingScene(
            width: width, height: height, object: 120, pan: (2.3, -1.1), speed: (5.5, 2.5), seed: 7)
        var generator = SeededGenerator(seed: 1)
        var mask = [Bool](repeating: false, count: width * height)
        let frames = (0..<2).map { time in
            let image = FloatImage(channels: 3, width: width, height: height)
            scene.draw(time, into: image, mask: &mask)
            for index in 0..<image.planes.count { image.planes.base[index] += 0.05 * generator.normal() }
            return image
        }
        let aggregator = TemporalAggregator(width: width, height: height)
        for frame in frames { aggregator.push(frame.readOnly) }
        measure("align: flow at half size, warp, validity") { aggregator.align(frames[1].readOnly) }
        measure("blend: noise, residual, weights") { aggregator.blend(frames[1].readOnly) }
        measure("commit: luma of the output") { aggregator.commit(aggregator.blended) }
        let out = FloatImage(channels: 3, width: width, height: height)
        measure("warp of 3 planes") { Warp.sample(frames[0].readOnly, along: aggregator.flow, into: out.planes) }
        let quarter = FlowField(width: 160, height: 90)
        measure("flow of maps at a quarter") { aggregator.flow.reduce(by: 4, into: quarter) }
        let maps = FloatImage(channels: 24, width: 160, height: 90)
        let moved = FloatImage(channels: 24, width: 160, height: 90)
        measure("warp of 24 maps at a quarter") { Warp.sample(maps.readOnly, along: quarter, into: moved.planes) }
        measure("noise") { _ = NoiseEstimate(width: width, height: height).measure(frames[0].readOnly) }
        #expect(!aggregator.isFresh)
    }

    /// CPU time of this thread: other work on the machine does not count.
    private func measure(_ name: String, _ body: () -> Void) {
        func milliseconds() -> Double {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return Double(time.tv_sec) * 1e3 + Double(time.tv_nsec) / 1e6
        }
        var spent: [Double] = []
        for _ in 0..<50 {
            let start = milliseconds()
            body()
            spent.append(milliseconds() - start)
        }
        spent.sort()
        print(String(format: "%@: median %.2f ms, least %.2f ms", name, spent[25], spent[0]))
    }
}
