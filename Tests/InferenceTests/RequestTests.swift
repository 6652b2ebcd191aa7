// SPDX-License-Identifier: Apache-2.0
import Foundation
import Inference
import Networks
import Synchronization
import TestSupport
import Testing

@Suite("Requests in flight", .timeLimit(.minutes(15)))
struct RequestTests {
    let model: CompiledModel

    init() throws {
        model = try OpenVINOEngine.shared()
            .compile(TestModels.face(seed: 20), options: TestModels.options(.throughput, cores: 2))
    }

    /// What each seed gives when run alone.
    private func reference(count: Int) throws -> [[Float]] {
        let request = try model.makeRequest()
        return try (0..<count).map { seed in
            TestModels.fill(request, seed: UInt64(seed))
            try request.run()
            return TestModels.outputs(of: request)
        }
    }

    @Test("Several in flight give what one after the other gives, in the order of submission", arguments: [1, 2, 3, 5])
    func order(slots: Int) throws {
        let count = 24
        let expected = try reference(count: count)
        let pool = try RequestPool(model: model, count: slots)
        let wakes = Counter()
        try pool.onCompletion { wakes.value.add(1, ordering: .relaxed) }
        var seedOf = [Int](repeating: -1, count: slots)
        var results: [[Float]] = []
        var seeds: [Int] = []
        var next = 0
        var most = 0
        while results.count < count {
            while next < count, let slot = pool.acquire() {
                TestModels.fill(slot.request, seed: UInt64(next))
                seedOf[slot.index] = next
                try pool.submit(slot)
                next += 1
            }
            most = max(most, pool.inFlight)
            // Alternately by asking and by waiting: both must keep the order.
            let polled = results.count % 2 == 0 ? pool.nextCompleted() : pool.waitForNext()
            guard let (slot, failure) = polled else { continue }
            #expect(failure == nil)
            seeds.append(seedOf[slot.index])
            results.append(TestModels.outputs(of: slot.request))
            pool.release(slot)
        }
        #expect(seeds == Array(0..<count))
        #expect(results == expected)
        #expect(most == slots)
        #expect(wakes.value.load(ordering: .relaxed) == count)
        #expect(pool.inFlight == 0 && pool.nextCompleted() == nil && pool.waitForNext() == nil)
    }

    @Test("A request is done only after it ran, and tells who asked")
    func completion() throws {
        let request = try model.makeRequest()
        let told = DispatchSemaphore(value: 0)
        try request.onCompletion { told.signal() }
        for seed in 0..<10 {
            TestModels.fill(request, seed: UInt64(seed))
            try request.start()
            told.wait()
            #expect(request.isDone)
            try request.finish()
            #expect(request.isDone)
        }
        // Finishing what was not started again returns at once.
        try request.finish()
    }

    @Test("A running request that is started again says so, and its first inference still ends well")
    func startedTwice() throws {
        let request = try model.makeRequest()
        TestModels.fill(request, seed: 1)
        var refused = false
        try request.start()
        // The second start is refused only while the first runs; when that was quicker, it is simply another run.
        do { try request.start() } catch {
            refused = true
            #expect(error.code == .inferenceFailed)
        }
        try request.finish()
        let outputs = TestModels.outputs(of: request)
        try request.run()
        #expect(outputs == TestModels.outputs(of: request), "refused: \(refused)")
    }

    @Test("Requests and pools let go in the middle of an inference")
    func droppedInFlight() throws {
        let told = Counter()
        for seed in 0..<20 {
            let request = try model.makeRequest()
            try request.onCompletion { told.value.add(1, ordering: .relaxed) }
            TestModels.fill(request, seed: UInt64(seed))
            try request.start()
        }
        // The last of a request waits for its inference, so every completion came.
        #expect(told.value.load(ordering: .relaxed) == 20)
        for _ in 0..<5 {
            let pool = try RequestPool(model: model, count: 3)
            while let slot = pool.acquire() { try pool.submit(slot) }
            #expect(pool.inFlight == 3)
        }
    }

    @Test("A pool of its own accord has one request more than the engine keeps busy")
    func defaultCount() throws {
        let pool = try RequestPool(model: model)
        #expect(pool.requests.count == model.settings.optimalRequests + 1)
        let bases = pool.requests.flatMap { ($0.inputs + $0.outputs).map(\.base) }
        #expect(Set(bases).count == bases.count)
    }

    @Test("Slots come back in the order of submission however they complete", arguments: 0..<8)
    func submissionOrder(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let capacity = Int.random(in: 1...7, using: &random)
        var order = SubmissionOrder(capacity: capacity)
        var free = Array(0..<capacity)
        var submitted: [Int] = []
        var taken: [Int] = []
        var done: Set<Int> = []
        for _ in 0..<300 {
            if Bool.random(using: &random), let slot = free.randomElement(using: &random) {
                free.removeAll { $0 == slot }
                order.submit(slot)
                submitted.append(slot)
            } else if let slot = (0..<capacity).filter({ !free.contains($0) }).randomElement(using: &random) {
                done.insert(slot)
            }
            #expect(order.isFull == free.isEmpty && order.isEmpty == (free.count == capacity))
            while let slot = order.takeNext(where: { done.contains($0) }) {
                done.remove(slot)
                free.append(slot)
                taken.append(slot)
            }
        }
        #expect(taken == Array(submitted.prefix(taken.count)))
        #expect(submitted.count - taken.count == order.count)
    }
}

/// A count that threads of the engine may raise.
final class Counter: Sendable {
    let value = Atomic<Int>(0)
}
