// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// Durations in fixed log-linear buckets: constant memory, no allocation, about 3 % relative error.
///
/// Values below 16 ns have a bucket each; above, every power of two is cut into 16 equal buckets, up to 2^40 ns
/// (18 minutes), where the last bucket takes the rest. Maximum and mean are exact.
/// - Note: Thread-safety: one writer at a time (the stage that owns it); any thread may read a summary, which then is
///   at most a few records behind.
public final class LatencyHistogram: @unchecked Sendable {
    // Invariant of @unchecked Sendable: all state is atomic words; the single writer needs no read-modify-write.

    static let subBits = 4
    static let topBit = 40
    static let bucketCount = (topBit - subBits + 1) << subBits

    private let buckets: UnsafeMutablePointer<Atomic<UInt64>>
    private let total = Atomic<UInt64>(0)
    private let sum = Atomic<UInt64>(0)
    private let largest = Atomic<UInt64>(0)

    /// Makes an empty histogram (about 4.6 KB).
    public init() {
        buckets = .allocate(capacity: Self.bucketCount)
        for i in 0..<Self.bucketCount { (buckets + i).initialize(to: Atomic(0)) }
    }

    deinit {
        buckets.deinitialize(count: Self.bucketCount)
        buckets.deallocate()
    }

    /// Counts one duration.
    ///
    /// Call it from the owning stage only.
    ///
    /// - Note: Thread-safety: realtime-safe, single writer.
    @inline(__always)
    public func record(nanoseconds value: UInt64) {
        // Relaxed throughout: one writer, and readers accept a slightly old picture.
        Self.bump(buckets[Self.bucket(of: value)], by: 1)
        Self.bump(total, by: 1)
        Self.bump(sum, by: value)
        if value > largest.load(ordering: .relaxed) { largest.store(value, ordering: .relaxed) }
    }

    @inline(__always)
    private static func bump(_ word: borrowing Atomic<UInt64>, by amount: UInt64) {
        word.store(word.load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    }

    /// How many durations were recorded.
    public var count: UInt64 { total.load(ordering: .relaxed) }

    /// The figures of everything recorded so far.
    public var summary: LatencySummary { Self.summary(of: [self]) }

    /// The figures of several histograms taken together.
    public static func summary(of histograms: [LatencyHistogram]) -> LatencySummary {
        var counts = LatencyCounts()
        for histogram in histograms { histogram.add(to: &counts) }
        let largest = histograms.map { $0.largest.load(ordering: .relaxed) }.max() ?? 0
        return counts.summary(largest: largest)
    }

    /// Everything recorded so far, for taking differences.
    public var counts: LatencyCounts {
        var counts = LatencyCounts()
        add(to: &counts)
        return counts
    }

    /// Everything recorded so far, and its figures: of the same instant.
    var reading: (counts: LatencyCounts, summary: LatencySummary) {
        let counts = counts
        return (counts, counts.summary(largest: largest.load(ordering: .relaxed)))
    }

    private func add(to counts: inout LatencyCounts) {
        for i in 0..<Self.bucketCount { counts.buckets[i] &+= buckets[i].load(ordering: .relaxed) }
        counts.sum &+= sum.load(ordering: .relaxed)
    }

    /// The bucket a value falls into.
    @inline(__always)
    static func bucket(of value: UInt64) -> Int {
        if value < 1 << subBits { return Int(truncatingIfNeeded: value) }
        let top = 63 - value.leadingZeroBitCount
        if top >= topBit { return bucketCount - 1 }
        let shift = top - subBits
        return (shift &+ 1) << subBits &+ Int(truncatingIfNeeded: (value >> UInt64(shift)) & 15)
    }

    /// The value a bucket stands for.
    static func middle(ofBucket index: Int) -> UInt64 {
        if index < 1 << subBits { return UInt64(index) }
        let shift = UInt64(index >> subBits) - 1
        let low = UInt64(16 + (index & 15)) << shift
        return low + (UInt64(1) << shift) / 2
    }
}

/// Durations in nanoseconds: how many, the mean, three quantiles and the largest.
public struct LatencySummary: Sendable, Hashable {
    /// How many durations the figures rest on.
    public var count: UInt64
    /// The arithmetic mean, in nanoseconds.
    public var mean: UInt64
    /// The median, in nanoseconds, within 4 %.
    public var p50: UInt64
    /// The 95th percentile, in nanoseconds, within 4 %.
    public var p95: UInt64
    /// The 99th percentile, in nanoseconds, within 4 %.
    public var p99: UInt64
    /// The largest duration, in nanoseconds, exact.
    public var max: UInt64
}
