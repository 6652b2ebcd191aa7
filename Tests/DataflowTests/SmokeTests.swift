// SPDX-License-Identifier: Apache-2.0
import Dataflow
import Testing

final class Counter: SourceNode {
    let total: Int
    var made = 0
    init(_ total: Int) { self.total = total }
    func produce(to output: Output) throws -> Production {
        guard made < total else { return .ended }
        guard let ticket = output.admit() else { return .waiting }
        output.emit(Item(ticket: ticket))
        made += 1
        return .more
    }
}

final class Sink: Node {
    var seen: [UInt64] = []
    func process(_ item: Item, to output: Output) throws -> Disposition {
        seen.append(item.ticket.sequence)
        return .done
    }
}

final class Pass: Node {
    func process(_ item: Item, to output: Output) throws -> Disposition {
        output.forward()
        return .done
    }
}

@Suite struct SmokeTests {
    @Test(.timeLimit(.minutes(1))) func `a chain delivers every frame in order`() throws {
        var builder = GraphBuilder(name: "smoke")
        let sink = Sink()
        let a = builder.addSource("source", Counter(10_000))
        let b = builder.addNode("pass", Pass())
        let c = builder.addNode("sink", sink)
        builder.connect(a, to: b)
        builder.connect(b, to: c)
        let graph = try builder.build()
        try graph.start()
        let report = graph.waitUntilFinished()
        #expect(sink.seen == Array(0..<10_000))
        #expect(report.source("source")?.delivered == 10_000)
        #expect(report.ledgerErrors == [])
    }
}
