// SPDX-License-Identifier: Apache-2.0
internal import CDispatchSource

/// Has a stage run on Dispatch's threads, one run at a time.
final class StageTrigger: @unchecked Sendable {
    // Invariant of @unchecked Sendable: `source` is set before the graph is launched, and nobody signals before that.
    // Dispatch's objects may be used from any thread.

    private var source: UnsafeMutableRawPointer?

    deinit { if let source { vpipe_source_release(source) } }

    /// Has `signal` run the stage from now on; keeps it until `cancel`.
    func activate(_ stage: Stage) {
        source = vpipe_source_create(
            Unmanaged.passRetained(stage).toOpaque(),
            { context in
                if let context { Unmanaged<Stage>.fromOpaque(context)._withUnsafeGuaranteedRef { $0.run() } }
            },
            { context in if let context { Unmanaged<Stage>.fromOpaque(context).release() } })
        precondition(source != nil, "Dispatch has no queue that takes on threads as needed")
    }

    /// Has the stage run; several signals before it does are one.
    @inline(__always)
    func signal() { if let source { vpipe_source_signal(source) } }

    /// Ends the runs; one under way is finished.
    func cancel() { if let source { vpipe_source_cancel(source) } }
}
