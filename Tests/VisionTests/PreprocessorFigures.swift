// SPDX-License-Identifier: Apache-2.0
import Foundation
import Media
import Networks
import Testing

@testable import Vision

/// Prints what pre-processing costs; nothing depends on the time. Optimised builds only:
/// `VPIPE_FIGURES=1 swift test -c release -Xswiftc -enable-testing --filter PreprocessorFigures`.
@Suite(.serialized, .enabled(if: ProcessInfo.processInfo.environment["VPIPE_FIGURES"] != nil, "set VPIPE_FIGURES=1"))
struct PreprocessorFigures {
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
            var times: [Duration] = []
            let clock = ContinuousClock()
            for _ in 0..<200 {
                let start = clock.now
                _ = tensor.withUnsafeMutableBufferPointer { preprocessor.fill($0, from: picture) }
                times.append(clock.now - start)
            }
            times.sort()
            #expect(tensor.allSatisfy { $0.isFinite })
            let (median, fastest) = (milliseconds(times[100]), milliseconds(times[0]))
            print("\(format) \(width)x\(height) -> \(size) \(name): median \(median) ms, fastest \(fastest) ms")
        }
    }

    private func milliseconds(_ duration: Duration) -> Double {
        let micros = Double(duration.components.attoseconds) / 1e12
        return (micros / 10).rounded() / 100
    }
}
