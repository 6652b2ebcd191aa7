// SPDX-License-Identifier: Apache-2.0

/// When to try again: after `first`, then twice as long each time up to `longest`, each shortened at random.
///
/// The shortening, by up to half, keeps several cameras of one hub from coming back in step. What lasted `steady` before
/// it broke begins anew; what breaks sooner goes on where it was. A pure value; instants are monotonic nanoseconds.
package struct RetrySchedule {
    /// Nanoseconds before the first attempt.
    package let first: UInt64
    /// The longest wait in nanoseconds.
    package let longest: UInt64
    /// Nanoseconds after which what works counts as working.
    package let steady: UInt64
    private var wait: UInt64
    private var workingSince: UInt64?
    private var random: UInt64

    package init(first: UInt64, longest: UInt64, steady: UInt64 = 5_000_000_000, seed: UInt64) {
        self.first = max(1, min(first, longest))
        self.longest = max(1, longest)
        self.steady = steady
        wait = self.first
        // Seeds that are close must not give numbers that are: splitmix64's constants (Steele et al., 2014).
        random = (seed &+ 0x9e37_79b9_7f4a_7c15) &* 0xbf58_476d_1ce4_e5b9 | 1
    }

    /// It works from `now` on.
    package mutating func succeeded(at now: UInt64) { workingSince = now }

    /// It broke, or an attempt failed; the instant of the next attempt.
    package mutating func failed(at now: UInt64) -> UInt64 {
        if let since = workingSince, now &- since >= steady { wait = first }
        workingSince = nil
        let span = wait
        wait = min(longest, wait.multipliedReportingOverflow(by: 2).overflow ? longest : wait &* 2)
        // xorshift64 (Marsaglia, 2003): good enough to spread attempts, and the same in every test.
        random ^= random << 13
        random ^= random >> 7
        random ^= random << 17
        return now &+ span &- random % (span / 2 &+ 1)
    }
}
