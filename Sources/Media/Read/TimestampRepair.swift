// SPDX-License-Identifier: Apache-2.0

/// Turns a decoder's guesses into timestamps that strictly increase and start at the input's origin.
///
/// A pure state machine.
struct TimestampRepair {
    /// Ticks in a second, at least 1: a step back by more is a new time line, not a late frame.
    let ticksPerSecond: Int64
    /// Ticks a frame lasts when nobody says; at least 1.
    let nominalDuration: Int64
    /// Ticks after which the input's counter starts over at zero; nil where it never does.
    let wrap: Int64?
    /// Added to every timestamp of the input: minus the origin, plus the rounds of a loop and the breaks in time.
    private(set) var shift: Int64
    private(set) var last: Int64?
    private static let limit = Int64(1) << 61
    private(set) var lastDuration: Int64 = 0
    /// Timestamps that were missing or stepped back.
    private(set) var repaired = 0
    /// Breaks in the input's time line that were closed: steps back, jumps and wraps.
    private(set) var breaks = 0
    /// Jumps ahead among the breaks.
    private(set) var jumps = 0
    /// Counters that started over among the breaks.
    private(set) var wraps = 0
    /// Whether the input's decoding times have stepped back, which a time line does only at its end: the next frame that
    /// steps back begins another one.
    private(set) var isBreakDue = false
    /// Frames since then.
    private var framesSinceStep = 0
    /// Frames after which a break that was due is no longer expected: more than a decoder holds back.
    private static let patience = 64
    /// Whether the next frame is the first of a round, so that the round's shift is not known yet.
    private(set) var isNewRound = false

    /// - Parameter bits: width of the input's counter; 0 where it is not known.
    init(ticksPerSecond: Int64, nominalDuration: Int64, origin: Int64, bits: Int32 = 0) {
        self.ticksPerSecond = max(1, ticksPerSecond)
        self.nominalDuration = max(1, nominalDuration)
        wrap = (24...48).contains(bits) ? 1 << Int64(bits) : nil
        shift = -origin
    }

    /// The next frame's time and duration, given the decoder's guess (nil: none) and duration (0: unknown).
    ///
    /// A frame that comes more than `longestGap` ticks after the one before starts a new time line.
    mutating func next(_ guess: Int64?, duration given: Int64, longestGap: Int64 = limit) -> (
        pts: Int64, duration: Int64
    ) {
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
            if let time = pts, time > last, time &- last <= longestGap {
                pts = time
            } else if let time = pts, time > last || isBreakDue || last &- time > ticksPerSecond {
                isBreakDue = false
                pts = close(time, last: last, expected: expected)
            } else {
                pts = pts == nil ? expected : last &+ 1
                repaired += 1
            }
        } else if pts == nil {
            repaired += 1
        }
        framesSinceStep += 1
        if framesSinceStep > Self.patience { isBreakDue = false }
        let result = pts ?? 0
        last = result
        lastDuration = duration
        return (result, duration)
    }

    /// Joins a new time line, which begins at `time`, to the old one.
    private mutating func close(_ time: Int64, last: Int64, expected: Int64) -> Int64 {
        breaks += 1
        if let wrap, time < last, case let unwrapped = time &+ wrap, unwrapped > last,
            unwrapped &- last < 10 &* ticksPerSecond
        {
            // The time line goes on, only its counter does not.
            wraps += 1
            shift = shift &+ wrap
            return unwrapped
        }
        if time > last { jumps += 1 }
        shift = shift &+ (expected &- time)
        return expected
    }

    /// Says that the input starts over.
    mutating func startRound() {
        isNewRound = true
        isBreakDue = false
    }

    /// Says that decoding times have stepped back.
    mutating func expectBreak() {
        isBreakDue = true
        framesSinceStep = 0
    }

    /// Moves everything to come by `ticks`.
    mutating func advance(by ticks: Int64) { shift = shift &+ ticks }
}
