// SPDX-License-Identifier: Apache-2.0
import CMallocCounter
import Synchronization
import Testing

@testable import Dataflow

#if canImport(Glibc)
    import Glibc
#endif

/// Emits items made beforehand and counts the allocations of the whole process per window of frames.
private final class PreparedSource: SourceNode {
    static let window = 1000
    let items: [Item]
    var made = 0
    var marks: [Int]
    init(windows: Int) {
        items = (0..<windows * Self.window).map {
            Item(ticket: Ticket(source: 0, sequence: UInt64($0), capturedAt: 0))
        }
        marks = []
        marks.reserveCapacity(windows + 1)
    }
    func produce(to output: Output) throws -> Production {
        if made % Self.window == 0, marks.count <= made / Self.window { marks.append(Int(vpipe_malloc_count())) }
        guard made < items.count else { return .ended }
        guard output.admit(capturedAt: 0) != nil else { return .waiting }
        output.emit(items[made])
        made += 1
        return .more
    }
    /// Allocations in each window.
    var counts: [Int] { zip(marks.dropFirst(), marks).map { $0 - $1 } }
}

final class QuietJoin: JoinNode {
    func join(_ items: JoinedItems, to output: Output) throws -> Disposition {
        output.emit(items.primary)
        return .done
    }
}

final class QuietSink: Node {
    func process(_ item: Item, to output: Output) throws -> Disposition { .done }
}

/// Holds one item back.
private final class QuietDelay: Node {
    var last: Item?
    var maxHeld: Int { 2 }
    func process(_ item: Item, to output: Output) throws -> Disposition {
        if let last {
            output.emit(last)
            output.finish(last.ticket)
        }
        last = item
        return .held
    }
    func drain(to output: Output) throws -> Bool {
        if let last {
            output.emit(last)
            output.finish(last.ticket)
        }
        last = nil
        return true
    }
}

@Suite(
    .timeLimit(.minutes(15)),
    .enabled(if: vpipe_malloc_counter_works() == 1, "allocations are not counted under a sanitizer"))
struct AllocationTests {
    @Test("the counter counts") func counter() {
        let before = vpipe_malloc_count()
        let block = malloc(100)
        #expect(vpipe_malloc_count() > before)
        free(block)
    }

    #if compiler(>=6.2)
        // In a process of its own: the count is of the whole process, and other tests run beside this one.
        @Test("a frame costs no allocation in the steady state")
        func steadyState() async {
            await #expect(processExitsWith: .success) {
                // Chain, fan-out, every policy, a held item, a filter's bounds and a join, all at once.
                let source = PreparedSource(windows: 30)
                var builder = GraphBuilder(name: "quiet")
                let a = builder.addSource("source", source)
                let pass = builder.addNode("pass", PassNode())
                let delay = builder.addNode("delay", QuietDelay())
                let thin = PassNode()
                thin.keeps = { $0 % 3 == 0 }
                let filter = builder.addNode("filter", thin)
                let join = builder.addJoin("join", QuietJoin())
                builder.connect(a, to: pass, capacity: 16)
                builder.connect(pass, to: delay)
                builder.connect(pass, to: filter)
                builder.connect(delay, to: join)
                builder.connect(filter, port: 0, to: join, port: 1)
                builder.connect(join, to: builder.addNode("block", QuietSink()))
                builder.connect(pass, to: builder.addNode("latest", QuietSink()), policy: .latest)
                builder.connect(pass, to: builder.addNode("oldest", QuietSink()), policy: .dropOldest)
                builder.connect(pass, to: builder.addNode("newest", QuietSink()), policy: .dropNewest)
                let graph = try builder.build()
                try graph.start()
                let report = graph.waitUntilFinished()
                // An allocation per frame would leave no window of 1000 frames without one. On a busy machine the thread
                // pool grows in the middle of a run, which some windows see.
                let counts = source.counts.dropFirst(5).sorted()
                let quiet = counts.filter { $0 == 0 }.count
                guard report.ledgerErrors.isEmpty, counts.count == 25, quiet >= 5, (counts.last ?? 1000) < 500 else {
                    print("allocations per 1000 frames: \(counts), errors \(report.ledgerErrors)")
                    fflush(nil)
                    exit(EXIT_FAILURE)
                }
            }
        }
    #endif
}
