// SPDX-License-Identifier: Apache-2.0
internal import CDispatchSource

/// A stage's serial queue, and the event source that has the stage run there.
final class StageQueue: @unchecked Sendable {
    // Invariant of @unchecked Sendable: `source` is set before the graph is launched, and nobody signals before that.
    // Dispatch's objects may be used from any thread.

    private let queue: UnsafeMutableRawPointer
    private var source: UnsafeMutableRawPointer?

    init(label: String) { queue = vpipe_queue_create(label) }

    deinit {
        if let source { vpipe_dispatch_release(source) }
        vpipe_dispatch_release(queue)
    }

    /// Calls `body` on the queue and waits for it.
    func sync(_ body: () -> Void) {
        withoutActuallyEscaping(body) { body in
            withUnsafePointer(to: body) { body in
                vpipe_queue_sync(queue, UnsafeMutableRawPointer(mutating: body)) { body in
                    body?.assumingMemoryBound(to: (() -> Void).self).pointee()
                }
            }
        }
    }

    /// Has `signal` run the stage from now on; keeps it until `cancel`.
    func activate(_ stage: Stage) {
        source = vpipe_source_create(
            queue, Unmanaged.passRetained(stage).toOpaque(),
            { context in
                if let context { Unmanaged<Stage>.fromOpaque(context)._withUnsafeGuaranteedRef { $0.run() } }
            },
            { context in if let context { Unmanaged<Stage>.fromOpaque(context).release() } })
    }

    /// Has the stage run; several signals before it does are one.
    @inline(__always)
    func signal() { if let source { vpipe_source_signal(source) } }

    /// Ends the runs; one under way is finished.
    func cancel() { if let source { vpipe_source_cancel(source) } }
}
