// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing

@testable import Media

@Suite struct `Timestamps` {
    private static func run(_ guesses: [Int64?], origin: Int64 = 0) -> (times: [Int64], repaired: Int, breaks: Int) {
        var repair = TimestampRepair(ticksPerSecond: 1000, nominalDuration: 40, origin: origin)
        return (guesses.map { repair.next($0, duration: 0).pts }, repair.repaired, repair.breaks)
    }

    @Test func `start at the origin and stay as they are`() {
        let result = Self.run([10_000, 10_040, 10_100], origin: 10_000)
        #expect(result.times == [0, 40, 100] && result.repaired == 0 && result.breaks == 0)
    }

    @Test func `that are missing follow the frame before`() {
        let result = Self.run([nil, nil, 80, nil])
        #expect(result.times == [0, 40, 80, 120] && result.repaired == 3)
    }

    @Test func `that step back a little are moved one tick on`() {
        let result = Self.run([0, 40, 40, 30, 80])
        #expect(result.times == [0, 40, 41, 42, 80] && result.repaired == 2 && result.breaks == 0)
    }

    @Test func `that start over are a new time line`() {
        let result = Self.run([50_000, 50_040, 0, 40, 80])
        #expect(result.times == [50_000, 50_040, 50_080, 50_120, 50_160] && result.repaired == 0 && result.breaks == 1)
    }

    /// Recordings of a second, each from zero, appended to one another: a step back by no more than they last.
    @Test func `that step back with the decoding time are a new time line, however short the old one was`() {
        var repair = TimestampRepair(ticksPerSecond: 1000, nominalDuration: 40, origin: 0)
        var times: [Int64] = []
        for _ in 0..<3 {
            for step in 0..<5 { times.append(repair.next(Int64(step) * 40, duration: 40).pts) }
            repair.expectBreak()
        }
        #expect(times == (0..<15).map { $0 * 40 })
        #expect(repair.breaks == 2 && repair.repaired == 0)
    }

    @Test func `of a loop go on`() {
        var repair = TimestampRepair(ticksPerSecond: 1000, nominalDuration: 40, origin: 100)
        _ = repair.next(100, duration: 33)
        _ = repair.next(133, duration: 33)
        repair.startRound()
        #expect(repair.next(100, duration: 33).pts == 66)
        #expect(repair.next(133, duration: 33).pts == 99)
        #expect(repair.repaired == 0)
    }

    @Test func `of any value never trap and always increase`() {
        var random = SeededGenerator(seed: 3)
        var repair = TimestampRepair(ticksPerSecond: 90_000, nominalDuration: 3000, origin: -1 << 60)
        var last = Int64.min
        for _ in 0..<10_000 {
            let guess = Int64(bitPattern: random.next()) >> Int64(random.next() % 63)
            let time = repair.next(guess.isTime ? guess : nil, duration: Int64(bitPattern: random.next()))
            #expect(time.pts > last && time.duration > 0)
            last = time.pts
            if random.next() % 16 == 0 { repair.startRound() }
        }
    }

    @Test func `close a jump ahead where the format may break its time line`() {
        var repair = TimestampRepair(ticksPerSecond: 1000, nominalDuration: 40, origin: 0)
        let times = [0, 40, 90_000, 90_040, 99_000].map { repair.next($0, duration: 0, longestGap: 10_000).pts }
        #expect(times == [0, 40, 80, 120, 9080])
        #expect(repair.breaks == 1 && repair.jumps == 1 && repair.wraps == 0 && repair.repaired == 0)
    }

    @Test func `go on where a counter of 33 bits starts over`() {
        let wrap: Int64 = 1 << 33
        var repair = TimestampRepair(ticksPerSecond: 90_000, nominalDuration: 3600, origin: wrap - 7200, bits: 33)
        // The gap of the third frame is its own, and stays.
        let times = [wrap - 7200, wrap - 3600, 3600, 7200].map { repair.next($0, duration: 3600).pts }
        #expect(times == [0, 3600, 10_800, 14_400])
        #expect(repair.breaks == 1 && repair.wraps == 1 && repair.jumps == 0 && repair.repaired == 0)
    }

    @Test func `take a step back that is no wrap for a new time line`() {
        var repair = TimestampRepair(ticksPerSecond: 90_000, nominalDuration: 3600, origin: 0, bits: 33)
        let times = [0, 900_000, 0, 3600].map { repair.next($0, duration: 3600).pts }
        #expect(times == [0, 900_000, 903_600, 907_200])
        #expect(repair.breaks == 1 && repair.wraps == 0 && repair.jumps == 0)
    }
}
