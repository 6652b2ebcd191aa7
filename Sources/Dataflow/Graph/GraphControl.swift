// SPDX-License-Identifier: Apache-2.0
@preconcurrency internal import Dispatch
internal import Synchronization

/// What the stages of one graph share while it runs.
final class GraphControl: @unchecked Sendable {
    // Invariant of @unchecked Sendable: atomics and immutable values, but for `sources`, set before the start.

    let name: String
    let clock: MonotonicClock
    private let stopping = Atomic<Bool>(false)
    private let aborted = Atomic<Bool>(false)
    private let liveSinks = Atomic<Int>(0)
    private let liveStages = Atomic<Int>(0)
    let startedAt = Atomic<UInt64>(0)
    let endedAt = Atomic<UInt64>(0)
    let finished = DispatchGroup()
    /// How often the settings have changed, see `Graph.advanceGeneration()`.
    let generation = Atomic<UInt64>(0)
    /// The sources' stages.
    var sources: [Wakeup] = []

    init(name: String, clock: MonotonicClock) {
        self.name = name
        self.clock = clock
    }

    var isAborted: Bool {
        @inline(__always) get { aborted.load(ordering: .relaxed) }
    }

    var isStopping: Bool {
        @inline(__always) get { stopping.load(ordering: .relaxed) }
    }

    func begin(stages: Int, sinks: Int) {
        startedAt.store(clock.now(), ordering: .relaxed)
        liveStages.store(stages, ordering: .relaxed)
        liveSinks.store(sinks, ordering: .relaxed)
        finished.enter()
    }

    /// Ends the sources; true for the first call.
    @discardableResult
    func stop() -> Bool {
        // The poke's sequentially consistent store publishes the flag to the stages it wakes.
        let isFirst = !stopping.exchange(true, ordering: .sequentiallyConsistent)
        for source in sources { source.poke() }
        return isFirst
    }

    func abort() {
        aborted.store(true, ordering: .sequentiallyConsistent)
        stop()
    }

    /// One sink less delivers; without any there is nothing to run for.
    func sinkStopped() {
        if liveSinks.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue == 0 { stop() }
    }

    func stageFinished(_ stage: Stage) {
        // Acquire and release: the last stage's finish comes after everything the others did.
        guard liveStages.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue == 0 else { return }
        endedAt.store(clock.now(), ordering: .relaxed)
        finished.leave()
    }
}
