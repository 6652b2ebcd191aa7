// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// Work on a thread of lower priority, as are all threads that it makes: Linux keeps a nice value for each thread, and a
/// new one inherits it.
enum LowerPriority {
    /// Nice values below the caller's; each gives about a fifth less of a core that is fought for.
    static let step: Int32 = 2

    private final class Job {
        let work: () -> Void
        init(_ work: @escaping () -> Void) { self.work = work }
    }

    /// Runs `work` on such a thread and waits for it; on the caller's own where the system gives no thread.
    static func run<Value>(_ work: () -> Value) -> Value {
        var result: Value?
        withoutActuallyEscaping({ result = work() }) { body in
            let job = Unmanaged.passRetained(Job(body))
            var thread = pthread_t()
            let status = pthread_create(
                &thread, nil,
                { opaque in
                    _ = nice(LowerPriority.step)
                    // Retained above, released here once.
                    if let opaque { Unmanaged<Job>.fromOpaque(opaque).takeRetainedValue().work() }
                    return nil
                }, job.toOpaque())
            if status == 0 { pthread_join(thread, nil) } else { job.takeRetainedValue().work() }
        }
        guard let result else { preconditionFailure("the work has run") }
        return result
    }
}
