// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing

@testable import Vision

@Suite struct WarpTests {
    private func randomImage(_ channels: Int, _ width: Int, _ height: Int, _ generator: inout SeededGenerator)
        -> FloatImage
    {
        let image = FloatImage(channels: channels, width: width, height: height)
        for index in 0..<image.planes.count { image.planes.base[index] = .random(in: 0...1, using: &generator) }
        return image
    }

    private func reference(_ source: FloatPlanes, _ channel: Int, _ x: Float, _ y: Float) -> Float {
        let (x, y) = (min(max(x, 0), Float(source.width - 1)), min(max(y, 0), Float(source.height - 1)))
        let (left, top) = (Int(x), Int(y))
        let (right, bottom) = (min(left + 1, source.width - 1), min(top + 1, source.height - 1))
        let (a, b) = (x - Float(left), y - Float(top))
        let plane = source.plane(channel)
        return (plane[top * source.width + left] * (1 - a) + plane[top * source.width + right] * a) * (1 - b)
            + (plane[bottom * source.width + left] * (1 - a) + plane[bottom * source.width + right] * a) * b
    }

    @Test(arguments: [(1, 1), (3, 5), (2, 9), (4, 1), (4, 2), (5, 4), (31, 17)], [1, 3, 24])
    func `every pixel is fetched as by a plain loop`(size: (width: Int, height: Int), channels: Int) {
        var generator = SeededGenerator(seed: 1)
        let source = randomImage(channels, size.width, size.height, &generator)
        let out = FloatImage(channels: channels, width: size.width, height: size.height)
        let flow = FlowField(width: size.width, height: size.height)
        for index in 0..<2 * size.width * size.height { flow.u[index] = .random(in: -8...8, using: &generator) }
        Warp.sample(source.readOnly, along: flow, into: out.planes)
        for y in 0..<size.height {
            for x in 0..<size.width {
                let index = y * size.width + x
                for channel in 0..<channels {
                    let wanted = reference(
                        source.readOnly, channel, Float(x) + flow.u[index], Float(y) + flow.v[index])
                    #expect(abs(out.planes.plane(channel)[index] - wanted) < 1e-5)
                }
            }
        }
    }

    @Test func `motion by whole pixels is exact`() {
        var generator = SeededGenerator(seed: 2)
        let source = randomImage(3, 37, 23, &generator)
        let out = FloatImage(channels: 3, width: 37, height: 23)
        let flow = FlowField(width: 37, height: 23)
        for y in 0..<23 {
            for x in 0..<37 {
                flow.u[y * 37 + x] = Float(Int.random(in: -x...36 - x, using: &generator))
                flow.v[y * 37 + x] = Float(Int.random(in: -y...22 - y, using: &generator))
            }
        }
        Warp.sample(source.readOnly, along: flow, into: out.planes)
        for index in 0..<37 * 23 {
            let (x, y) = (index % 37 + Int(flow.u[index]), index / 37 + Int(flow.v[index]))
            for channel in 0..<3 {
                #expect(out.planes.plane(channel)[index] == source.planes.plane(channel)[y * 37 + x])
            }
        }
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity, 1e30, -1e30, .greatestFiniteMagnitude])
    func `no motion reads outside the picture`(motion: Float) {
        let source = FloatImage(channels: 1, width: 9, height: 6)
        source.fill(0.5)
        let out = FloatImage(channels: 1, width: 9, height: 6)
        let flow = FlowField(width: 9, height: 6)
        for index in 0..<2 * 54 { flow.u[index] = motion }
        Warp.sample(source.readOnly, along: flow, into: out.planes)
        #expect((0..<54).allSatisfy { out.planes.base[$0] == 0.5 || motion.isInfinite || motion.isNaN })
        Warp.validity(of: flow, into: out.planes)
        #expect((0..<54).allSatisfy { out.planes.base[$0] == 0 })
    }

    @Test func `valid is what points inside`() {
        let flow = FlowField(width: 4, height: 3)
        let valid = FloatImage(channels: 1, width: 4, height: 3)
        for index in 0..<12 {
            flow.u[index] = 1.5
            flow.v[index] = -1
        }
        Warp.validity(of: flow, into: valid.planes)
        #expect((0..<12).map { valid.planes.base[$0] } == [0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0])
    }

    @Test func `what the way back does not confirm is hidden`() {
        let (there, back) = (FlowField(width: 16, height: 8), FlowField(width: 16, height: 8))
        for index in 0..<128 {
            there.u[index] = 2
            back.u[index] = index % 16 < 8 ? -2 : -4
        }
        let valid = FloatImage(channels: 1, width: 16, height: 8)
        valid.fill(1)
        FlowConsistency(width: 16, height: 8).invalidate(valid.planes, there: there, back: back)
        #expect((0..<128).allSatisfy { valid.planes.base[$0] == ($0 % 16 < 6 ? 1 : 0) })
    }
}
