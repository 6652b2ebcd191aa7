// SPDX-License-Identifier: Apache-2.0
import Synchronization
import Testing

@testable import Dataflow

@Suite(.timeLimit(.minutes(5))) struct EmissionTapTests {
    @Test("an observer sees every item once, in order, and ends when it likes")
    func everyItem() throws {
        let tap = EmissionTap()
        let items = (0..<10).map { Item(ticket: Ticket(source: 0, sequence: $0, capturedAt: 0)) }
        let all = Mutex<[UInt64]>([])
        let some = Mutex<[UInt64]>([])
        let asked = Atomic<Int>(0)
        func show(_ item: Item) { withExtendedLifetime(item) { tap.show(.passUnretained(item), port: 0) } }
        show(items[0])
        tap.add { item, _ in
            all.withLock { $0.append(item.ticket.sequence) }
            return true
        }
        tap.add { item, _ in
            asked.wrappingAdd(1, ordering: .relaxed)
            return some.withLock { list in
                if list.count < 3 { list.append(item.ticket.sequence) }
                return list.count < 3
            }
        }
        for item in items[1...] { show(item) }
        #expect(all.withLock { $0 } == Array(1..<10))
        #expect(some.withLock { $0 } == [1, 2, 3])
        // One that has left is not asked again while another stays.
        #expect(asked.load(ordering: .relaxed) == 3)
    }
}
