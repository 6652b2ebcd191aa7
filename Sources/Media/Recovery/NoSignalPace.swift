// SPDX-License-Identifier: Apache-2.0

/// Tells when the next picture that stands in for an absent source is due: once a frame interval.
///
/// Instants are monotonic nanoseconds. A pure value.
package struct NoSignalPace {
    /// When the next one is due.
    package private(set) var dueAt: UInt64

    /// The first is due at `now`.
    package init(startingAt now: UInt64) { dueAt = now }

    /// Whether one is due at `now`; if so, sets when the next will be at `rate` frames a second.
    package mutating func take(at now: UInt64, rate: Double) -> Bool {
        guard now >= dueAt else { return false }
        let interval = UInt64(1e9 / max(rate, 0.1))
        // Behind by more than a frame, a pause is not made up for.
        dueAt = dueAt &+ interval > now ? dueAt &+ interval : now &+ interval
        return true
    }
}
