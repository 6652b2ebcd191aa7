// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import Pipeline

@Suite struct ClipPlanTests {
    private func event(_ id: String, _ phase: Event.Phase, from start: Double, to end: Double? = nil) -> Event {
        func at(_ pts: Double) -> Event.Instant { .init(wall: WallTime(nanoseconds: Int64(pts * 1e9)), pts: pts) }
        return Event(
            id: id, rule: "r", source: "s", phase: phase, now: at(end ?? start), start: at(start), end: end.map(at))
    }

    private func plan(hold: Double = 0, release: Double = 0) -> ClipPlan {
        var options = ClipPlan.Options()
        (options.before, options.after, options.hold, options.release) = (5, 3, hold, release)
        return ClipPlan(options)
    }

    @Test func `a clip is from before the start to after the end`() {
        var plan = plan(hold: 1, release: 4)
        #expect(plan.isSettled(at: 100) && plan.limit(at: 100) == -.infinity)
        plan.follow(event("a", .new, from: 20))
        #expect(plan.window?.from == 15 && plan.window?.ids == ["a"])
        // Its end is told of 4 s late at most, so that 1 s of what has come may be too much.
        #expect(plan.limit(at: 30) == 29 && !plan.isSettled(at: 1000) && plan.lastLimit == .infinity)
        plan.follow(event("a", .end, from: 20, to: 26))
        #expect(plan.limit(at: 30) == 29 && plan.lastLimit == 29)
        // One that begins at 34 could still overlap, and is told of at 35.
        #expect(!plan.isSettled(at: 35) && plan.isSettled(at: 35.01))
        plan.finish()
        #expect(plan.window == nil)
    }

    // The times of events after one from 10 to 12, whose clip ends at 15; whether they share it.
    @Test(arguments: [(11.0, true), (14.0, true), (19.9, true), (20.0, true), (20.1, false), (100.0, false)])
    func `events whose parts overlap share a clip`(start: Double, shares: Bool) {
        var plan = plan()
        plan.follow(event("a", .new, from: 10))
        #expect(!plan.isApart(event("b", .new, from: 1000)))
        plan.follow(event("a", .end, from: 10, to: 12))
        #expect(plan.isApart(event("b", .new, from: start)) == !shares)
        guard shares else { return }
        plan.follow(event("b", .new, from: start))
        plan.follow(event("b", .end, from: start, to: start + 1))
        #expect(plan.window?.from == 5 && plan.window?.ids == ["a", "b"])
        #expect(plan.limit(at: 0) == max(15, start + 4))
    }

    @Test func `twenty that overlap, and end in any order, are one`() {
        var plan = plan()
        let order = (0..<20).map { ($0 * 7) % 20 }
        for number in order { plan.follow(event("\(number)", .new, from: 50 + Double(number))) }
        for number in order.reversed() {
            #expect(!plan.isSettled(at: 10_000))
            plan.follow(event("\(number)", .update, from: 50 + Double(number)))
            plan.follow(event("\(number)", .end, from: 50 + Double(number), to: 60 + Double(number)))
        }
        #expect(plan.window?.from == 45 && plan.window?.until == 82 && plan.window?.ids.count == 20)
        #expect(plan.isSettled(at: 87.1))
    }
}
