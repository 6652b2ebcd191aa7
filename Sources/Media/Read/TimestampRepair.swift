// SPDX-License-Identifier: Apache-2.0

/// Turns a decoder's guesses into timestamps that strictly increase and start at the input's origin.
///
/// A pure state machine.
struct TimestampRepair {
    /// Ticks in a second, at least 1: a step back by more is a new time line, not a late frame.
    let ticksPerSecond: Int64
    /// Ticks a frame lasts when nobody says; at least 1.
    let nominalDuration: Int64
    /// Added to every timestamp of the input: minus the origin, plus the rounds of a loop and the breaks in time.
    private(set) var shift: Int64
    private(set) var last: Int64?
    private static let limit = Int64(1) << 61
    private(set) var lastDuration: Int64 = 0
    /// Timestamps that were missing or stepped back.
    private(set) var repaired = 0
    /// Breaks in the input's time line that were closed.
    private(set) var breaks = 0
    private var isNewRound = false

    init(ticksPerSecond: Int64, nominalDuration: Int64, origin: Int64) {
        self.ticksPerSecond = max(1, ticksPerSecond)
        self.nominalDuration = max(1, nominalDuration)
        shift = -origin
    }

    /// The next frame's time and duration, given the decoder's guess (nil: none) and duration (0: unknown).
    mutating func next(_ guess: Int64?, duration given: Int64) -> (pts: Int64, duration: Int64) {
        let duration = given > 0 && given < 1 << 40 ? given : nominalDuration
        var pts = guess.map { $0 &+ shift }
        // Breaks add up: beyond this, damaged times are no times, so that sums below cannot overflow.
        if let time = pts, !(-Self.limit...Self.limit).contains(time) { pts = nil }
        if isNewRound, let last, let raw = guess {
            // The first frame of a round comes one frame after the last of the round before.
            shift = (last &+ lastDuration) &- raw
            pts = raw &+ shift
        }
        isNewRound = false
        if let last {
            let expected = last &+ lastDuration
            if let time = pts, time > last {
                pts = time
            } else if let time = pts, last &- time > ticksPerSecond {
                shift = shift &+ (expected &- time)
                pts = expected
                breaks += 1
            } else {
                pts = pts == nil ? expected : last &+ 1
                repaired += 1
            }
        } else if pts == nil {
            repaired += 1
        }
        let result = pts ?? 0
        last = result
        lastDuration = duration
        return (result, duration)
    }

    /// Says that the input starts over.
    mutating func startRound() { isNewRound = true }
}
