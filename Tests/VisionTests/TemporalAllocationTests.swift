// SPDX-License-Identifier: Apache-2.0
import CMallocCounter
import Testing

@testable import Vision

#if canImport(Glibc)
    import Glibc
#endif

@Suite(.enabled(if: vpipe_malloc_counter_works() == 1, "allocations are not counted under a sanitizer"))
struct TemporalAllocationTests {
    // In a process of its own: the count is of the whole process, and other tests run beside this one.
    @Test(.timeLimit(.minutes(15))) func `a frame costs no allocation`() async {
        await #expect(processExitsWith: .success) {
            let (width, height) = (640, 96)
            let scene = MovingScene(width: width, height: height, pan: (1, 0.5), seed: 1)
            var mask = [Bool](repeating: false, count: width * height)
            let frames = (0..<6).map { time in
                let image = FloatImage(channels: 3, width: width, height: height)
                scene.draw(time, into: image, mask: &mask)
                return image
            }
            let aggregator = TemporalAggregator(width: width, height: height)
            for time in 0..<3 { aggregator.push(frames[time].readOnly) }
            // An unoptimised build boxes what it does not specialise; pictures and rows are larger than that.
            #if DEBUG
                let counter = vpipe_malloc_large_count
            #else
                let counter = vpipe_malloc_count
            #endif
            let before = counter()
            for time in 3..<6 { aggregator.push(frames[time].readOnly) }
            let count = counter() - before
            guard count == 0 else {
                print("allocations in three frames: \(count)")
                fflush(nil)
                exit(EXIT_FAILURE)
            }
        }
    }
}
