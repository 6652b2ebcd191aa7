// SPDX-License-Identifier: Apache-2.0
import Dataflow
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Pipeline

@Suite struct RunEventTests {
    private static let second: UInt64 = 1_000_000_000

    @Test func `the first of a kind is told at once, a burst is one line with a count`() {
        var limiter = EventLimiter()
        limiter.offer(RunEvent(.dropped, of: "a -> b", "replaced"), at: 0)
        #expect(limiter.due(at: 0) == [RunEvent(.dropped, of: "a -> b", "replaced")])
        for step in 1...90 {
            limiter.offer(RunEvent(.dropped, of: "a -> b", "replaced"), at: UInt64(step) * 10_000_000)
        }
        #expect(limiter.due(at: Self.second - 1) == [])
        #expect(
            limiter.due(at: Self.second) == [
                RunEvent(.dropped, of: "a -> b", "replaced", count: 90, span: 0.89)
            ])
        #expect(limiter.due(at: 100 * Self.second) == [])
    }

    @Test func `kinds, nodes and causes do not hide each other`() {
        var limiter = EventLimiter()
        let events = [
            RunEvent(.lost, of: "camera", "unplugged"), RunEvent(.returned, of: "camera", "after 1.0 s"),
            RunEvent(.dropped, of: "camera", "refused"), RunEvent(.dropped, of: "camera", "corrupt"),
            RunEvent(.lost, of: "other", "unplugged"),
        ]
        for event in events { limiter.offer(event, at: 5) }
        #expect(limiter.due(at: 5) == events)
    }

    @Test func `what goes on for hours is told ever less often, and nothing is lost from the count`() {
        var limiter = EventLimiter()
        var told: [(at: UInt64, count: UInt64)] = []
        // Ten an eventful second for a day, looked at four times a second.
        let quarters: UInt64 = 24 * 3600 * 4
        for quarter in 0..<quarters {
            let now = quarter * Self.second / 4
            limiter.offer(RunEvent(.flawed, of: "camera", "x", count: 5), at: now)
            told += limiter.due(at: now).map { (now, $0.count) }
        }
        // 1, 2, 4 ... 512 seconds, then every ten minutes.
        #expect(told.count > 100 && told.count < 160)
        let gaps = zip(told.dropFirst(), told).map { $0.at - $1.at }
        #expect(zip(gaps.dropFirst(), gaps).allSatisfy { $0 >= $1 })
        #expect(gaps.last == EventLimiter.pauses.longest)
        let rest = limiter.due(at: .max).reduce(0) { $0 + $1.count }
        #expect(told.reduce(0) { $0 + $1.count } + rest == quarters * 5)
    }

    @Test func `after a long silence it is told at once again`() {
        var limiter = EventLimiter()
        for round in 0..<5 {
            let at = UInt64(round) * 60 * Self.second
            limiter.offer(RunEvent(.lost, of: "camera", "round \(round)"), at: at)
            #expect(limiter.due(at: at) == [RunEvent(.lost, of: "camera", "round \(round)")])
        }
    }

    @Test func `a camera that comes and goes is told with a count`() {
        var limiter = EventLimiter()
        var lines = 0
        var count: UInt64 = 0
        for step in 0..<400 {
            let now = UInt64(step) * Self.second / 4
            limiter.offer(RunEvent(step % 2 == 0 ? .lost : .returned, of: "camera", "flaps"), at: now)
            for event in limiter.due(at: now) {
                lines += 1
                count += event.count
            }
        }
        #expect(lines < 20 && count > 200)
    }

    @Test(.timeLimit(.minutes(15))) func `frames that are lost and nodes that fail are told while the run goes on`()
        throws
    {
        let scratch = try Scratch()
        let run = try PipelineRun(
            pipeline(
                """
                "bars": {"type": "testpattern", "size": "64x48", "fps": 100, "frames": 0, "realtime": true},
                "thin": {"type": "rate", "input": "bars", "fps": 50},
                "text": {"type": "jsonl", "input": "thin", "path": "/dev/full"},
                "end": {"type": "null", "input": "bars"}
                """, overrides: ["text.overwrite=true"]), options: .init(cache: .off))
        let told = Mutex<[RunEvent]>([])
        run.onEvent { event in told.withLock { $0.append(event) } }
        try run.start()
        var patience = 200
        while !told.withLock({ $0.contains { $0.kind == .failed } }), patience > 0 {
            _ = run.waitUntilFinished(seconds: 0.05)
            patience -= 1
        }
        run.stop()
        _ = run.waitUntilFinished()
        let events = told.withLock { $0 }
        #expect(events.contains { $0.kind == .failed && $0.node == "text" && $0.message.contains("the disk is full") })
        // What the rate node leaves out is wanted, and no event.
        #expect(!events.contains { $0.node == "thin" }, "\(events)")
        withExtendedLifetime(scratch) {}
    }

    @Test func `what would have to wait for the end of a pause is told at the end of the run`() {
        var limiter = EventLimiter()
        limiter.offer(RunEvent(.lost, of: "camera", "unplugged"), at: 0)
        #expect(limiter.due(at: 0).count == 1)
        limiter.offer(RunEvent(.lost, of: "camera", "unplugged"), at: 1)
        #expect(limiter.due(at: 2) == [])
        #expect(limiter.due(at: 2, isLast: true) == [RunEvent(.lost, of: "camera", "unplugged")])
        #expect(limiter.due(at: 3, isLast: true) == [])
    }

    /// Ends by itself after a few frames, within any quarter of a second.
    private func shortRun() throws -> PipelineRun {
        try PipelineRun(
            pipeline(
                """
                "bars": {"type": "testpattern", "size": "64x48", "frames": 3},
                "text": {"type": "jsonl", "input": "bars", "path": "/dev/full"},
                "end": {"type": "null", "input": "bars"}
                """, overrides: ["text.overwrite=true"]), options: .init(cache: .off))
    }

    @Test func `a failure in the last moment of a run is told before its report`() throws {
        for _ in 0..<20 {
            let run = try shortRun()
            let told = Mutex<[RunEvent]>([])
            run.onEvent { event in told.withLock { $0.append(event) } }
            try run.start()
            let report = run.waitUntilFinished()
            #expect(report.failures.map(\.node) == ["text"])
            #expect(told.withLock { $0 }.map(\.node).contains("text"), "\(told.withLock { $0 })")
            let count = told.withLock { $0.count }
            _ = run.waitUntilFinished()
            #expect(told.withLock { $0.count } == count)
        }
    }

    @Test func `a run is awaited, and its events end with it`() async throws {
        let run = try shortRun()
        let events = run.events
        async let report = run.run()
        var kinds: Set<RunEvent.Kind> = []
        for await event in events { kinds.insert(event.kind) }
        #expect(kinds.contains(.failed))
        #expect(try await report.failures.count == 1)
        var late = 0
        for await _ in run.events { late += 1 }
        #expect(late == 0)
    }

    @Test func `cancelling the task of an endless run stops it, and the report still comes`() async throws {
        let run = try PipelineRun(
            pipeline(
                """
                "bars": {"type": "testpattern", "size": "64x48", "frames": 0},
                "end": {"type": "null", "input": "bars"}
                """))
        let task = Task { try await run.run() }
        while run.snapshot().node("end")?.items ?? 0 < 10 { await Task.yield() }
        task.cancel()
        let report = try await task.value
        #expect(report.isBalanced && report.state == .finished)
        #expect(report.source("bars")?.admitted == report.node("end")?.items)
    }

    @Test func `an event is a line`() {
        let box = EventBox(now: { 7 })
        box.post(RunEvent(.lost, of: "camera", "unplugged"))
        box.post(RunEvent(.lost, of: "camera", "no such device"))
        #expect(box.take() == [RunEvent(.lost, of: "camera", "no such device", count: 2)])
        #expect(box.take() == [])
    }
}
