// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Synchronization
import TestSupport
import Testing

@testable import Dataflow

@Suite(.timeLimit(.minutes(15))) struct RingTests {
    static let cases: [(EdgePolicy, Int)] = EdgePolicy.allCases.flatMap { policy in
        [1, 2, 3, 8, 64].map { (policy, $0) }
    }

    private func item(_ n: UInt64, _ tally: Tally) -> Item {
        CountedItem(ticket: Ticket(source: 0, sequence: n, capturedAt: n), tally: tally)
    }

    @Test("one thread: what a full ring does depends on its policy", arguments: cases)
    func fullRing(policy: EdgePolicy, capacity: Int) {
        let tally = Tally()
        do {
            let ring = Ring(capacity: capacity, policy: policy)
            for n in 0..<UInt64(capacity) {
                guard case .stored = ring.push(item(n, tally), enqueuedAt: n) else {
                    Issue.record("a ring with room did not store an item")
                    return
                }
            }
            #expect(ring.count == capacity)
            let extra = UInt64(capacity)
            switch ring.push(item(extra, tally)) {
            case .stored: Issue.record("a full ring stored an item and lost none")
            case .evicted(let old):
                #expect(policy == .latest || policy == .dropOldest)
                #expect(old.ticket.sequence == 0)
            case .refused(let new):
                #expect(policy == .block || policy == .dropNewest)
                #expect(new.ticket.sequence == extra)
            }
            var first = policy == .latest || policy == .dropOldest ? UInt64(1) : 0
            while let item = ring.pop() {
                #expect(item.ticket.sequence == first)
                first += 1
                if first == UInt64(capacity) / 2 { break }  // the rest is the deinitialiser's
            }
        }
        #expect(tally.count == 0)
    }

    @Test(
        "two threads: every item comes out once, in order, or goes back to the producer",
        arguments: cases)
    func twoThreads(policy: EdgePolicy, capacity: Int) {
        let total: UInt64 = 30_000
        let tally = Tally()
        do {
            let ring = Ring(capacity: capacity, policy: policy)
            let isOver = Atomic<Bool>(false)
            let box = Mutex<[UInt64]>([])
            let group = DispatchGroup()
            DispatchQueue(label: "consumer").async(group: group) {
                var popped: [UInt64] = []
                var pause = SeededGenerator(seed: UInt64(capacity))
                while true {
                    let wasOver = isOver.load(ordering: .acquiring)
                    if let item = ring.pop() {
                        popped.append(item.ticket.sequence)
                        if pause.chance(2) { spin(500) }
                    } else if wasOver {
                        break
                    }
                }
                let result = popped
                box.withLock { $0 = result }
            }
            var dropped: [UInt64] = []
            var pause = SeededGenerator(seed: UInt64(capacity) + 99)
            for n in 0..<total {
                var next: Item? = item(n, tally)
                while let pushed = next {
                    next = nil
                    switch ring.push(pushed) {
                    case .stored: break
                    case .evicted(let old): dropped.append(old.ticket.sequence)
                    case .refused(let same):
                        if policy == .block { next = same } else { dropped.append(same.ticket.sequence) }
                    }
                }
                if pause.chance(2) { spin(500) }
            }
            isOver.store(true, ordering: .releasing)
            group.wait()
            let popped = box.withLock { $0 }
            #expect(zip(popped, popped.dropFirst()).allSatisfy { $0 < $1 })
            #expect((popped + dropped).sorted() == Array(0..<total))
            if policy == .block { #expect(dropped.isEmpty) }
            // Whoever drops the oldest always lets the newest through.
            if policy == .latest || policy == .dropOldest { #expect(popped.last == total - 1) }
        }
        #expect(tally.count == 0)
    }
}
