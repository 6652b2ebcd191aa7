// SPDX-License-Identifier: Apache-2.0
import Foundation
import Inference
import Media
import Networks
import TestSupport
import Testing

@testable import Vision

/// Prints what pre-processing and decoding cost; nothing depends on the time.
///
/// Optimised builds only: `VPIPE_FIGURES=1 swift test -c release -Xswiftc -enable-testing --filter VisionTests.Figures`.
@Suite(.serialized, .enabled(if: ProcessInfo.processInfo.environment["VPIPE_FIGURES"] != nil, "set VPIPE_FIGURES=1"))
struct Figures {
    @Test(arguments: [
        (PixelFormat.i420, 1280, 720), (.nv12, 1280, 720), (.i420, 1920, 1080), (.i420, 640, 480), (.i420, 320, 240),
        (.i444, 1280, 720), (.gray8, 1280, 720),
    ])
    func `milliseconds per picture`(format: PixelFormat, width: Int, height: Int) {
        let picture = randomPicture(format, width: width, height: height)
        for (name, architecture, filter) in [
            ("area", MLSD.normalisation, Preprocessor.Filter.area), ("bilinear", RetinaFace.normalisation, .bilinear),
        ] {
            let size = filter == .area ? InputSize(width: 512, height: 512) : InputSize(width: 640, height: 480)
            let preprocessor = Preprocessor(size: size, normalisation: architecture, filter: filter)
            var tensor = [Float](repeating: 0, count: preprocessor.count)
            measure("\(format) \(width)x\(height) -> \(size) \(name)") {
                _ = tensor.withUnsafeMutableBufferPointer { preprocessor.fill($0, from: picture) }
            }
            #expect(tensor.allSatisfy { $0.isFinite })
        }
    }

    @Test(arguments: [0, 0.003, 0.1, 1])
    func `milliseconds per decoding`(density: Float) throws {
        var generator = SeededGenerator(seed: 3)
        func scores(_ count: Int) -> [Float] {
            (0..<count).map { _ in
                .random(in: 0..<1, using: &generator) < density ? .random(in: 0.5...1, using: &generator) : 0.01
            }
        }
        func numbers(_ count: Int, _ limit: Float) -> [Float] {
            (0..<count).map { _ in .random(in: -limit...limit, using: &generator) }
        }
        let square = InputSize(width: 512, height: 512)
        let lines = try LineDecoder(
            outputs: [
                TensorInfo(name: "centre", shape: [1, 1, 256, 256], element: .f32),
                TensorInfo(name: "displacement", shape: [1, 4, 256, 256], element: .f32),
            ], size: square)
        let (centre, displacement) = (scores(256 * 256), numbers(4 * 256 * 256, 40))
        let stretched = Placement(sourceWidth: 1280, sourceHeight: 720, in: square, fit: .stretch)
        measure("mlsd 512x512, \(density) above the threshold") {
            _ = lines.decode(centre: centre, displacement: displacement, placement: stretched)
        }
        let size = InputSize(width: 640, height: 480)
        let rows = RetinaFace.anchorCount(at: size)
        let faces = try FaceDecoder(
            outputs: [
                TensorInfo(name: "loc", shape: [1, rows, 4], element: .f32),
                TensorInfo(name: "conf", shape: [1, rows, 2], element: .f32),
                TensorInfo(name: "landms", shape: [1, rows, 10], element: .f32),
            ], size: size, family: .relu)
        let (location, landmarks) = (numbers(4 * rows, 1), numbers(10 * rows, 1))
        let confidence = scores(2 * rows)
        let boxed = Placement(sourceWidth: 1280, sourceHeight: 720, in: size, fit: .letterbox)
        measure("retinaface 640x480, \(density) above the threshold") {
            _ = faces.decode(location: location, confidence: confidence, landmarks: landmarks, placement: boxed)
        }
    }

    private func measure(_ name: String, _ body: () -> Void) {
        var times: [Duration] = []
        let clock = ContinuousClock()
        for _ in 0..<200 {
            let start = clock.now
            body()
            times.append(clock.now - start)
        }
        times.sort()
        print("\(name): median \(milliseconds(times[100])) ms, fastest \(milliseconds(times[0])) ms")
    }

    private func milliseconds(_ duration: Duration) -> Double {
        let micros = Double(duration.components.attoseconds) / 1e12
        return (micros / 10).rounded() / 100
    }
}
