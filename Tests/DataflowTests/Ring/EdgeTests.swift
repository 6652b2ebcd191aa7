// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Dataflow

@Suite struct EdgeTests {
    @Test("a producer that waits again is woken again at half full", arguments: [1, 2, 3, 4, 7, 8])
    func halfFull(capacity: Int) {
        let producer = Wakeup()
        let edge = Edge(
            index: 0, name: "a -> b", place: 1, policy: .block, capacity: capacity, needsBounds: false,
            producer: producer, consumer: Wakeup())
        var next: UInt64 = 0
        for round in 0..<4 {
            while edge.hasRoom {
                let item = Item(ticket: Ticket(source: 0, sequence: next, capturedAt: 0))
                _ = edge.push(.passRetained(item), sequence: next, now: 0, lazily: false)
                next += 1
            }
            producer.park()
            #expect(!edge.waitForRoom())
            while edge.ring.count > capacity / 2 {
                #expect(!producer.isAwake, "round \(round): woken with \(edge.ring.count) queued")
                edge.pop()?.item.release()
            }
            #expect(producer.isAwake, "round \(round): asleep with \(edge.ring.count) queued")
        }
    }
}
