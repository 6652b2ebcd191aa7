// SPDX-License-Identifier: Apache-2.0
internal import Dispatch
public import Media
internal import Synchronization

/// What happens to frames that nobody has asked for yet.
public enum FrameBuffering: Sendable, Hashable {
    /// Keeps the newest `count` frames; older ones are dropped and counted. The pipeline never waits.
    case newest(Int)
    /// Keeps up to `count` frames, then holds the node up until one is taken: nothing is lost, and a slow reader slows the
    /// pipeline down.
    case lossless(Int)
}

/// The frames that leave one node of a running pipeline, as an asynchronous sequence.
///
/// It ends when the run ends, when the reading task is cancelled, or with `cancel()`. One task reads it.
/// - Note: Thread-safety: the stream may be handed to any task; only one may iterate it.
public struct FrameStream: AsyncSequence, Sendable {
    /// Reads the frames one by one.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let queue: FrameQueue
        /// Ends the stream when the last iterator goes, so that a reader that stops early holds nothing up.
        private let lease: Lease

        init(_ queue: FrameQueue) {
            self.queue = queue
            lease = Lease(queue)
            queue.markRead()
        }

        /// The next frame; nil at the end.
        public mutating func next() async -> Frame? { await queue.next() }
    }

    private final class Lease: Sendable {
        let queue: FrameQueue
        init(_ queue: FrameQueue) { self.queue = queue }
        deinit { queue.close() }
    }

    /// Ends a stream that goes without ever having been read.
    private final class Owner: Sendable {
        let queue: FrameQueue
        init(_ queue: FrameQueue) { self.queue = queue }
        deinit { if !queue.hasReader { queue.close() } }
    }

    let queue: FrameQueue
    private let owner: Owner

    init(buffering: FrameBuffering) {
        queue = FrameQueue(buffering)
        owner = Owner(queue)
    }

    /// Starts reading.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(queue) }

    /// Frames dropped so far because the reader was slower than the pipeline; always 0 with `lossless`.
    public var droppedFrames: Int { queue.dropped }

    /// Ends the stream: the reader gets what is queued, and the pipeline hands over nothing more.
    public func cancel() { queue.close() }
}

/// A bounded queue from a stage to one asynchronous reader.
///
/// - Note: Thread-safety: `offer` is called by one stage at a time, `next` by one task; `close` from anywhere.
final class FrameQueue: Sendable {
    private struct State {
        var frames: [Frame] = []
        var reader: CheckedContinuation<Frame?, Never>?
        var isClosed = false
        var isReaderCancelled = false
        var dropped = 0
        var hasReader = false
        /// The stage waits for room.
        var hasBlockedStage = false
    }

    private let capacity: Int
    private let isLossless: Bool
    private let state: Mutex<State>
    private let room = DispatchSemaphore(value: 0)

    init(_ buffering: FrameBuffering) {
        switch buffering {
        case .newest(let count): (capacity, isLossless) = (Swift.max(1, count), false)
        case .lossless(let count): (capacity, isLossless) = (Swift.max(1, count), true)
        }
        var initial = State()
        initial.frames.reserveCapacity(capacity + 1)
        state = Mutex(initial)
    }

    var hasReader: Bool { state.withLock { $0.hasReader } }

    func markRead() { state.withLock { $0.hasReader = true } }

    var dropped: Int { state.withLock { $0.dropped } }

    /// Queues a frame for the reader; false once nobody reads any more.
    func offer(_ frame: Frame) -> Bool {
        while true {
            enum Outcome { case taken, wait, closed, wake(CheckedContinuation<Frame?, Never>) }
            let outcome: Outcome = state.withLock { state in
                if state.isClosed { return .closed }
                if let reader = state.reader {
                    state.reader = nil
                    return .wake(reader)
                }
                if state.frames.count >= capacity {
                    if isLossless {
                        state.hasBlockedStage = true
                        return .wait
                    }
                    state.frames.removeFirst()
                    state.dropped += 1
                }
                state.frames.append(frame)
                return .taken
            }
            switch outcome {
            case .taken: return true
            case .closed: return false
            case .wake(let reader):
                reader.resume(returning: frame)
                return true
            case .wait: room.wait()
            }
        }
    }

    /// The next frame; nil after `close` when the queue is empty, or when the task is cancelled.
    func next() async -> Frame? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                enum Outcome { case frame(Frame), end, wait }
                let (outcome, wakesStage): (Outcome, Bool) = state.withLock { state in
                    if state.isReaderCancelled { return (.end, false) }
                    if !state.frames.isEmpty {
                        let wakes = state.hasBlockedStage
                        state.hasBlockedStage = false
                        return (.frame(state.frames.removeFirst()), wakes)
                    }
                    if state.isClosed { return (.end, false) }
                    precondition(state.reader == nil, "a FrameStream is read by one task")
                    state.reader = continuation
                    return (.wait, false)
                }
                if wakesStage { room.signal() }
                switch outcome {
                case .frame(let frame): continuation.resume(returning: frame)
                case .end: continuation.resume(returning: nil)
                case .wait: break
                }
            }
        } onCancel: {
            end(cancelsReader: true)
        }
    }

    /// Takes no more frames; what is queued can still be read.
    func close() { end(cancelsReader: false) }

    private func end(cancelsReader: Bool) {
        let (reader, wakesStage) = state.withLock { state in
            let result = (state.reader, state.hasBlockedStage)
            state.isClosed = true
            state.isReaderCancelled = state.isReaderCancelled || cancelsReader
            if cancelsReader { state.frames.removeAll() }
            state.reader = nil
            state.hasBlockedStage = false
            return result
        }
        if wakesStage { room.signal() }
        reader?.resume(returning: nil)
    }
}

/// The queues of one run, which all end with it.
///
/// - Note: Thread-safety: thread-safe.
final class FrameReaders: Sendable {
    private let state = Mutex<(queues: [FrameQueue], isOver: Bool)>(([], false))

    func add(_ queue: FrameQueue) {
        let isOver = state.withLock { state in
            if !state.isOver { state.queues.append(queue) }
            return state.isOver
        }
        if isOver { queue.close() }
    }

    /// Ends all of them, and those to come.
    func close() {
        let queues = state.withLock { state in
            defer { state = ([], true) }
            return state.queues
        }
        for queue in queues { queue.close() }
    }
}
