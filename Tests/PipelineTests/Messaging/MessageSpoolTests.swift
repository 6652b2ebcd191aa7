// SPDX-License-Identifier: Apache-2.0
import Basics
import Dataflow
import Foundation
import Media
import Synchronization
import TestSupport
import Testing

@testable import Pipeline

@Suite struct MessageSpoolTests {
    private func message(_ number: Int, size: Int = 10, at seconds: Double = 1000, topic: String = "t") -> Message {
        let text = "\(number)".utf8
        return Message(
            topic: topic, payload: Array(text) + Array(repeating: UInt8(ascii: "x"), count: size - text.count),
            isRetained: number % 2 == 0, time: WallTime(seconds: seconds))
    }

    private func numbers(_ entries: [MessageSpool.Entry]) -> [UInt64] { entries.map(\.number) }

    private let now = WallTime(seconds: 1000)

    @Test func `messages wait in order until they are acknowledged`() throws {
        let spool = try MessageSpool(bytes: 1 << 20, age: 60)
        for number in 1...5 { spool.put(message(number)) }
        #expect(numbers(spool.waiting(after: 0, count: 3, now: now)) == [1, 2, 3])
        #expect(numbers(spool.waiting(after: 3, count: 3, now: now)) == [4, 5])
        for number in [2, 1, 4] as [UInt64] { spool.acknowledge(number) }
        spool.acknowledge(2)
        #expect(numbers(spool.waiting(after: 0, count: 9, now: now)) == [3, 5])
        #expect(!spool.markSent(3) && spool.markSent(3) && !spool.markSent(99))
        let counts = spool.counts
        #expect(counts.taken == 5 && counts.delivered == 3 && counts.waiting == 2 && counts.redelivered == 1)
        #expect(counts.bytes == 2 * message(1).size)
    }

    @Test func `the oldest give way to room and age, exactly counted`() throws {
        let size = message(1).size
        let spool = try MessageSpool(bytes: 100 * size, age: 10)
        for number in 1...10_000 { spool.put(message(number)) }
        #expect(spool.counts.overflowed == 9900 && spool.counts.waiting == 100)
        #expect(spool.counts.bytes == 100 * size)
        #expect(numbers(spool.waiting(after: 0, count: 1, now: now)) == [9901])
        for number in 1...10 { spool.put(message(number, at: 1005)) }
        // Ten seconds and a bit after the first ones.
        #expect(spool.waiting(after: 0, count: 999, now: WallTime(seconds: 1010.5)).count == 10)
        #expect(spool.counts.expired == 90 && spool.counts.overflowed == 9910)
        // One that is larger than all the room there is.
        spool.put(message(1, size: 200 * size))
        #expect(spool.counts.waiting == 0 && spool.counts.bytes == 0)
        #expect(spool.counts.taken == 10_011)
        #expect(spool.counts.overflowed + spool.counts.expired == 10_011)
    }

    @Test func `what waits survives the process, in order and marked`() throws {
        let scratch = try Scratch()
        let path = scratch.file("spool/door")
        do {
            let spool = try MessageSpool(bytes: 1 << 20, age: 60, file: path)
            for number in 1...500 { spool.put(message(number, topic: "a/b")) }
            for number in 1...497 as ClosedRange<UInt64> where number % 7 != 0 { spool.acknowledge(number) }
            // No goodbye.
        }
        let spool = try MessageSpool(bytes: 1 << 20, age: 60, file: path)
        let waiting = spool.waiting(after: 0, count: 999, now: now)
        let expected = (1...497).filter { $0 % 7 == 0 } + [498, 499, 500]
        #expect(waiting.map(\.message) == expected.map { message($0, topic: "a/b") })
        #expect(waiting.allSatisfy(\.wasSent) && spool.counts.taken == expected.count)
        #expect(throws: OutputError.self) { try MessageSpool(bytes: 1, age: 1, file: path) }
        for entry in waiting { spool.acknowledge(entry.number) }
        spool.close()
        #expect(try MessageSpool(bytes: 1 << 20, age: 60, file: path).isEmpty)
    }

    /// What waits in a file; nothing has it open afterwards.
    private func waiting(in path: String) throws -> [Message] {
        let spool = try MessageSpool(bytes: 1 << 20, age: 60, file: path)
        defer { spool.close() }
        return spool.waiting(after: 0, count: 9, now: now).map(\.message)
    }

    @Test func `a journal cut anywhere, or damaged, gives what is whole`() throws {
        let scratch = try Scratch()
        let path = scratch.file("spool")
        do {
            let spool = try MessageSpool(bytes: 1 << 20, age: 60, file: path)
            for number in 1...6 { spool.put(message(number)) }
            spool.acknowledge(2)
        }
        let whole = try Data(contentsOf: URL(fileURLWithPath: path))
        var random = SeededGenerator(seed: 4)
        for length in 14...whole.count {
            try whole.prefix(length).write(to: URL(fileURLWithPath: path))
            let payloads = try waiting(in: path)
            #expect([1, 2, 3, 4, 5, 6].map { message($0) }.filter { payloads.contains($0) } == payloads)
            var damaged = whole
            for _ in 0..<3 {
                damaged[.random(in: 14..<damaged.count, using: &random)] = .random(in: 0...255, using: &random)
            }
            try damaged.write(to: URL(fileURLWithPath: path))
            _ = try waiting(in: path)
        }
        try Data("something else".utf8).write(to: URL(fileURLWithPath: path))
        #expect(throws: OutputError.self) { try MessageSpool(bytes: 1, age: 1, file: path) }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "something else")
    }

    @Test func `the journal does not grow with what is past`() throws {
        let scratch = try Scratch()
        let path = scratch.file("spool")
        let spool = try MessageSpool(bytes: 1 << 20, age: 60, file: path)
        for number in 1...20_000 as ClosedRange<UInt64> {
            spool.put(message(Int(number), size: 200))
            if number > 10 { spool.acknowledge(number - 10) }
        }
        let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? .max
        #expect(size < 2 << 20, "\(size) bytes")
        #expect(spool.counts.waiting == 10)
    }

    /// A receiver that fails as a test says.
    private final class Scripted: MessageTransport, @unchecked Sendable {
        // Invariant of @unchecked Sendable: the courier's thread alone, but for what the lock holds.
        struct State {
            var got: [String] = []
            var opens = 0
        }
        let state = Mutex(State())
        private let refusals: Int
        private let breaks: Set<Int>
        private var last: UInt64 = 0
        private var sent = 0

        init(refusals: Int, breaksAfter breaks: Set<Int>) {
            self.refusals = refusals
            self.breaks = breaks
        }

        func open() throws {
            last = 0
            let count = state.withLock { state in
                state.opens += 1
                return state.opens
            }
            if count <= refusals { throw MessageError(fault: .refused, description: "not now") }
        }

        func turn(_ spool: MessageSpool) throws {
            for entry in spool.waiting(after: last, count: 3) {
                let isAgain = spool.markSent(entry.number)
                last = entry.number
                sent += 1
                state.withLock { $0.got.append("\(entry.number)\(isAgain ? "r" : "")") }
                // Arrived, but the acknowledgement is lost.
                if breaks.contains(sent) { throw MessageError(fault: .broken, description: "gone") }
                spool.acknowledge(entry.number)
            }
            usleep(1000)
        }

        func close(isOrderly: Bool) {}
        func wake() {}
    }

    @Test(.timeLimit(.minutes(5))) func `a courier brings all in order, over whatever happens`() throws {
        let transport = Scripted(refusals: 3, breaksAfter: [1, 5, 6, 20])
        let spool = try MessageSpool(bytes: 1 << 20, age: 1e10)
        let courier = try Courier(
            spool, over: transport, first: 1_000_000, longest: 4_000_000, seed: 1)
        for number in 1...40 { courier.send(message(number)) }
        courier.finish(within: 60)
        let got = transport.state.withLock { $0.got }
        // Each at least once, the first time in order; who comes again says so.
        #expect(got.filter { !$0.hasSuffix("r") } == (1...40).map { "\($0)" })
        #expect(got.count { $0.hasSuffix("r") } == 4)
        #expect(spool.counts.delivered == 40 && spool.counts.redelivered == 4 && spool.isEmpty)
        let book = courier.outages.book
        #expect(book.losses == [.refused: 1, .broken: 4] && book.returns == 5)
        #expect(courier.failedAttempts == [.refused: 2] && courier.connections == 5)
    }

    @Test(.timeLimit(.minutes(5))) func `a courier whose receiver never comes ends in time and says what is left`()
        throws
    {
        let transport = Scripted(refusals: .max, breaksAfter: [])
        let spool = try MessageSpool(bytes: 1 << 20, age: 1e10)
        let courier = try Courier(
            spool, over: transport, first: 1_000_000, longest: 60_000_000_000, seed: 1)
        for number in 1...5 { courier.send(message(number)) }
        courier.finish(within: 0.05)
        #expect(spool.counts.waiting == 5 && spool.counts.delivered == 0)
    }
}
