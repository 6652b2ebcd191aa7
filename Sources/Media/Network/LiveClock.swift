// SPDX-License-Identifier: Apache-2.0

/// Tells when a picture of a live stream was taken, from its timestamp and the instant it arrived.
///
/// A stream's clock runs beside ours at a distance nobody knows; the least delayed picture so far comes nearest to it. How
/// much later than that another one arrives is its age: waiting somewhere on the way, it is no longer of the present. The
/// distance follows the slow drift of two clocks against each other. What comes in bursts (segments of HLS, recordings) is
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

    private let isPaced: Bool
    private let limit: Int64
    /// The instant of timestamp zero.
    private var origin: Int64?
    private var lastAt: Int64
    private var staleSince: Int64?

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
}
