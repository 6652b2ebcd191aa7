// SPDX-License-Identifier: Apache-2.0
import Foundation
import Inference
import Media
import MediaTestSupport
import Networks
import TestSupport
import Testing

@testable import Vision

@Suite struct VideoEnhancerTests {
    private static let color = ColorSpec(matrix: .bt709)

    /// A textured still with noise of its own for each `frame`.
    private func noisy(_ frame: Int, scene: Int = 0, noise: Double = 8, width: Int = 96, height: Int = 64) -> Picture {
        var generator = SeededGenerator(seed: UInt64(1 + frame))
        let picture = somePicture(width: width, height: height, format: .i420, color: Self.color)
        let plane = picture.mutablePlane(0)
        for y in 0..<height {
            for x in 0..<width {
                // The sum of four uniform numbers is close enough to a normal one.
                let wave = (0..<4).reduce(0.0) { sum, _ in sum + Double.random(in: -1...1, using: &generator) }
                let value = clean(x, y, scene) + wave * noise * 0.866
                plane.row(y)[x] = UInt8(min(max(value.rounded(), 16), 235))
            }
        }
        for plane in [picture.mutablePlane(1), picture.mutablePlane(2)] {
            for y in 0..<plane.height { plane.row(y).update(repeating: 128, count: plane.width) }
        }
        return picture
    }

    private func clean(_ x: Int, _ y: Int, _ scene: Int) -> Double {
        let (x, y) = (Double(x + 31 * scene), Double(y))
        return (scene == 0 ? 80 : 150) + 25 * sin(x * 0.45) * cos(y * 0.31) + 15 * sin(x * 0.13 + y * 0.21)
    }

    private func error(_ picture: Picture, scene: Int = 0) -> Double {
        var sum = 0.0
        for y in 0..<picture.height {
            for x in 0..<picture.width { sum += pow(Double(picture.plane(0).row(y)[x]) - clean(x, y, scene), 2) }
        }
        return sum / Double(picture.width * picture.height)
    }

    private func options() -> VideoEnhancer.Options {
        var options = VideoEnhancer.Options()
        options.exposure = .fixed(1)
        return options
    }

    private func denoise(_ enhancer: VideoEnhancer, _ picture: Picture, at seconds: Double) throws -> Picture {
        #expect(try enhancer.submit(picture, at: seconds))
        return try #require(try enhancer.next())
    }

    @Test func `without weights a still scene loses most of its noise`() throws {
        let enhancer = VideoEnhancer(options: options())
        var last = noisy(0)
        let before = error(last)
        for frame in 0..<12 { last = try denoise(enhancer, noisy(frame), at: Double(frame) / 25) }
        // Twelve frames of a running mean could reach a tenth; a third of the power is asked for.
        #expect(error(last) < before / 3)
        #expect(enhancer.counts.fresh == 1)
        #expect(enhancer.counts.gains == 1...1)
    }

    @Test func `the first picture comes out as it went in, and so does the first after each kind of break`() throws {
        let enhancer = VideoEnhancer(options: options())
        var begun = 0
        func expectFresh(_ picture: Picture, at seconds: Double, _ reason: Comment) throws {
            let result = try denoise(enhancer, picture, at: seconds)
            begun += 1
            #expect(enhancer.counts.fresh == begun, reason)
            for y in 0..<picture.height {
                for x in 0..<picture.width {
                    let (a, b) = (picture.plane(0).row(y)[x], result.plane(0).row(y)[x])
                    // Colours are cut at black and white only; the rest is rounding.
                    guard abs(Int(a) - Int(b)) <= 1 else {
                        Issue.record("\(reason): \(a) became \(b) at \(x), \(y)")
                        return
                    }
                }
            }
        }
        try expectFresh(noisy(0), at: 0, "start")
        _ = try denoise(enhancer, noisy(1), at: 0.04)
        enhancer.reset()
        try expectFresh(noisy(2), at: 0.08, "reset")
        try expectFresh(noisy(3), at: 5, "gap")
        _ = try denoise(enhancer, noisy(4), at: 5.04)
        try expectFresh(noisy(5), at: 1, "back in time")
        try expectFresh(noisy(6, width: 80, height: 48), at: 1.04, "another size")
        _ = try denoise(enhancer, noisy(7, width: 80, height: 48), at: 1.08)
        #expect(enhancer.counts.fresh == begun)
    }

    @Test func `a smaller size worked at keeps the picture's, or gives its own`() throws {
        var options = options()
        let small = InputSize(width: 48, height: 32)
        let kept = VideoEnhancer(denoisingAt: small, options: options)
        let result = try denoise(kept, noisy(0), at: 0)
        #expect(result.width == 96 && result.height == 64 && result.format == .i420)
        options.keepsSize = false
        let own = try denoise(VideoEnhancer(denoisingAt: small, options: options), noisy(0), at: 0)
        #expect(own.width == 48 && own.height == 32)
    }

    // MARK: - With networks

    private static let size = InputSize(width: 64, height: 44)

    /// T with seeded weights, small enough that the result looks like the picture.
    private func networks() throws -> EnhancementNetworks {
        let architecture = try Architecture.find("dwtanet", "T")
        var generator = SeededGenerator(seed: 9)
        var weights = Weights()
        for parameter in try architecture.build().parameters {
            let fan = Float(max(1, parameter.shape.dropFirst().reduce(1, *)))
            let isLast = parameter.name.hasPrefix("R1") || parameter.name.hasPrefix("S3")
            let bound = (parameter.shape.count > 1 ? (3 / fan).squareRoot() : 0.1) * (isLast ? 0.02 : 1)
            let values = (0..<parameter.shape.reduce(1, *)).map { _ in
                Float.random(in: -bound...bound, using: &generator) + (parameter.role == .scale ? 1 : 0)
            }
            weights[parameter.name] = Tensor(shape: parameter.shape, floats: values)
        }
        return try EnhancementNetworks(
            architecture, weights: weights, size: Self.size, engine: OpenVINOEngine.shared(),
            compile: CompileOptions(.single, cores: 1, precision: .f32, cache: .off))
    }

    /// Submits as fast as the enhancer takes them and collects in order.
    private func run(_ enhancer: VideoEnhancer, _ pictures: [Picture]) throws -> [Picture] {
        var results: [Picture] = []
        var index = 0
        while results.count < pictures.count {
            while index < pictures.count, try enhancer.submit(pictures[index], at: Double(index) / 25) { index += 1 }
            #expect(enhancer.inside <= 2)
            if let picture = try enhancer.next() { results.append(picture) }
        }
        return results
    }

    private func luma(_ picture: Picture) -> [UInt8] {
        (0..<picture.height).flatMap { y in (0..<picture.width).map { picture.plane(0).row(y)[$0] } }
    }

    @Test(.timeLimit(.minutes(15))) func `after a cut a frame comes out as if it were the first, to the bit`() throws {
        let pictures = (0..<5).map { noisy($0, scene: $0 < 3 ? 0 : 4, noise: 2) }
        let networks = try networks()
        let enhancer = VideoEnhancer(networks, options: options())
        let results = try run(enhancer, pictures)
        #expect(enhancer.counts.fresh == 2)
        let alone = try run(VideoEnhancer(try self.networks(), options: options()), Array(pictures[3...]))
        let isEqual = luma(results[3]) == luma(alone[0])
        #expect(isEqual)
        // The frames after a break have a past again: another result than without.
        let single = try run(VideoEnhancer(try self.networks(), options: options()), [pictures[1]])
        let differs = luma(results[1]) != luma(single[0])
        #expect(differs)
    }

    @Test(.timeLimit(.minutes(15))) func `two pictures are inside at most, and a reset reaches the next one`() throws {
        let enhancer = VideoEnhancer(try networks(), options: options())
        #expect(enhancer.capacity == 2)
        #expect(try enhancer.submit(noisy(0), at: 0))
        #expect(try enhancer.submit(noisy(1), at: 0.04))
        #expect(try !enhancer.submit(noisy(2), at: 0.08))
        func wait() throws -> Picture {
            while true { if let picture = try enhancer.next() { return picture } }
        }
        _ = try wait()
        enhancer.reset()
        #expect(try enhancer.submit(noisy(2), at: 0.08))
        _ = try (wait(), wait())
        #expect(enhancer.inside == 0)
        #expect(try enhancer.next() == nil)
        #expect(enhancer.counts.fresh == 2)
    }

    @Test func `other architectures are refused`() throws {
        #expect {
            try EnhancementNetworks(
                Architecture.find("mlsd", "tiny"), weights: Weights(), engine: OpenVINOEngine.shared(),
                compile: CompileOptions(.single, cores: 1, precision: .f32, cache: .off))
        } throws: { "\($0)" == "video is enhanced by \"dwtanet\", not by \"mlsd tiny\"" }
    }
}
