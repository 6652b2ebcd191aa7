// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// How a stage is woken: the parking protocol's flags and the trigger that runs it.
///
/// A stage that has nothing to do clears `awake` and looks once more at everything it could be waiting for; whoever
/// brings news stores it first and looks at `awake` after. Both sides are sequentially consistent, so one of the two
/// sees the other, and news for a running stage costs one load.
///
/// It knows nothing of the stage, so that nodes and neighbours may keep it for as long as they like.
final class Wakeup: @unchecked Sendable {
    // Invariant of @unchecked Sendable: `trigger` is set before the graph is launched, while `awake` is still true and
    // so nobody reads it; the rest is atomic.

    private let awake = Atomic<Bool>(true)
    private let poked = Atomic<Bool>(false)
    private let hasRun = Atomic<Bool>(false)
    private var trigger: StageTrigger?

    // MARK: From any thread

    var isAwake: Bool {
        @inline(__always) get { awake.load(ordering: .sequentiallyConsistent) }
    }

    /// Has the stage run if it is parked; of several callers one signals.
    @inline(__always)
    func wake() {
        if !isAwake { signalOnce() }
    }

    /// Has the stage look at everything again, also at what is no edge: the node's link, stop, abort, admission.
    func poke() {
        poked.store(true, ordering: .sequentiallyConsistent)
        wake()
    }

    private func signalOnce() {
        // Acquires what the parked run released, and releases it to the run to come.
        if !awake.exchange(true, ordering: .sequentiallyConsistent) { trigger?.signal() }
    }

    // MARK: From the stage

    func connect(_ trigger: StageTrigger) { self.trigger = trigger }

    /// Asks for the first run, or for the next one when a run ends with work left.
    func runAgain() {
        // Release pairs with the acquire in `beginRun`.
        awake.store(true, ordering: .sequentiallyConsistent)
        trigger?.signal()
    }

    /// Whether there is a run to be done; the state of the one before is visible after it.
    func beginRun() -> Bool {
        // Pairs with the release in `endRun`.
        _ = hasRun.load(ordering: .acquiring)
        return awake.load(ordering: .acquiring)
    }

    /// Orders this run before the next.
    ///
    /// A run looks for news after `park`, so the protocol alone does not; Dispatch, whose
    /// sources are serial, does, but ThreadSanitizer cannot see it.
    func endRun() { hasRun.store(true, ordering: .releasing) }

    /// Says that the stage is about to look for news a last time.
    func park() { awake.store(false, ordering: .sequentiallyConsistent) }

    /// Goes on after `park`; false when somebody has signalled already, and another run will come.
    func unpark() -> Bool { !awake.exchange(true, ordering: .sequentiallyConsistent) }

    var isPoked: Bool { poked.load(ordering: .sequentiallyConsistent) }

    /// Whether it was poked since the last call.
    @inline(__always)
    func takePoke() -> Bool {
        // Acquire pairs with the store in `poke`.
        poked.load(ordering: .relaxed) && poked.exchange(false, ordering: .sequentiallyConsistent)
    }
}
