// SPDX-License-Identifier: Apache-2.0

/// Says when a fragment is to be cut: about every `interval`, at a keyframe where one comes in time, and once at the
/// very start, so that there is something to play from then on.
///
/// A pure state machine; times in seconds.
struct FragmentClock {
    let interval: Double
    private var start: Double?
    private var hasCut = false

    init(interval: Double) { self.interval = max(0.05, interval) }

    /// Whether to cut before the video packet at `time`.
    ///
    /// `isReady`: every stream has said what the header needs.
    mutating func cutsBefore(_ time: Double, isKey: Bool, isReady: Bool) -> Bool {
        guard let start else {
            self.start = time
            return false
        }
        let elapsed = time - start
        let isDue = !hasCut ? isReady : elapsed >= interval || (isKey && elapsed >= interval / 4)
        guard isDue, hasCut || isReady else { return false }
        self.start = time
        hasCut = true
        return true
    }
}
