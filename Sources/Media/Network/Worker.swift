// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Dataflow
internal import Dispatch
internal import Glibc
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
/// Waits count on the monotonic clock, whatever is done to the wall's, which Dispatch's semaphores follow. Thread-safe.
final class Bell: @unchecked Sendable {
    // Unchecked: the descriptors are set once, and closed when nobody is left to use them.
    private var ends: [Int32] = [-1, -1]
    private let isRung = Atomic<Bool>(false)

    init() {
        guard pipe(&ends) == 0 else { return }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
    }

    deinit { for end in ends where end >= 0 { close(end) } }

    /// Ends the wait under way, or the next one.
    func ring() {
        guard !isRung.exchange(true, ordering: .acquiringAndReleasing) else { return }
        var byte: UInt8 = 1
        _ = write(ends[1], &byte, 1)
    }

    /// Waits for a ring, until `instant` (monotonic nanoseconds) at most; nil waits on.
    ///
    /// May end without either.
    func wait(until instant: UInt64?) {
        // A process without descriptors has no pipe: its waits are short naps.
        let longest: UInt64 = ends[0] < 0 ? 5_000_000 : 3_600_000_000_000
        let now = MonotonicClock.system.now()
        let left = min(longest, instant.map { $0 > now ? $0 &- now : 0 } ?? longest)
        var watched = pollfd(fd: ends[0], events: Int16(POLLIN), revents: 0)
        if poll(&watched, 1, Int32((left &+ 999_999) / 1_000_000)) > 0 {
            var byte: UInt8 = 0
            _ = read(ends[0], &byte, 1)
        }
        // An exchange, as in `ring`: a ring from before it is acquired here with all that came before it, one from after
        // it is heard by the next wait.
        _ = isRung.exchange(false, ordering: .acquiringAndReleasing)
    }
}
