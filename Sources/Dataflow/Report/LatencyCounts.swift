// SPDX-License-Identifier: Apache-2.0

/// What a latency histogram held at one instant; two of them give the figures of the time between.
public struct LatencyCounts: Sendable {
    var buckets = [UInt64](repeating: 0, count: LatencyHistogram.bucketCount)
    var sum: UInt64 = 0

    /// Nothing recorded.
    public init() {}

    /// How many durations were recorded.
    public var count: UInt64 { buckets.reduce(0, &+) }

    /// The sum of all durations, in nanoseconds.
    public var total: UInt64 { sum }

    /// How many durations were shorter than two to the power of `exponent` nanoseconds, which is where a bucket begins.
    ///
    /// - Precondition: `exponent` is 4...39.
    public func count(belowPowerOfTwo exponent: Int) -> UInt64 {
        precondition((LatencyHistogram.subBits..<LatencyHistogram.topBit).contains(exponent), "no bucket begins there")
        return buckets[..<LatencyHistogram.bucket(of: 1 << UInt64(exponent))].reduce(0, &+)
    }

    /// What was recorded since `earlier`, a reading of the same histogram.
    public func since(_ earlier: LatencyCounts) -> LatencyCounts {
        var difference = LatencyCounts()
        // A writer may be between two of its words, so each difference is held to zero by itself.
        for i in buckets.indices where buckets[i] > earlier.buckets[i] {
            difference.buckets[i] = buckets[i] - earlier.buckets[i]
        }
        difference.sum = sum > earlier.sum ? sum - earlier.sum : 0
        return difference
    }

    /// What two readings recorded together.
    public func adding(_ other: LatencyCounts) -> LatencyCounts {
        var total = self
        for i in buckets.indices { total.buckets[i] &+= other.buckets[i] }
        total.sum &+= other.sum
        return total
    }

    /// The figures; quantiles and maximum within 4 %.
    public var summary: LatencySummary { summary(largest: nil) }

    /// The figures, with the exact largest duration where it is known.
    func summary(largest: UInt64?) -> LatencySummary {
        let count = count
        let last = buckets.lastIndex { $0 > 0 }.map { LatencyHistogram.middle(ofBucket: $0) } ?? 0
        let largest = largest ?? last
        func quantile(_ q: Double) -> UInt64 {
            let rank = max(1, UInt64((q * Double(count)).rounded(.up)))
            var seen: UInt64 = 0
            for (i, bucket) in buckets.enumerated() {
                seen &+= bucket
                if seen >= rank { return min(LatencyHistogram.middle(ofBucket: i), largest) }
            }
            return largest
        }
        guard count > 0 else { return LatencySummary(count: 0, mean: 0, p50: 0, p95: 0, p99: 0, max: largest) }
        return LatencySummary(
            count: count, mean: sum / count, p50: quantile(0.50), p95: quantile(0.95), p99: quantile(0.99),
            max: largest)
    }
}
