// SPDX-License-Identifier: Apache-2.0
@preconcurrency internal import Dispatch
internal import Synchronization

/// What the stages of one graph share while it runs.
final class GraphControl: @unchecked Sendable {
    // Invariant of @unchecked Sendable: atomics, mutexes and immutable values, but for `sources`, set before the start.

    let name: String
    let clock: MonotonicClock
    private let stopping = Atomic<Bool>(false)
    private let aborted = Atomic<Bool>(false)
    private let liveSinks = Atomic<Int>(0)
    private let liveStages = Atomic<Int>(0)
    let startedAt = Atomic<UInt64>(0)
    let endedAt = Atomic<UInt64>(0)
    let failures = Mutex<[RunReport.Failure]>([])
    let finished = DispatchGroup()
    /// The sources' stages; unretained: `running` keeps the graph, and the graph keeps them.
    var sources: [Unmanaged<Stage>] = []
    /// The graph, while it runs: edges point at stages without retaining them.
    private let running = Mutex<Graph?>(nil)

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

    func begin(_ graph: Graph, stages: Int, sinks: Int) {
        startedAt.store(clock.now(), ordering: .relaxed)
        liveStages.store(stages, ordering: .relaxed)
        liveSinks.store(sinks, ordering: .relaxed)
        running.withLock { $0 = graph }
        finished.enter()
    }

    /// Ends the sources; true for the first call.
    @discardableResult
    func stop() -> Bool {
        // The poke's sequentially consistent store publishes the flag to the stages it wakes.
        let isFirst = !stopping.exchange(true, ordering: .sequentiallyConsistent)
        // The graph cannot go away below: stages call this while it runs, others through the graph itself.
        for source in sources { source._withUnsafeGuaranteedRef { $0.poke() } }
        return isFirst
    }

    func abort() {
        aborted.store(true, ordering: .sequentiallyConsistent)
        stop()
    }

    func recordFailure(stage: Stage, error: any Error) {
        let failure = RunReport.Failure(node: stage.name, message: String(describing: error), at: clock.now())
        failures.withLock { $0.append(failure) }
    }

    /// One sink less delivers; without any there is nothing to run for.
    func sinkStopped() {
        if liveSinks.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue == 0 { stop() }
    }

    func stageFinished(_ stage: Stage) {
        // Acquire and release: the last stage's finish comes after everything the others did.
        guard liveStages.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue == 0 else { return }
        endedAt.store(clock.now(), ordering: .relaxed)
        let graph = running.withLock { kept -> Graph? in
            defer { kept = nil }
            return kept
        }
        withExtendedLifetime(graph) { finished.leave() }
    }
}
