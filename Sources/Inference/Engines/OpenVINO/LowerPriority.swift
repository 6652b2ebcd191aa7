// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Glibc

/// Work on a thread of lower priority, as are all threads that it makes: Linux keeps a nice value for each thread, and a
/// new one inherits it.
enum LowerPriority {
    /// Nice values below the caller's; each gives about a fifth less of a core that is fought for.
    static let step: Int32 = 2

    /// Runs `work` on such a thread and waits for it; on the caller's own where the system gives no thread.
    static func run<Value>(_ work: () -> Value) -> Value {
        let result = SystemThread.run {
            _ = nice(step)
            return work()
        }
        return result ?? work()
    }
}
