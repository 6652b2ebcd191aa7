// SPDX-License-Identifier: Apache-2.0
#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// A thread of the system's own, for work that no queue's thread may be kept with.
package enum SystemThread {
    private final class Job {
        let work: () -> Void
        init(_ work: @escaping () -> Void) { self.work = work }
    }

    /// Starts a thread that runs `work` once and ends.
    ///
    /// - Returns: 0, or the `errno` of a system that gives no thread; `work` does not run then.
    package static func start(_ work: @escaping @Sendable () -> Void) -> Int32 {
        var thread = pthread_t()
        let status = make(&thread, Job(work))
        if status == 0 { pthread_detach(thread) }
        return status
    }

    /// Runs `work` on a thread of its own and waits for it.
    ///
    /// - Returns: nil where the system gives no thread; `work` does not run then.
    package static func run<Value>(_ work: () -> Value) -> Value? {
        var result: Value?
        withoutActuallyEscaping({ result = work() }) { body in
            var thread = pthread_t()
            if make(&thread, Job(body)) == 0 { pthread_join(thread, nil) }
        }
        return result
    }

    private static func make(_ thread: inout pthread_t, _ job: Job) -> Int32 {
        let start = Unmanaged.passRetained(job)
        let status = pthread_create(
            &thread, nil,
            { opaque in
                // Retained above, released here once.
                if let opaque { Unmanaged<Job>.fromOpaque(opaque).takeRetainedValue().work() }
                return nil
            }, start.toOpaque())
        if status != 0 { start.release() }
        return status
    }
}
