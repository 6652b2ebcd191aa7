// SPDX-License-Identifier: Apache-2.0

/// Tells when a recorded frame is due if the first one showed at a given instant.
struct PlaybackPace {
    private let origin: UInt64
    private let first: Double

    /// The frame with timestamp `first` (seconds) is due `now` (monotonic nanoseconds).
    init(now: UInt64, first: Double) {
        origin = now
        self.first = first
    }

    /// The instant at which the frame of timestamp `pts` is due, in nanoseconds.
    func due(_ pts: Double) -> UInt64 { origin &+ UInt64(max(0, pts - first) * 1e9) }

    /// Seconds until the frame of timestamp `pts` is due; nil once it is.
    func wait(now: UInt64, for pts: Double) -> Double? {
        let elapsed = Double(now &- origin) / 1e9
        let left = pts - first - elapsed
        return left > 0 ? left : nil
    }
}
