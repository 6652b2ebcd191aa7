// SPDX-License-Identifier: Apache-2.0
package import Dataflow
internal import Synchronization

/// Tells a live source whether a frame could still be finished in time, before anything is spent on it.
///
/// By Little's law a frame's transit is the number of frames under way over the throughput, so a frame that finds
/// *n* others under way is expected to take the usual transit times *(n + 1) / (usual number under way + 1)*.
/// - Note: Thread-safety: thread-safe and realtime-safe.
package final class AdmissionGate: Sendable {
    /// Frames let under way before the first was delivered.
    private static let untaught = 8

    private let limit: Double
    private let transit = Atomic<UInt64>(0)
    /// Frames usually under way, in thousandths.
    private let usual = Atomic<UInt64>(0)

    /// - Parameter latencyMilliseconds: from capture to delivery at most.
    package init(latencyMilliseconds: Double) { limit = latencyMilliseconds * 1e6 }

    /// Learns from what was delivered between two pulses; nothing delivered teaches nothing.
    package func update(from earlier: GraphPulse, to later: GraphPulse) {
        var slowest: (transit: UInt64, count: UInt64) = (0, 0)
        for (before, after) in zip(earlier.sinks, later.sinks) {
            let summary = after.latency.since(before.latency).summary
            if summary.count > 0, summary.mean > slowest.transit { slowest = (summary.mean, summary.count) }
        }
        guard slowest.count > 0, later.at > earlier.at else { return }
        update(transit: slowest.transit, throughput: Double(slowest.count) * 1e9 / Double(later.at - earlier.at))
    }

    /// What recent frames took, in nanoseconds from capture to delivery, and how many were delivered a second.
    package func update(transit nanoseconds: UInt64, throughput: Double) {
        transit.store(nanoseconds, ordering: .relaxed)
        usual.store(UInt64(max(0, throughput * Double(nanoseconds) / 1e9 * 1000)), ordering: .relaxed)
    }

    /// Whether a frame captured at `capturedAt` is likely to be in time; always when nothing is under way, so that
    /// there is something to learn from.
    ///
    /// All instants in nanoseconds of one clock.
    package func admits(capturedAt: UInt64, now: UInt64, inFlight: Int) -> Bool {
        let age = now > capturedAt ? Double(now - capturedAt) : 0
        guard inFlight > 0 else { return age < limit }
        let transit = Double(transit.load(ordering: .relaxed))
        guard transit > 0 else { return age < limit && inFlight < Self.untaught }
        let usual = Double(usual.load(ordering: .relaxed)) / 1000
        return age + transit * Double(inFlight + 1) / (usual + 1) <= limit
    }
}

extension Output {
    /// What became of a frame at the door.
    package enum Admission {
        case admitted(Ticket)
        /// It would have been late; it is in the books as refused.
        case refused
        /// Too many frames are under way: wait to be woken.
        case full
    }

    /// Lets the next frame of this source in, if the gate thinks that it can be in time.
    package func admit(capturedAt: UInt64, past gate: AdmissionGate?) -> Admission {
        let isInTime = gate?.admits(capturedAt: capturedAt, now: now, inFlight: inFlight) ?? true
        guard let ticket = admit(capturedAt: capturedAt) else { return .full }
        guard isInTime else {
            drop(ticket, cause: .refused)
            return .refused
        }
        return .admitted(ticket)
    }
}
