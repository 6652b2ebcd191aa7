// SPDX-License-Identifier: Apache-2.0
import Annotations
import Inference
import Media
import MediaTestSupport
import Networks
import TestSupport
import Testing

@testable import Vision

private typealias Maps = [(scores: [Float], boxes: [Float])]

private func outputs(_ size: InputSize) -> [TensorInfo] {
    SSH.strides.enumerated().reversed().flatMap { index, stride in
        let (rows, columns) = SSH.cells(at: size, stride: stride)
        return [
            TensorInfo(name: "m\(index + 1).box", shape: [1, 8, rows, columns], element: .f32),
            TensorInfo(name: "m\(index + 1).score", shape: [1, 4, rows, columns], element: .f32),
        ]
    }
}

private func maps(_ size: InputSize, _ body: (Int, Bool, Int) -> Float) -> Maps {
    SSH.strides.enumerated().map { module, stride in
        let (rows, columns) = SSH.cells(at: size, stride: stride)
        let area = rows * columns
        return (
            (0..<4 * area).map { body(module, true, $0 / area) }, (0..<8 * area).map { body(module, false, $0 / area) }
        )
    }
}

private func decode(_ decoder: SSHDecoder, _ maps: Maps, _ placement: Placement) -> [Face] {
    func open(_ index: Int, _ pointers: [(scores: UnsafePointer<Float>, boxes: UnsafePointer<Float>)]) -> [Face] {
        guard index < maps.count else { return decoder.decode(pointers, placement: placement) }
        return maps[index].scores.withUnsafeBufferPointer { scores in
            maps[index].boxes.withUnsafeBufferPointer { boxes in
                guard let scores = scores.baseAddress, let boxes = boxes.baseAddress else { return [] }
                return open(index + 1, pointers + [(scores, boxes)])
            }
        }
    }
    return open(0, [])
}

@Suite struct SSHDecoderTests {
    enum Scores: String, CaseIterable, Sendable { case sparse, full, empty, large }

    @Test(arguments: Scores.allCases)
    func `equals the plain reference`(scores: Scores) throws {
        var generator = SeededGenerator(seed: 31)
        for size in [InputSize(width: 96, height: 64), InputSize(width: 131, height: 77)] {
            for options in [
                BoxSelection.ssh, .init(scoreThreshold: 0.05, iouThreshold: 0.6, candidates: 20, limit: 9),
                .ssh.with(limit: 0), .ssh.with(candidates: 0),
            ] {
                let random = maps(size) { module, isScore, channel in
                    guard isScore else { return .random(in: -1.5...1.5, using: &generator) }
                    switch scores {
                    case .sparse:
                        let isFace = Int.random(in: 0..<15, using: &generator) == 0
                        return channel >= 2 && isFace ? .random(in: 0...6, using: &generator) : -1
                    case .full: return .random(in: -3...3, using: &generator)
                    case .empty: return channel < 2 ? 9 : -9
                    case .large: return .random(in: -40...40, using: &generator) * 0.25
                    }
                }
                let decoder = try SSHDecoder(outputs: outputs(size), size: size, options: options)
                let placement = Placement(
                    sourceWidth: 3 * size.width, sourceHeight: 2 * size.height, in: size, fit: .stretch)
                let faces = decode(decoder, random, placement)
                let plain = referenceSuppression(
                    referenceSSHCandidates(
                        random, size: size, options: options, content: (size.width, size.height), scale: (3, 2)),
                    options: options)
                #expect(faces.count == plain.count, "\(size) \(options)")
                #expect(zip(faces, plain).first { !isClose($0, $1) } == nil, "\(size) \(options)")
                #expect(scores == .empty || options.limit == 0 || options.candidates == 0 || !faces.isEmpty)
            }
        }
    }

    private func isClose(_ face: Face, _ expected: Face) -> Bool {
        let pairs = [
            (face.box.x, expected.box.x), (face.box.y, expected.box.y), (face.box.width, expected.box.width),
            (face.box.height, expected.box.height),
        ]
        return pairs.allSatisfy { abs($0 - $1) < 2e-3 } && abs(face.score - expected.score) < 1e-5
            && face.landmarks.isEmpty
    }

    @Test func `an anchor without offsets covers whole pixels around 7 and a half`() throws {
        let size = InputSize(width: 256, height: 192)
        for (module, stride) in SSH.strides.enumerated() {
            for (anchor, side) in SSH.anchorSizes[module].enumerated() where side <= 128 {
                let (row, column) = (64 / stride, 96 / stride)
                let columns = SSH.cells(at: size, stride: stride).columns
                let area = SSH.cells(at: size, stride: stride).rows * columns
                var single = maps(size) { _, isScore, channel in isScore && channel >= 2 ? -9 : 0 }
                single[module].scores[(2 + anchor) * area + row * columns + column] = 2
                let decoder = try SSHDecoder(outputs: outputs(size), size: size)
                let placement = Placement(sourceWidth: 256, sourceHeight: 192, in: size, fit: .letterbox)
                // Centre 8 + stride * cell in coordinates where an anchor reaches from its first pixel to behind its last.
                let left = Float(96 + 8 - side / 2)
                let top = Float(64 + 8 - side / 2)
                let faces = decode(decoder, single, placement)
                #expect(faces.map(\.box) == [Box(x: left, y: top, width: Float(side), height: Float(side))])
                #expect(abs((faces.first?.score ?? 0) - 0.8807971) < 1e-6)
            }
        }
    }

    @Test func `boxes end where the picture ends, not the letterbox`() throws {
        let size = InputSize(width: 64, height: 64)
        let wide = maps(size) { module, isScore, channel in
            isScore ? (module == 2 && channel == 3 ? 4 : channel < 2 ? 0 : -4) : 0
        }
        let decoder = try SSHDecoder(outputs: outputs(size), size: size)
        let placement = Placement(sourceWidth: 128, sourceHeight: 64, in: size, fit: .letterbox, alignment: .centre)
        // 64x32 at row 16: the anchor of 512 is clipped to the last column and row, 63 and 31, times 2.
        #expect(decode(decoder, wide, placement).map(\.box) == [Box(x: 0, y: 0, width: 126, height: 62)])
    }

    @Test func `numbers that are not finite are no faces and hide none`() throws {
        let size = InputSize(width: 64, height: 64)
        var values = maps(size) { _, isScore, channel in isScore ? (channel < 2 ? 0 : -5) : 0 }
        values[0].scores[2 * 64 + 9] = 3  // a face at cell (1, 1), anchor 0
        for (cell, bad) in [(0, Float.nan), (1, .infinity), (2, -.infinity), (3, 1e38)] {
            values[0].scores[2 * 64 + cell] = 5
            values[0].boxes[cell] = bad
            values[1].scores[cell] = bad
        }
        let decoder = try SSHDecoder(outputs: outputs(size), size: size)
        let placement = Placement(sourceWidth: 64, sourceHeight: 64, in: size, fit: .letterbox)
        let faces = decode(decoder, values, placement)
        #expect(faces.contains { $0.box == Box(x: 8, y: 8, width: 16, height: 16) })
        #expect(faces.allSatisfy { ($0.box.x + $0.box.y + $0.box.width + $0.box.height + $0.score).isFinite })
    }

    @Test func `a model for another size is refused`() {
        let error = #expect(throws: VisionError.self) {
            try SSHDecoder(
                outputs: outputs(InputSize(width: 64, height: 64)), size: InputSize(width: 96, height: 64))
        }
        #expect(error?.code == .outputs)
    }
}

@Suite struct PyramidTests {
    private static let size = InputSize(width: 64, height: 48)
    private static let options = BoxSelection.ssh.with(scoreThreshold: 0.3, iouThreshold: 0.3)
    private static let compile = CompileOptions(.single, cores: 1, precision: .f32, cache: .off)

    private static func noise(_ seed: UInt64, width: Int, height: Int) -> Picture {
        var generator = SeededGenerator(seed: seed)
        let picture = somePicture(
            width: width, height: height, format: .gray8, color: ColorSpec(matrix: .bt601, range: .full))
        let plane = picture.mutablePlane(0)
        for y in 0..<height {
            for x in 0..<width { plane.row(y)[x] = .random(in: 0...255, using: &generator) }
        }
        return picture
    }

    @Test func `scales are the paper's, relative to the second`() {
        let sizes = PyramidDetector.sizes(around: InputSize(width: 1066, height: 800))
        #expect(sizes.map(\.description) == ["666x500", "1066x800", "1599x1200", "2132x1600"])
        let small = PyramidDetector.sizes(around: InputSize(width: 64, height: 33))
        #expect(small.map(\.description) == ["40x32", "64x33", "96x50", "128x66"])
    }

    @Test func `finds what its sizes find together, in the order of submission`() throws {
        let architecture = try Architecture.find("ssh", "mobilenet0.25")
        let weights = try architecture.build(at: Self.size).initialWeights(seed: 8)
        let engine = try OpenVINOEngine.shared()
        let pyramid = try FaceFamily.ssh.network(
            NetworkSetup(
                architecture, weights: weights, size: Self.size, engine: engine, compile: Self.compile, requests: 2),
            options: FaceOptions(Self.options, pyramid: true))
        let pictures = [Self.noise(1, width: 80, height: 60), Self.noise(2, width: 33, height: 47)]
        for picture in pictures { #expect(try pyramid.submit(picture)) }
        #expect(try !pyramid.submit(pictures[0]), "two in flight at most")
        for picture in pictures {
            let faces = try #require(try pyramid.waitForNext())
            #expect(faces == (try Self.plain(picture, architecture, weights, engine)))
            #expect(!faces.isEmpty)
        }
        #expect(try pyramid.waitForNext() == nil)
        #expect(try pyramid.result(for: pictures[1]) == Self.plain(pictures[1], architecture, weights, engine))
    }

    /// One network after the other, their candidates in one suppression.
    private static func plain(
        _ picture: Picture, _ architecture: Architecture, _ weights: Weights, _ engine: OpenVINOEngine
    ) throws -> [Face] {
        let candidates = FaceCandidates(
            capacity: 12_000, limit: options.limit, iouThreshold: options.iouThreshold)
        for (index, size) in PyramidDetector.sizes(around: size).enumerated() {
            let model = try engine.compile(
                ModelSource(name: "ssh \(size)", onnx: architecture.onnx(at: size, weights: weights)),
                options: compile)
            let request = try model.makeRequest()
            let preprocessor = Preprocessor(
                size: size, normalisation: architecture.normalisation, filter: .bilinear)
            let placement = preprocessor.fill(request.inputs[0].floats, from: picture)
            try request.run()
            let decoder = try SSHDecoder(
                outputs: model.outputs, size: size, options: options, modules: index == 3 ? 2 : 3, into: candidates)
            decoder.collect(request.outputs, placement: placement)
        }
        return candidates.faces()
    }

    @Test func `another network is refused`() throws {
        let architecture = try Architecture.find("mlsd", "tiny")
        let error = #expect(throws: VisionError.self) {
            try FaceFamily.ssh.network(
                NetworkSetup(
                    architecture, weights: Weights(), engine: OpenVINOEngine.shared(), compile: Self.compile),
                options: FaceOptions(.ssh, pyramid: true))
        }
        #expect(error?.code == .architecture)
    }
}
