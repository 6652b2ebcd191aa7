// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Dataflow
@testable import Pipeline

@Suite struct RunMeterTests {
    /// A report of two branches that meet: `source -> a -> join`, `source -> b -> join`, `source -> join -> end`.
    private func report(
        at seconds: Double, items: UInt64, levels: [String: Int] = [:], dropped: [String: UInt64] = [:]
    ) -> RunReport {
        let none = LatencyHistogram().summary
        let names = ["source", "a", "b", "join", "end"]
        let ends = [
            ("source", "a"), ("source", "b"), ("source", "join"), ("a", "join.1"), ("b", "join.2"), ("join", "end"),
        ]
        return RunReport(
            graph: "g", state: .running, elapsed: UInt64(seconds * 1e9),
            nodes: names.map { .init(name: $0, items: items, fps: 0, processTime: none, hasFailed: false) },
            edges: ends.map { from, to in
                let name = "\(from) -> \(to)"
                return .init(
                    name: name, policy: .block, capacity: 4, queued: levels[name] ?? 0, wait: none,
                    dropped: dropped[name] ?? 0)
            },
            sources: [
                .init(
                    name: "source", admitted: items, delivered: items, deliveredPartly: 0, dropped: 0, drops: [],
                    inFlight: 0)
            ],
            endToEnd: none, failures: [], ledgerErrors: [])
    }

    @Test(
        arguments: [
            ([:], "source"), (["source -> a": 4], "a"), (["source -> a": 4, "a -> join.1": 3], "a"),
            (["source -> join": 4, "source -> b": 4], "b"),
            (["source -> join": 4, "a -> join.1": 4, "b -> join.2": 2], "join"),
            (["source -> join": 4, "a -> join.1": 4, "b -> join.2": 2, "join -> end": 4], "end"),
            (["source -> a": 1], "source"),
        ] as [([String: Int], String)])
    func `the node that binds is the last one whose inputs are all full`(_ levels: [String: Int], _ node: String) {
        var meter = RunMeter()
        #expect(meter.observe(report(at: 1, items: 10, levels: levels)) == nil)
        #expect(meter.observe(report(at: 2, items: 35, levels: levels))?.binding == node)
    }

    @Test func `a queue of one that drops is full, however rarely it is seen so`() {
        var meter = RunMeter()
        _ = meter.observe(report(at: 1, items: 10))
        #expect(meter.observe(report(at: 2, items: 35, dropped: ["source -> b": 3]))?.binding == "b")
    }

    @Test func `rates are of the last second`() throws {
        var meter = RunMeter(reportsPerSecond: 4)
        for beat in 0...8 {
            // 10 frames a second, then 100.
            let items = beat <= 4 ? UInt64(beat) * 25 / 10 : 10 + UInt64(beat - 4) * 25
            let reading = meter.observe(report(at: Double(beat) / 4, items: items))
            if beat == 4 { #expect(reading?.fps == 10) }
            if beat == 8 { #expect(reading?.fps == 100 && reading?.nodes.allSatisfy { $0.fps == 100 } == true) }
        }
        let ends = RunMeter.ends(of: "camera.1 -> faces.2")
        #expect(ends.from == "camera" && ends.to == "faces")
    }
}
