// SPDX-License-Identifier: Apache-2.0
package import Basics

/// When a recording goes on in a new file.
package struct SegmentRules: Sendable, Hashable {
    /// Seconds of a file; nil sets no bound.
    package var seconds: Double?
    /// Bytes of a file, about; nil sets no bound.
    package var bytes: Int64?
    /// Whether files begin at whole multiples of `seconds` on the clock on the wall, counted from midnight.
    package var isOnTheClock = false
    /// Whose midnight.
    package var zone = TimeZoneChoice.local

    /// One file.
    package init() {}

    /// Whether there may be more than one file.
    package var isEmpty: Bool { seconds == nil && bytes == nil }
}

/// Says which frame begins a new file.
///
/// Boundaries lie on the stream's clock, at whole multiples from the first frame, so that files do not drift; or on the
/// clock on the wall. A pure value; times in seconds.
struct SegmentClock {
    let rules: SegmentRules
    private var first: Double?
    private var place: Int64?

    init(_ rules: SegmentRules) { self.rules = rules }

    /// Whether the frame at `time` of the stream, taken at `wall`, is the first of a new file.
    ///
    /// - Parameter bytes: what the present file would hold if it ended here.
    mutating func begins(at time: Double, taken wall: WallTime, bytes: Int64) -> Bool {
        let now = index(time, wall)
        guard let before = place else {
            place = now
            return false
        }
        // A clock that was set back must not cut at every frame, but a file per boundary that is crossed.
        let isDue = now != before || rules.bytes.map { bytes >= $0 } ?? false
        if isDue { place = now }
        return isDue
    }

    /// The number of the file that a frame belongs to by its time.
    private mutating func index(_ time: Double, _ wall: WallTime) -> Int64 {
        guard let seconds = rules.seconds, seconds > 0 else { return 0 }
        if rules.isOnTheClock {
            let local = wall.seconds + Double(rules.zone.offset(at: wall))
            // Days have whole numbers of files only where the length divides them: each day starts anew.
            let day = (local / 86_400).rounded(.down)
            return Int64(day) &* 1_000_000 &+ Int64(((local - day * 86_400) / seconds).rounded(.down))
        }
        let start = first ?? time
        first = start
        // A frame that is due within a microsecond is due: times of frames are rounded.
        return Int64(((time - start + 1e-6) / seconds).rounded(.down))
    }
}
