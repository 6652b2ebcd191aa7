// SPDX-License-Identifier: Apache-2.0
import Inference
import InferenceTestSupport
import Media
import MediaTestSupport
import Networks
import Synchronization
import Testing

@testable import Vision

private let size = InputSize(width: 8, height: 8)
private let identity = InputNormalisation(
    channelOrder: .rgb, mean: [0, 0, 0], scale: [1, 1, 1], fit: .letterbox)

/// A grey picture; full range, so that the tensor holds the level itself.
private func grey(_ level: UInt8, width: Int = 8, height: Int = 8) -> Picture {
    let picture = somePicture(
        width: width, height: height, format: .gray8, color: ColorSpec(matrix: .bt601, range: .full))
    let plane = picture.mutablePlane(0)
    for row in 0..<height { plane.row(row).update(repeating: level, count: width) }
    return picture
}

private func make(requests: Int) throws -> (detector: Detector<FakeDecoder>, engine: FakeEngine) {
    let engine = FakeEngine(inputShape: [1, 3, 8, 8])
    let options = CompileOptions(.single, cores: 1, precision: .f32, cache: .off)
    let model = try engine.compile(ModelSource(name: "fake", onnx: []), options: options)
    let preprocessor = Preprocessor(size: size, normalisation: identity, filter: .bilinear)
    let detector = try Detector(model: model, preprocessor: preprocessor, requests: requests) { _ in FakeDecoder() }
    return (detector, engine)
}

@Suite struct DetectorTests {
    @Test func `one picture at a time`() throws {
        let (detector, _) = try make(requests: 2)
        for level in [UInt8(3), 200, 0] { #expect(try detector.result(for: grey(level)).value == Float(level)) }
        #expect(detector.inFlight == 0)
    }

    @Test func `results come in the order of submission, each with its own placement`() throws {
        let (detector, engine) = try make(requests: 3)
        let wakes = WakeCounter()
        try detector.onCompletion { wakes.count() }
        let pictures = [grey(10, width: 16, height: 8), grey(20, width: 4, height: 8), grey(30)]
        for picture in pictures { #expect(try detector.submit(picture)) }
        #expect(detector.inFlight == 3 && detector.capacity == 3)
        #expect(try !detector.submit(grey(40)), "all requests are busy")
        #expect(try detector.nextCompleted() == nil)
        // Requests are handed out from the first; the last to be submitted is over first.
        engine.request(2).complete()
        engine.request(1).complete()
        #expect(try detector.nextCompleted() == nil, "the oldest still runs")
        engine.request(0).complete()
        #expect(wakes.total == 3)
        for (level, picture) in zip([Float(10), 20, 30], pictures) {
            let output = try detector.nextCompleted()
            let placement = Placement(
                sourceWidth: picture.width, sourceHeight: picture.height, in: size, fit: .letterbox)
            #expect(output == FakeDecoder.Output(value: level, placement: placement))
        }
        #expect(try detector.nextCompleted() == nil)
        #expect(try detector.submit(grey(50)), "requests are free again")
        #expect(try detector.waitForNext()?.value == 50)
        #expect(try detector.waitForNext() == nil)
    }

    @Test func `a failed inference is reported in its turn and costs no other`() throws {
        let (detector, engine) = try make(requests: 3)
        for level in [UInt8(1), 2, 3] { #expect(try detector.submit(grey(level))) }
        engine.request(1).fails = true
        for index in 0..<3 { engine.request(index).complete() }
        #expect(try detector.nextCompleted()?.value == 1)
        #expect(throws: InferenceError.self) { try detector.nextCompleted() }
        #expect(try detector.nextCompleted()?.value == 3)
        engine.request(1).fails = false
        for level in [UInt8(4), 5, 6] { #expect(try detector.submit(grey(level)), "no request is lost") }
        for level in [Float(4), 5, 6] { #expect(try detector.waitForNext()?.value == level) }
    }

    @Test func `a refused request is free again`() throws {
        let (detector, engine) = try make(requests: 1)
        engine.request(0).refuses = true
        #expect(throws: InferenceError.self) { try detector.submit(grey(1)) }
        #expect(detector.inFlight == 0)
        engine.request(0).refuses = false
        #expect(try detector.result(for: grey(2)).value == 2)
    }

    @Test(arguments: [[1, 3, 8, 9], [1, 2, 8, 8], [3, 8, 8]])
    func `a model with another input is refused`(shape: [Int]) throws {
        let engine = FakeEngine(inputShape: shape)
        let options = CompileOptions(.single, cores: 1, precision: .f32, cache: .off)
        let model = try engine.compile(ModelSource(name: "fake", onnx: []), options: options)
        let preprocessor = Preprocessor(size: size, normalisation: identity, filter: .bilinear)
        let error = #expect(throws: VisionError.self) {
            try Detector(model: model, preprocessor: preprocessor) { _ in FakeDecoder() }
        }
        #expect(error?.code == .input)
    }

    @Test func `a detector refuses another network's architecture`() throws {
        let engine = FakeEngine(inputShape: [1, 3, 8, 8])
        let options = CompileOptions(.single, cores: 1, precision: .f32, cache: .off)
        let lines = #expect(throws: VisionError.self) {
            try LineFamily.mlsd.network(
                NetworkSetup(
                    Architecture.find("retinaface", "mobilenet0.25"), weights: Weights(), engine: engine,
                    compile: options))
        }
        let faces = #expect(throws: VisionError.self) {
            try FaceFamily.retinaFace.network(
                NetworkSetup(
                    Architecture.find("mlsd", "tiny"), weights: Weights(), engine: engine, compile: options))
        }
        #expect(lines?.code == .architecture && faces?.code == .architecture)
        #expect(lines?.detail == #"this detector is for "mlsd", not for "retinaface mobilenet0.25""#)
    }
}

/// Counts wakes from any thread.
private final class WakeCounter: Sendable {
    private let wakes = Atomic<Int>(0)
    var total: Int { wakes.load(ordering: .relaxed) }
    func count() { wakes.add(1, ordering: .relaxed) }
}
