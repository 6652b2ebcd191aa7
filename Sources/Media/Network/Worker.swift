// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Dispatch
internal import Synchronization

/// A thread of its own for calls that block on the network, which no queue's thread may be kept with.
///
/// Thread-safe.
final class Worker: Sendable {
    private let isOver = DispatchSemaphore(value: 0)

    /// Starts a thread that runs `body` once.
    ///
    /// - Throws: `outOfMemory` where the system gives no thread.
    init(_ body: @escaping @Sendable () -> Void) throws(MediaError) {
        let isOver = isOver
        let status = SystemThread.start {
            body()
            isOver.signal()
        }
        if status != 0 { throw MediaError(errno: status, operation: "pthread_create") }
    }

    /// Waits until the body has returned.
    ///
    /// Called once.
    func join() { isOver.wait() }
}

/// Ends the waits of one thread from others.
///
/// Thread-safe.
final class Bell: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)
    private let isRung = Atomic<Bool>(false)

    /// Ends the wait under way, or the next one.
    func ring() { if !isRung.exchange(true, ordering: .acquiringAndReleasing) { semaphore.signal() } }

    /// Waits for a ring, until `instant` (monotonic nanoseconds) at most; nil waits on.
    ///
    /// May end without either.
    func wait(until instant: UInt64?) {
        if let instant {
            _ = semaphore.wait(timeout: DispatchTime(uptimeNanoseconds: instant))
        } else {
            semaphore.wait()
        }
        // An exchange, as in `ring`: a ring from before it is acquired here with all that came before it, one from after
        // it signals again.
        _ = isRung.exchange(false, ordering: .acquiringAndReleasing)
    }
}
