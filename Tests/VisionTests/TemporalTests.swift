// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

@testable import Vision

@Suite struct TemporalTests {
    private func image(_ channels: Int, _ width: Int, _ height: Int, _ value: (Int) -> Float) -> FloatImage {
        let image = FloatImage(channels: channels, width: width, height: height)
        for index in 0..<image.planes.count { image.planes.base[index] = value(index) }
        return image
    }

    private func isEqual(_ a: FloatPlanes, _ b: FloatPlanes) -> Bool {
        a.count == b.count && (0..<a.count).allSatisfy { a.base[$0].bitPattern == b.base[$0].bitPattern }
    }

    // MARK: - Parts

    @Test(arguments: [(64, 36), (63, 37), (8, 3), (1, 1)])
    func `luma is smoothed and halved as by plain loops`(width: Int, height: Int) {
        var generator = SeededGenerator(seed: 1)
        let picture = image(3, width, height) { _ in .random(in: 0...1, using: &generator) }
        let preparation = LumaPreparation(width: width, height: height, order: .bgr)
        let out = FloatImage(channels: 1, width: preparation.halfWidth, height: preparation.halfHeight)
        preparation.prepare(picture.readOnly, into: out.planes)
        let area = width * height
        func luma(_ x: Int, _ y: Int) -> Float {
            let start = picture.planes.base + (min(max(y, 0), height - 1) * width + min(max(x, 0), width - 1))
            return 255 * (0.114 * start[0] + 0.587 * start[area] + 0.299 * start[2 * area])
        }
        let gaussian = (-4...4).map { exp(-Float($0 * $0) / 2.88) }
        let total = gaussian.reduce(0, +)
        // The Gaussian over each pixel of a cell of 2 x 2, then the cell's mean: pixels past an odd edge count too.
        func smooth(_ x: Int, _ y: Int) -> Float {
            var sum: Float = 0
            for j in -4...4 {
                for i in -4...4 { sum += gaussian[j + 4] * gaussian[i + 4] * luma(x + i, y + j) }
            }
            return sum / (total * total)
        }
        for y in 0..<out.height {
            for x in 0..<out.width {
                let cell =
                    smooth(2 * x, 2 * y) + smooth(2 * x + 1, 2 * y) + smooth(2 * x, 2 * y + 1)
                    + smooth(2 * x + 1, 2 * y + 1)
                #expect(abs(out.planes.base[y * out.width + x] - cell / 4) < 0.02)
            }
        }
    }

    @Test func `matched luma has the other's mean and deviation`() {
        var generator = SeededGenerator(seed: 2)
        let dark = image(1, 40, 30) { _ in 20 + 4 * generator.normal() }
        let bright = image(1, 40, 30) { _ in 120 + 20 * generator.normal() }
        let target = LumaPreparation.Statistics(bright.readOnly)
        var bytes = [UInt8](repeating: 0, count: 1200)
        LumaPreparation.quantise(
            dark.readOnly, from: LumaPreparation.Statistics(dark.readOnly), to: target, into: &bytes)
        let matched = image(1, 40, 30) { Float(bytes[$0]) }
        let found = LumaPreparation.Statistics(matched.readOnly)
        #expect(abs(found.mean - target.mean) < 0.1 && abs(found.deviation - target.deviation) < 0.1)
    }

    @Test(arguments: [(17, 11), (8, 5), (3, 2), (1, 1)])
    func `the residual is that of plain boxes`(width: Int, height: Int) {
        var generator = SeededGenerator(seed: 3)
        let a = image(3, width, height) { _ in .random(in: 0...1, using: &generator) }
        let b = image(3, width, height) { _ in .random(in: 0...1, using: &generator) }
        let filter = ResidualFilter(width: width, height: height)
        let mean = filter.load(estimate: a.readOnly, history: b.readOnly)
        func difference(_ channel: Int, _ x: Int, _ y: Int) -> Float {
            let index = min(max(y, 0), height - 1) * width + min(max(x, 0), width - 1)
            return a.planes.plane(channel)[index] - b.planes.plane(channel)[index]
        }
        func magnitude(_ x: Int, _ y: Int) -> Float {
            let (x, y) = (min(max(x, 0), width - 1), min(max(y, 0), height - 1))
            var total: Float = 0
            for channel in 0..<3 {
                var sum: Float = 0
                for j in -1...1 { for i in -1...1 { sum += difference(channel, x + i, y + j) } }
                total += abs(sum / 9)
            }
            return total / 3
        }
        var row = [Float](repeating: 0, count: width)
        for y in 0..<height {
            filter.residual(y, into: &row)
            for x in 0..<width {
                var sum: Float = 0
                for j in -2...2 { for i in -2...2 { sum += magnitude(x + i, y + j) } }
                #expect(abs(row[x] - sum / 25) < 1e-5)
            }
        }
        let all = (0..<3 * width * height).map { abs(a.planes.base[$0] - b.planes.base[$0]) }
        #expect(abs(mean - all.reduce(0, +) / Float(all.count)) < 1e-5)
    }

    @Test(arguments: [0.004, 0.02, 0.05, 0.1] as [Float])
    func `noise is measured beside texture`(sigma: Float) throws {
        var generator = SeededGenerator(seed: 4)
        let texture = Texture(width: 200, height: 120, look: Texture.Look(), seed: 1)
        let picture = image(3, 192, 112) { index in
            let (channel, rest) = (index / (192 * 112), index % (192 * 112))
            return texture.value(Float(rest % 192), Float(rest / 192), channel) + sigma * generator.normal()
        }
        let found = try #require(NoiseEstimate(width: 192, height: 112).measure(picture.readOnly))
        #expect(abs(found / sigma - 1) < 0.06)
        #expect(NoiseEstimate(width: 15, height: 112).measure(picture.readOnly) == nil)
    }

    @Test func `weights and ages follow the rule`() {
        let options = TemporalAggregator.Options()
        var generator = SeededGenerator(seed: 5)
        let noise: Float = 0.04
        let residuals = (0..<200).map { _ in Float.random(in: 0...0.05, using: &generator) }
        let before = (0..<200).map { _ in Float.random(in: 1...10, using: &generator) }
        let validity = (0..<200).map { Float($0 % 5 == 0 ? 0 : 1) }
        var (weights, age) = (residuals, before)
        BlendRule(options, noise: noise).apply(&weights, validity: validity, before: before, age: &age, count: 200)
        for index in 0..<200 {
            let v = 1 / max(before[index], 1)
            let rho = residuals[index] / ((2 / Float.pi).squareRoot() * noise / 3 * (1 + v).squareRoot())
            let gate = validity[index] * exp(-pow(max(0, rho - 1.3) / 0.6, 2))
            #expect(abs(weights[index] - gate * min(0.9, before[index] / (before[index] + 1))) < 1e-4)
            let wanted: Float = gate > 0.05 ? min(before[index] + 1, 10) : 1
            #expect(abs(age[index] - wanted) < 1e-4 || abs(gate - 0.05) < 1e-4)
        }
        for x in stride(from: Float(0), to: -80, by: -0.37) {
            #expect(abs(BlendRule.exponential(x) / exp(x) - 1) < 1e-5)
        }
        #expect(BlendRule.exponential(-1e6) < 1e-37)
    }

    @Test func `a cut is four times the usual difference`() {
        var cuts = CutDetector()
        func judge(_ differences: [Float]) -> [Bool] { differences.map { cuts.isCut(difference: $0) } }
        #expect(!judge([Float](repeating: 0.02, count: 20)).contains(true))
        #expect(judge([0.07, 0.2, 0.2, 0.02]) == [false, true, true, false])
        cuts.reset()
        #expect(judge([0.5]) == [false])
        // In a clean still picture little is four times as much.
        cuts.reset()
        #expect(judge([0, 0, 0, 0.02, 0.03]) == [false, false, false, false, true])
    }

    // MARK: - Together

    @Test func `the first frame and one after a cut or a reset come out as they went in`() {
        let (width, height) = (96, 64)
        let scenes = [1, 21].map { MovingScene(width: width, height: height, pan: (1, 0), seed: $0) }
        let aggregator = TemporalAggregator(width: width, height: height)
        var generator = SeededGenerator(seed: 6)
        var mask = [Bool](repeating: false, count: width * height)
        func frame(_ scene: Int, _ time: Int) -> FloatImage {
            let image = FloatImage(channels: 3, width: width, height: height)
            scenes[scene].draw(time, into: image, mask: &mask)
            for index in 0..<image.planes.count { image.planes.base[index] += 0.03 * generator.normal() }
            return image
        }
        func expectFresh(_ image: FloatImage) {
            #expect(isEqual(aggregator.push(image.readOnly), image.readOnly) && aggregator.isFresh)
            #expect((0..<width * height).allSatisfy { aggregator.weights.base[$0] == 0 })
            #expect((0..<width * height).allSatisfy { aggregator.validity.base[$0] == 0 })
        }
        expectFresh(frame(0, 0))
        for time in 1...4 {
            let image = frame(0, time)
            #expect(!isEqual(aggregator.push(image.readOnly), image.readOnly) && !aggregator.isFresh)
        }
        expectFresh(frame(1, 0))
        let second = frame(1, 1)
        aggregator.push(second.readOnly)
        #expect(!aggregator.isFresh && aggregator.weights.base[32 * width + 48] > 0.3)
        aggregator.reset()
        expectFresh(frame(1, 2))
    }

    @Test func `noise of a still picture falls as that of a running mean`() {
        let (width, height) = (96, 64)
        let scene = MovingScene(width: width, height: height, seed: 3)
        let clean = FloatImage(channels: 3, width: width, height: height)
        var mask = [Bool](repeating: false, count: width * height)
        scene.draw(0, into: clean, mask: &mask)
        let aggregator = TemporalAggregator(width: width, height: height)
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<6 {
            let noisy = image(3, width, height) { clean.planes.base[$0] + 0.05 * generator.normal() }
            aggregator.push(noisy.readOnly)
        }
        let error = (0..<clean.planes.count).reduce(Float(0)) {
            let difference = aggregator.blended.base[$1] - clean.planes.base[$1]
            return $0 + difference * difference
        }
        // A mean of six frames has a sixth of the variance; what flow and fetching between pixels add smooths more.
        let gain = 0.05 * 0.05 / (error / Float(clean.planes.count))
        #expect(gain > 4.5 && gain < 12)
        #expect(abs(aggregator.noise - 0.05) < 0.004)
    }

    @Test func `what is committed is the history of the next frame`() {
        let (width, height) = (64, 48)
        let aggregator = TemporalAggregator(width: width, height: height)
        let scene = MovingScene(width: width, height: height, seed: 3)
        let frame = FloatImage(channels: 3, width: width, height: height)
        var mask = [Bool](repeating: false, count: width * height)
        scene.draw(0, into: frame, mask: &mask)
        aggregator.align(frame.readOnly)
        aggregator.blend(frame.readOnly)
        let refined = image(3, width, height) { frame.planes.base[$0] * 0.5 + 0.25 }
        aggregator.commit(refined.readOnly)
        aggregator.align(frame.readOnly)
        // A still picture; its luma is matched, so that the gain does not matter.
        for index in 0..<3 * width * height {
            #expect(abs(aggregator.history.base[index] - refined.planes.base[index]) < 0.02)
        }
    }

    @Test(arguments: [(1, 1), (7, 5), (16, 9), (33, 17)])
    func `any size is taken, and checking the way back too`(width: Int, height: Int) {
        var options = TemporalAggregator.Options()
        options.checksConsistency = true
        let aggregator = TemporalAggregator(width: width, height: height, options: options)
        var generator = SeededGenerator(seed: 8)
        for _ in 0..<3 {
            let frame = image(3, width, height) { _ in .random(in: 0...1, using: &generator) }
            let out = aggregator.push(frame.readOnly)
            #expect((0..<out.count).allSatisfy { out.base[$0] >= -1e-6 && out.base[$0] <= 1.000001 })
        }
    }
}
