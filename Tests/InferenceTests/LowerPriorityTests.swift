// SPDX-License-Identifier: Apache-2.0
import Foundation
import Synchronization
import Testing

@testable import Inference

@Suite("Threads that stand back")
struct LowerPriorityTests {
    /// Nice value of the calling thread.
    private static var niceness: Int32 { getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0) }

    @Test("Work runs on a thread with a higher nice value, as do the threads it makes; the caller's stays as it was")
    func inherits() async {
        let seen = await withCheckedContinuation { done in
            Thread.detachNewThread {
                let before = Self.niceness
                let inside = Mutex<Int32>(.min)
                let direct = LowerPriority.run {
                    let ended = DispatchSemaphore(value: 0)
                    Thread.detachNewThread {
                        inside.withLock { $0 = Self.niceness }
                        ended.signal()
                    }
                    ended.wait()
                    return Self.niceness
                }
                done.resume(returning: [before, direct, inside.withLock { $0 }, Self.niceness])
            }
        }
        // 19 is the highest there is.
        let lower = min(19, seen[0] + LowerPriority.step)
        #expect(seen == [seen[0], lower, lower, seen[0]])
    }

    @Test(
        "Each goal has its layout of threads, and only throughput lowers their priority",
        arguments: [
            (CompileOptions.Goal.throughput, 1, 1), (.throughput, 4, 4), (.latency, 1, 1), (.latency, 2, 1),
            (.latency, 5, 2), (.single, 1, 1), (.single, 4, 1),
        ])
    func layout(goal: CompileOptions.Goal, cores: Int, streams: Int) {
        let parallelism = Parallelism(CompileOptions(goal, cores: cores, precision: .f32))
        #expect(parallelism.streams == streams)
        #expect(parallelism.threads == cores)
        #expect(parallelism.lowersPriority == (goal == .throughput))
    }
}
