// SPDX-License-Identifier: Apache-2.0
import Dataflow
import Dispatch
import Media
import Synchronization
import Testing

@testable import Pipeline

@Suite(.timeLimit(.minutes(5))) struct FrameQueueTests {
    private static let stream = StreamInfo(source: "s", frameRate: Rational(25, 1))

    private static func frame(_ sequence: UInt64) throws -> Frame {
        let base = Rational(1, 25)
        return Frame(
            ticket: Ticket(source: 0, sequence: sequence, capturedAt: 0),
            picture: try PicturePool().make(width: 16, height: 16, format: .i420, color: ColorSpec(matrix: .bt709)),
            pts: MediaTime(ticks: Int64(sequence), base: base), duration: MediaTime(ticks: 1, base: base),
            stream: stream)
    }

    @Test func `the newest frames are kept, and the others counted`() async throws {
        let queue = FrameQueue(.newest(2))
        for sequence in 0..<5 { #expect(queue.offer(try Self.frame(UInt64(sequence)))) }
        queue.close()
        #expect(await queue.next()?.ticket.sequence == 3)
        #expect(await queue.next()?.ticket.sequence == 4)
        #expect(await queue.next() == nil)
        #expect(queue.dropped == 3)
    }

    @Test func `a lossless queue holds the stage up and loses nothing`() async throws {
        let queue = FrameQueue(.lossless(2))
        let frames = try (0..<100).map { try Self.frame(UInt64($0)) }
        let offered = Atomic<Int>(0)
        DispatchQueue.global().async {
            for frame in frames where queue.offer(frame) { offered.wrappingAdd(1, ordering: .relaxed) }
            queue.close()
        }
        var seen: [UInt64] = []
        while let frame = await queue.next() {
            seen.append(frame.ticket.sequence)
            #expect(offered.load(ordering: .relaxed) <= seen.count + 2)
        }
        #expect(seen == Array(0..<100))
        #expect(queue.dropped == 0)
    }

    @Test func `a reader that goes releases the stage`() async throws {
        let queue = FrameQueue(.lossless(1))
        let frames = try (0..<3).map { try Self.frame(UInt64($0)) }
        let answers = Mutex<[Bool]>([])
        let ended = DispatchSemaphore(value: 0)
        DispatchQueue.global().async {
            for frame in frames { let taken = queue.offer(frame); answers.withLock { $0.append(taken) } }
            ended.signal()
        }
        #expect(await queue.next() != nil)
        queue.close()
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                ended.wait()
                continuation.resume()
            }
        }
        #expect(answers.withLock { $0.first } == true)
        #expect(answers.withLock { $0.last } == false)
    }

    @Test func `a cancelled task gets nil at once, and the stage is let go`() async throws {
        let queue = FrameQueue(.newest(1))
        let task = Task { await queue.next() }
        task.cancel()
        #expect(await task.value == nil)
        #expect(!queue.offer(try Self.frame(0)))
    }
}
