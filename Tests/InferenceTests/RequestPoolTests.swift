// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Synchronization
import Testing

@testable import Inference

@Suite(.timeLimit(.minutes(15))) struct RequestPoolTests {
    /// A model slow enough that requests overlap: 16 channels, 40 convolutions.
    static func model(streams: Int) throws -> CompiledModel {
        let channels = 16
        var weights = [Float](repeating: 0, count: channels * channels * 9)
        // Identity: every channel passes through, so the output equals a non-negative input.
        for channel in 0..<channels { weights[(channel * channels + channel) * 9 + 4] = 1 }
        let bytes = TinyONNX.convolution(
            input: [1, channels, 64, 64], channelsOut: channels, weights: weights,
            bias: [Float](repeating: 0, count: channels), repeats: 40)
        return try OpenVINOEngine.shared().compile(
            ModelSource(name: "identity", onnx: bytes),
            options: CompileOptions(.throughput, cores: streams, precision: .f32, cache: .off))
    }

    @Test func `asynchronous inferences come back in submission order with their own results`() throws {
        let pool = try RequestPool(model: Self.model(streams: 2), count: 3)
        let woken = DispatchSemaphore(value: 0)
        let completions = Atomic<Int>(0)
        try pool.onCompletion {
            completions.add(1, ordering: .relaxed)
            woken.signal()
        }
        var submitted = 0
        var received: [Int] = []
        while received.count < 40 {
            while submitted < 40, let slot = pool.acquire() {
                slot.request.inputs[0].floats.update(repeating: Float(submitted))
                try pool.submit(slot)
                submitted += 1
            }
            #expect(submitted == 40 || !pool.hasFree)
            woken.wait()
            while let (slot, failure) = pool.nextCompleted() {
                #expect(failure == nil)
                #expect(slot.request.outputs[0].floats.allSatisfy { $0 == Float(received.count) })
                received.append(Int(slot.request.outputs[0].floats[0]))
                pool.release(slot)
            }
        }
        #expect(received == Array(0..<40))
        #expect(pool.inFlight == 0)
        #expect(completions.load(ordering: .relaxed) == 40)
    }

    @Test func `waiting takes the oldest, then nothing is left`() throws {
        let pool = try RequestPool(model: Self.model(streams: 2), count: 2)
        for value in [5, 6] as [Float] {
            let slot = try #require(pool.acquire())
            slot.request.inputs[0].floats.update(repeating: value)
            try pool.submit(slot)
        }
        #expect(pool.acquire() == nil)
        #expect(pool.inFlight == 2)
        let first = try #require(pool.waitForNext())
        #expect(first.slot.request.outputs[0].floats[0] == 5)
        pool.release(first.slot)
        #expect(pool.acquire() != nil)
        #expect(try #require(pool.waitForNext()).slot.request.outputs[0].floats[0] == 6)
        #expect(pool.waitForNext() == nil)
    }

    @Test func `a pool that goes away with work in flight waits for it`() throws {
        let completions = Arc()
        for _ in 0..<5 {
            let pool = try RequestPool(model: Self.model(streams: 2), count: 4)
            try pool.onCompletion { completions.count.add(1, ordering: .relaxed) }
            while let slot = pool.acquire() { try pool.submit(slot) }
        }
        #expect(completions.count.load(ordering: .relaxed) == 20)
    }

    final class Arc: Sendable { let count = Atomic<Int>(0) }
}
