// SPDX-License-Identifier: Apache-2.0
import Inference
import Media
import Networks
import TestSupport
import Testing

@testable import Vision

private func outputs(_ size: InputSize) -> [TensorInfo] {
    let (width, height) = (size.width / 2, size.height / 2)
    return [
        TensorInfo(name: "displacement", shape: [1, 4, height, width], element: .f32),
        TensorInfo(name: "centre", shape: [1, 1, height, width], element: .f32),
    ]
}

/// What the maps are made of.
enum LineMaps: String, CaseIterable, Sendable {
    case sparse, ties, plateau, empty, full, notANumber

    func centre(_ count: Int, _ generator: inout SeededGenerator) -> [Float] {
        (0..<count).map { _ in
            switch self {
            case .sparse: Float.random(in: 0...1, using: &generator) < 0.03 ? .random(in: 0...1, using: &generator) : 0
            case .ties: Float(Int.random(in: 0...4, using: &generator)) / 4
            case .plateau: 0.7
            case .empty: 0.1
            case .full: .random(in: 0.2...1, using: &generator)
            case .notANumber:
                [.nan, .infinity, -.infinity, 0.5, 0.9].randomElement(using: &generator) ?? 0
            }
        }
    }

    func displacement(_ count: Int, _ generator: inout SeededGenerator) -> [Float] {
        (0..<count).map { _ in
            self == .notANumber && Int.random(in: 0..<9, using: &generator) == 0
                ? [.nan, .infinity, 3e38].randomElement(using: &generator) ?? 0
                : .random(in: -40...40, using: &generator)
        }
    }
}

@Suite struct LineDecoderTests {
    @Test(arguments: LineMaps.allCases, [(64, 64), (32, 96), (160, 48)])
    func `equals the plain reference`(maps: LineMaps, shape: (width: Int, height: Int)) throws {
        let size = InputSize(width: shape.width, height: shape.height)
        let (width, height) = (size.width / 2, size.height / 2)
        var generator = SeededGenerator(seed: 7)
        for options in [
            LineDecoder.Options(), .init(scoreThreshold: 0.5, minimumLength: 0, limit: 17),
            .init(scoreThreshold: 0, minimumLength: 5, limit: 100_000), .init(limit: 0),
        ] {
            let decoder = try LineDecoder(outputs: outputs(size), size: size, options: options)
            // Twice, because a decoder keeps scratch memory from one picture to the next.
            for _ in 0..<2 {
                let centre = maps.centre(width * height, &generator)
                let displacement = maps.displacement(4 * width * height, &generator)
                let placement = Placement(
                    sourceWidth: 2 * size.width, sourceHeight: 3 * size.height, in: size, fit: .stretch)
                let lines = decoder.decode(centre: centre, displacement: displacement, placement: placement)
                let plain = referenceLines(
                    centre: centre, displacement: displacement, width: width, height: height, options: options,
                    scale: (2, 3))
                #expect(lines == plain)
            }
        }
    }

    @Test func `one centre gives the line from its displacements`() throws {
        let size = InputSize(width: 512, height: 512)
        var centre = [Float](repeating: 0.01, count: 256 * 256)
        var displacement = [Float](repeating: 0, count: 4 * 256 * 256)
        centre[196 * 256 + 130] = 0.64192
        for (channel, value) in [Float(-78.434), -0.924, 78.664, 0.012].enumerated() {
            displacement[channel * 65536 + 196 * 256 + 130] = value
        }
        let decoder = try LineDecoder(outputs: outputs(size), size: size)
        let same = Placement(sourceWidth: 512, sourceHeight: 512, in: size, fit: .stretch)
        let lines = decoder.decode(centre: centre, displacement: displacement, placement: same)
        let line = try #require(lines.first)
        #expect(lines.count == 1 && line.score == 0.64192)
        let expectations: [Float] = [103.13, 390.15, 417.33, 392.02]
        for (value, expected) in zip([line.from.x, line.from.y, line.to.x, line.to.y], expectations) {
            #expect(abs(value - expected) < 0.01)
        }
    }

    @Test(arguments: [
        [TensorInfo(name: "centre", shape: [1, 1, 16, 16], element: .f32)],
        [
            TensorInfo(name: "centre", shape: [1, 1, 16, 16], element: .f32),
            TensorInfo(name: "displacement", shape: [1, 4, 16, 15], element: .f32),
        ],
        [
            TensorInfo(name: "centre", shape: [1, 1, 16, 16], element: .f16),
            TensorInfo(name: "displacement", shape: [1, 4, 16, 16], element: .f32),
        ],
    ])
    func `a model with other outputs is refused`(infos: [TensorInfo]) {
        let error = #expect(throws: VisionError.self) {
            try LineDecoder(outputs: infos, size: InputSize(width: 32, height: 32))
        }
        #expect(error?.code == .outputs)
    }
}

@Suite struct TopKTests {
    @Test(arguments: [0, 1, 2, 3, 10, 100, 1000], [0, 1, 5, 99, 100, 101, 900])
    func `keeps the best and sorts them, the lower index first among equals`(capacity: Int, count: Int) {
        var generator = SeededGenerator(seed: UInt64(capacity * 1000 + count))
        let scores = (0..<count).map { _ in Float(Int.random(in: 0..<20, using: &generator)) }
        let best = TopK(capacity: capacity)
        for round in 0..<2 {
            best.removeAll()
            for index in (0..<count).shuffled(using: &generator) { best.offer(scores[index], index) }
            best.sort()
            let expected = scores.indices.sorted { (scores[$1], $0) < (scores[$0], $1) }.prefix(capacity)
            #expect((0..<best.count).map { Int(best[$0].index) } == Array(expected), "round \(round)")
        }
    }
}
