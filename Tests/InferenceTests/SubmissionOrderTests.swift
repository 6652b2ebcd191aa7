// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing

@testable import Inference

@Suite struct SubmissionOrderTests {
    @Test func `later completions wait for the oldest`() {
        var order = SubmissionOrder(capacity: 3)
        order.submit(7)
        order.submit(3)
        order.submit(5)
        #expect(order.isFull)
        #expect(order.takeNext(where: { [3, 5].contains($0) }) == nil)
        #expect(order.oldest == 7)
        #expect(order.takeNext(where: { _ in true }) == 7)
        #expect(order.takeNext(where: { $0 == 3 }) == 3)
        #expect(order.takeNext(where: { $0 == 3 }) == nil)
        #expect(order.takeNext(where: { _ in true }) == 5)
        #expect(order.isEmpty)
        #expect(order.takeNext(where: { _ in true }) == nil)
    }

    @Test(arguments: [1, 2, 3, 8]) func `any completion order comes out as it went in`(capacity: Int) {
        var generator = SeededGenerator(seed: UInt64(capacity))
        var order = SubmissionOrder(capacity: capacity)
        var running: [Int] = []
        var done: Set<Int> = []
        var expected: [Int] = []
        var taken: [Int] = []
        var next = 0
        for _ in 0..<5000 {
            switch Int.random(in: 0..<3, using: &generator) {
            case 0 where !order.isFull:
                order.submit(next)
                running.append(next)
                expected.append(next)
                next += 1
            case 1 where !running.isEmpty:
                done.insert(running.remove(at: Int.random(in: 0..<running.count, using: &generator)))
            default:
                if let slot = order.takeNext(where: { done.contains($0) }) { taken.append(slot) }
            }
            #expect(order.count == expected.count - taken.count)
        }
        #expect(taken == Array(expected.prefix(taken.count)))
        #expect(taken.count > 500)
    }
}
