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
    @Test(.timeLimit(.minutes(5))) func `a frame costs no allocation`() async {
        await #expect(processExitsWith: .success) {
            let (width, height) = (96, 64)
            let scene = MovingScene(width: width, height: height, pan: (1, 0.5), seed: 1)
            var mask = [Bool](repeating: false, count: width * height)
            let frames = (0..<6).map { time in
                let image = FloatImage(channels: 3, width: width, height: height)
                scene.draw(time, into: image, mask: &mask)
                return image
            }
            let aggregator = TemporalAggregator(width: width, height: height)
            for frame in frames.prefix(3) { aggregator.push(frame.readOnly) }
            let before = vpipe_malloc_count()
            for frame in frames.dropFirst(3) { aggregator.push(frame.readOnly) }
            let count = vpipe_malloc_count() - before
            // The debug build boxes what it does not specialise; an optimised one allocates nothing.
            #if DEBUG
                let limit = 3 * 4096
            #else
                let limit = 0
            #endif
            guard count <= limit else {
                print("allocations in three frames: \(count)")
                fflush(nil)
                exit(EXIT_FAILURE)
            }
        }
    }
}
