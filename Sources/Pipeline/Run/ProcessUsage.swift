// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// What the process has used so far.
public struct ProcessUsage: Sendable {
    /// Processor time of all threads, user and system, in seconds.
    public let cpuSeconds: Double
    /// Largest resident memory, in bytes.
    public let peakBytes: Int

    /// Asks the system.
    public init() {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) * 1e-6 }
        cpuSeconds = seconds(usage.ru_utime) + seconds(usage.ru_stime)
        peakBytes = usage.ru_maxrss * 1024
    }
}
