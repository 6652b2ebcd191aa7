// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

@testable import Dataflow

@Suite(.timeLimit(.minutes(15))) struct TraceTests {
    @Test("the fate that a trace tells is the one in the ledger, for every frame of random graphs")
    func fates() throws {
        var frames = 0
        for seed: UInt64 in 1...150 {
            let graph = try RandomGraphTests.make(seed: seed, endless: false).graph
            try graph.start()
            let report = graph.waitUntilFinished()
            let trace = graph.trace()
            for source in report.sources {
                for sequence in 0..<source.admitted {
                    frames += 1
                    let told = trace.fate(ofFrame: sequence, source: source.name)
                    let true_ = graph.fate(ofFrame: sequence, source: source.name)
                    if told == true_ { continue }
                    // Of two drops of one frame at the same moment, in two stages, the ledger knows which was first.
                    let drops = trace.events(ofFrame: sequence, source: source.name).filter { $0.kind == .dropped }
                    let isAmong = drops.contains { drop in
                        guard let cause = drop.cause else { return false }
                        let place = trace.name(of: drop.place)
                        return true_ == .dropped(at: place, cause: cause)
                            || true_ == .deliveredPartly(missedAt: place, cause: cause)
                    }
                    #expect(
                        drops.count > 1 && isAmong,
                        "seed \(seed), \(source.name) \(sequence): \(String(describing: told)), \(String(describing: true_))"
                    )
                }
            }
        }
        #expect(frames > 10_000)
    }

    @Test("a full ring keeps the newest events, whole, while it is written")
    func ring() {
        let ring = TraceRing()
        let total = UInt64(TraceRing.capacity) * 40
        let isDone = Tally()
        DispatchQueue.global().async {
            for i in 0..<total {
                ring.record(.processed, at: i, source: 3, sequence: i, place: 7, wait: i << 4 & 0xFFFF)
            }
            isDone.add(1)
        }
        var looks = 0
        while isDone.count == 0 || looks == 0 {
            looks += 1
            var last: UInt64?
            for event in ring.events() {
                #expect(event.at == event.sequence && event.wait == event.sequence << 4 & 0xFFFF && event.place == 7)
                if let last, event.sequence != last + 1 { Issue.record("\(event.sequence) after \(last)") }
                last = event.sequence
            }
        }
        #expect(ring.events().last?.sequence == total - 1)
        #expect(ring.events().count >= TraceRing.capacity - 1)
    }

    private func sample(seed: UInt64) throws -> GraphTrace {
        let graph = try RandomGraphTests.make(seed: seed, endless: false).graph
        try graph.start()
        graph.waitUntilFinished()
        return graph.trace()
    }

    @Test("a written trace reads back as it was")
    func roundTrip() throws {
        for seed: UInt64 in 1...20 {
            let trace = try sample(seed: seed)
            let read = try PerfettoReader.trace(PerfettoTrace(trace).bytes)
            #expect(read.graph == trace.graph && read.sources == trace.sources)
            #expect(read.nodes.map(\.name) == trace.nodes.map(\.name))
            #expect(read.edges.map(\.name) == trace.edges.map(\.name) && read.edges.map(\.to) == trace.edges.map(\.to))
            func key(_ event: TraceEvent) -> [UInt64] {
                [
                    event.at, UInt64(event.source), event.sequence, UInt64(event.place), UInt64(event.kind.rawValue),
                    event.wait, event.duration, UInt64(event.cause?.rawValue ?? 99),
                ]
            }
            #expect(
                read.events.map(key).sorted { $0.lexicographicallyPrecedes($1) }
                    == trace.events.map(key).sorted { $0.lexicographicallyPrecedes($1) })
        }
    }

    @Test("damaged traces are faults, never a crash")
    func damage() throws {
        let bytes = PerfettoTrace(try sample(seed: 3)).bytes
        var random = SeededGenerator(seed: 5)
        for _ in 0..<300 {
            var broken = bytes
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                broken[Int.random(in: broken.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if random.chance(30) { broken.removeLast(Int.random(in: 1..<broken.count, using: &random)) }
            _ = try? PerfettoReader.trace(broken)
        }
        #expect(throws: PerfettoReader.Fault.self) { try PerfettoReader.trace([]) }
        #expect(throws: PerfettoReader.Fault.self) { try PerfettoReader.trace(Array("{\"nodes\":1}".utf8)) }
    }

    @Test(
        "Perfetto's own classes decode it: slices nest, flows end",
        .enabled(
            if: (try? Tool.run("/usr/bin/env", ["python3", "-c", "import perfetto"]))?.status == 0,
            "needs the Python package perfetto"))
    func perfetto() throws {
        let scratch = try Scratch()
        for seed: UInt64 in [2, 7, 11] {
            let path = scratch.file("\(seed).pftrace")
            try Data(PerfettoTrace(try sample(seed: seed)).bytes).write(to: URL(fileURLWithPath: path))
            let checked = try Tool.run(
                "/usr/bin/env", ["python3", packageRoot + "/Tests/DataflowTests/Trace/check-perfetto.py", path])
            #expect(checked.status == 0, "\(checked.output)")
        }
    }
}
