// SPDX-License-Identifier: Apache-2.0
import CMallocCounter
import Foundation
import Synchronization
import Testing

@testable import Dataflow

/// Time that passes only when told to.
private final class HandClock: Sendable {
    private let time = Atomic<UInt64>(1_000_000_000)
    var now: UInt64 { time.load(ordering: .sequentiallyConsistent) }
    func pass(_ nanoseconds: UInt64) { time.wrappingAdd(nanoseconds, ordering: .sequentiallyConsistent) }
}

/// A camera at 25 fps whose every frame moves the clock on, and which notes the memory in use once an hour.
private final class HourlySource: BaseNode, SourceNode {
    static let interval: UInt64 = 40_000_000
    static let hour = 90_000
    let clock: HandClock
    let total: Int
    var made = 0
    /// Resident kilobytes by the hour.
    var resident: [Int] = []

    init(hours: Int, clock: HandClock) {
        self.clock = clock
        total = hours * Self.hour
    }

    func produce(to output: Output) throws -> Production {
        if made >= total { return .ended }
        guard let ticket = output.admit(capturedAt: clock.now) else { return .waiting }
        made += 1
        if made % Self.hour == 0 { resident.append(Self.residentKilobytes) }
        // Most frames find the graph at rest; once a minute a burst of four comes at once.
        if made % 1500 >= 4 { clock.pass(made % 1500 == 4 ? 4 * Self.interval : Self.interval) }
        output.emit(Item(ticket: ticket))
        return .more
    }

    static var residentKilobytes: Int {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
        return line.split(separator: " ").compactMap { Int($0) }.first ?? 0
    }
}

// A test in a process of its own needs the Testing library of Swift 6.2.
#if compiler(>=6.2)
    @Suite(
        .timeLimit(.minutes(15)), .enabled(if: vpipe_malloc_counter_works() == 1, "a sanitizer keeps memory of its own")
    )
    struct SoakTests {
        // In a process of its own: the memory is that of the whole process.
        @Test("eight hours at 25 fps lose no count and leak no memory")
        func eightHours() async {
            await #expect(processExitsWith: .success) {
                let clock = HandClock()
                let source = HourlySource(hours: 8, clock: clock)
                var builder = GraphBuilder(name: "months", clock: .custom { clock.now })
                let camera = builder.addSource("camera", source)
                let network = builder.addNode("network", PassNode())
                let overlay = builder.addJoin("overlay", QuietJoin())
                builder.connect(camera, to: overlay)
                builder.connect(camera, to: network)
                builder.connect(network, port: 0, to: overlay, port: 1)
                builder.connect(overlay, to: builder.addNode("file", QuietSink()))
                builder.connect(camera, to: builder.addNode("view", QuietSink()), policy: .latest)
                let graph = try builder.build()
                try graph.start()
                let report = graph.waitUntilFinished()
                let book = report.source("camera")
                let hours = source.resident
                // The first hour fills pools and starts threads.
                let growth = (hours.last ?? 0) - (hours.dropFirst().first ?? 0)
                let seconds = Double(report.elapsed) / 1e9
                guard report.isBalanced, report.ledgerErrors.isEmpty, book?.admitted == 720_000,
                    book?.delivered == 720_000,
                    report.node("file")?.items == 720_000, hours.count == 8, growth < 4096, abs(seconds - 8 * 3600) < 60
                else {
                    print("admitted \(book?.admitted ?? 0), delivered \(book?.delivered ?? 0), \(report.ledgerErrors)")
                    print("resident kB by the hour \(hours), \(seconds) s")
                    fflush(nil)
                    exit(EXIT_FAILURE)
                }
            }
        }
    }
#endif
