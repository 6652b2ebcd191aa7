// SPDX-License-Identifier: Apache-2.0

/// Tells when a picture of a live stream was taken, from its timestamp and the instant it arrived.
///
/// A stream's clock runs beside ours at a distance nobody knows; the least delayed picture so far comes nearest to it. How
/// much later than that another one arrives is its age: waiting somewhere on the way, it is no longer of the present. The
/// distance follows the slow drift of two clocks against each other, and a sender that stood still: pictures that stay
/// equally late for half a second are not waiting anywhere, nothing fresher is on its way, and the least delayed of them is
/// the present from then on. Those that catch up keep their age. What comes in bursts (segments of HLS, recordings) is
/// paced: the first picture sets the distance, early ones have to wait. Instants are monotonic nanoseconds. A pure value.
struct LiveClock {
    /// What to do with a picture.
    enum Verdict: Equatable {
        /// Hand it on, taken at this instant.
        case present(capturedAt: UInt64)
        /// It is due at this instant.
        case early(until: UInt64)
        /// Too old: a newer one is on its way.
        case stale
    }

    /// Clocks drift apart by less than this share of the time.
    private static let drift: Int64 = 1000
    /// Nothing but old pictures for so long means that the stream's clock stood still.
    private static let patience: Int64 = 2_000_000_000
    /// Late by no more than this is the network's usual unevenness.
    private static let tolerance: Int64 = 10_000_000
    /// Late pictures that come no nearer to the present for so long are of the present.
    private static let settling: Int64 = 500_000_000

    private let isPaced: Bool
    private let limit: Int64
    /// The instant of timestamp zero.
    private var origin: Int64?
    private var lastAt: Int64
    private var staleSince: Int64?
    /// The least distance since pictures are late, and the instant at which it was last lowered by more than the tolerance.
    private var late: (least: Int64, mark: Int64, since: Int64)?

    /// - Parameters:
    ///   - origin: the instant at which timestamp zero was present at the latest; nil leaves it to the first picture.
    ///   - limit: age in nanoseconds beyond which a picture is stale.
    init(isPaced: Bool, origin: Int64?, limit: UInt64) {
        self.isPaced = isPaced
        self.limit = Int64(clamping: limit)
        self.origin = origin
        lastAt = origin ?? 0
    }

    /// Looks at a picture of timestamp `seconds` that is there at `now`.
    mutating func judge(_ seconds: Double, at now: UInt64) -> Verdict {
        let arrived = Int64(clamping: now)
        let time = Int64(max(-1e9, min(1e9, seconds)) * 1e9)
        let candidate = arrived &- time
        let before = origin ?? candidate
        if isPaced, candidate < before {
            origin = before
            return .early(until: UInt64(clamping: before &+ time))
        }
        var origin = min(before, candidate)
        if !isPaced, candidate > before {
            origin = min(candidate, before &+ max(0, arrived &- lastAt) / Self.drift)
        }
        lastAt = arrived
        if !isPaced { settle(candidate, at: arrived, &origin) }
        var age = candidate &- origin
        if age > limit {
            let since = staleSince ?? arrived
            staleSince = since
            if arrived &- since < Self.patience {
                self.origin = origin
                return .stale
            }
            origin = candidate
            age = 0
        }
        staleSince = nil
        self.origin = origin
        return .present(capturedAt: UInt64(clamping: arrived &- age))
    }

    /// Moves `origin` when pictures have been late for a while and come no nearer.
    private mutating func settle(_ candidate: Int64, at arrived: Int64, _ origin: inout Int64) {
        guard candidate &- origin > Self.tolerance else {
            late = nil
            return
        }
        guard var seen = late else {
            late = (candidate, candidate, arrived)
            return
        }
        seen.least = min(seen.least, candidate)
        if seen.least < seen.mark &- Self.tolerance { (seen.mark, seen.since) = (seen.least, arrived) }
        late = seen
        guard arrived &- seen.since >= Self.settling else { return }
        // Never beyond the picture at hand, whose age must not be below zero.
        origin = min(seen.least, candidate)
        late = nil
    }
}
