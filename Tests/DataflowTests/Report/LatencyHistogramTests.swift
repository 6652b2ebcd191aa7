// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing

@testable import Dataflow

@Suite struct LatencyHistogramTests {
    @Test("buckets follow one another without gaps and hold their own middle")
    func buckets() {
        var last = -1
        for shift in 0..<40 {
            for offset in UInt64(0)..<64 {
                let value = (UInt64(1) << UInt64(shift)) + (UInt64(1) << UInt64(shift)) * offset / 64
                let bucket = LatencyHistogram.bucket(of: value)
                #expect(bucket == last || bucket == last + 1 || bucket > last && value < 64)
                #expect(bucket >= last)
                last = max(last, bucket)
            }
        }
        for bucket in 0..<LatencyHistogram.bucketCount {
            #expect(LatencyHistogram.bucket(of: LatencyHistogram.middle(ofBucket: bucket)) == bucket)
        }
        #expect(LatencyHistogram.bucket(of: .max) == LatencyHistogram.bucketCount - 1)
    }

    @Test("quantiles are within 4 % of a sorted reference", arguments: [1, 2, 3, 10, 1000, 20_000] as [Int])
    func quantiles(count: Int) {
        var random = SeededGenerator(seed: UInt64(count))
        let values = (0..<count).map { _ in
            UInt64.random(in: 0..<(UInt64(1) << UInt64.random(in: 1..<38, using: &random)), using: &random)
        }
        let histogram = LatencyHistogram()
        for value in values { histogram.record(nanoseconds: value) }
        let sorted = values.sorted()
        func reference(_ q: Double) -> Double {
            Double(sorted[max(0, Int((q * Double(count)).rounded(.up)) - 1)])
        }
        let summary = histogram.summary
        for (got, q) in [(summary.p50, 0.5), (summary.p95, 0.95), (summary.p99, 0.99)] {
            #expect(abs(Double(got) - reference(q)) <= max(1, 0.04 * reference(q)), "q \(q)")
        }
        #expect(summary.count == UInt64(count))
        #expect(summary.max == sorted.last)
        #expect(summary.mean == values.reduce(0, +) / UInt64(count))
    }

    @Test("several histograms add up and an empty one is all zero") func sums() {
        let a = LatencyHistogram()
        let b = LatencyHistogram()
        #expect(a.summary == LatencySummary(count: 0, mean: 0, p50: 0, p95: 0, p99: 0, max: 0))
        a.record(nanoseconds: 10)
        b.record(nanoseconds: 30)
        let both = LatencyHistogram.summary(of: [a, b])
        #expect(both.count == 2)
        #expect(both.mean == 20)
        #expect(both.max == 30)
    }
}
