// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Dataflow
internal import Dispatch
internal import Media
internal import Synchronization

/// Why a broker or server is away.
enum MessageFault: String, Sendable, Hashable, CaseIterable, Error {
    /// It cannot be reached.
    case unreachable
    /// It does not want us.
    case refused
    /// The connection broke, or it fell silent.
    case broken
}

/// A fault with its sentence.
struct MessageError: Error, CustomStringConvertible {
    let fault: MessageFault
    let description: String
}

/// The connection to a broker or server, one at a time; all calls come from the courier's thread.
protocol MessageTransport: AnyObject {
    /// Connects; blocks until it is connected or cannot be.
    ///
    /// - Throws: `MessageError`.
    func open() throws
    /// Sends what waits and is not under way yet, takes what has come, and waits for more for a moment.
    ///
    /// - Throws: `MessageError` when the connection is gone.
    func turn(_ spool: MessageSpool) throws
    /// Says goodbye, or lets go of what is broken.
    func close(isOrderly: Bool)
    /// Ends the wait of `turn` soon; from any thread.
    func wake()
}

/// Brings messages from a spool to their receiver, on a thread of its own, over as many connections as it takes.
///
///     away --open--> connected --fault--> away --wait as `RetrySchedule` has it--> open ...
///
/// - Note: Thread-safety: thread-safe.
final class Courier: Sendable {
    private struct State {
        var outages = Outages<MessageFault>()
        var turns = 0
        var failedAttempts: [MessageFault: Int] = [:]
        var connections = 0
        /// When the thread has to be done, in monotonic nanoseconds; nil until the end is near.
        var endAt: UInt64?
    }

    let spool: MessageSpool
    private let transport: any MessageTransport & Sendable
    private let state = Mutex(State())
    private let bell = DispatchSemaphore(value: 0)
    private let isOver = DispatchSemaphore(value: 0)
    private let clock: MonotonicClock

    /// Starts to connect.
    ///
    /// - Parameters:
    ///   - first: nanoseconds before the first attempt to connect again.
    ///   - longest: the longest wait between attempts, in nanoseconds.
    ///   - seed: makes the waits of several couriers different.
    init(
        _ spool: MessageSpool, over transport: any MessageTransport & Sendable, first: UInt64, longest: UInt64,
        seed: UInt64, clock: MonotonicClock = .system
    ) throws {
        self.spool = spool
        self.transport = transport
        self.clock = clock
        let status = SystemThread.start { [self] in
            run(RetrySchedule(first: first, longest: longest, seed: seed))
            isOver.signal()
        }
        if status != 0 { throw OutputError("the system gives no thread to send messages from (error \(status))") }
    }

    /// Puts a message on its way.
    func send(_ message: Message) {
        spool.put(message)
        transport.wake()
    }

    /// What the peer's comings and goings are, and how often that changed.
    var outages: (turns: Int, book: Outages<MessageFault>) { state.withLock { ($0.turns, $0.outages) } }

    /// Attempts to connect that came to nothing.
    var failedAttempts: [MessageFault: Int] { state.withLock { $0.failedAttempts } }

    /// How often it was connected.
    var connections: Int { state.withLock { $0.connections } }

    /// Sends what waits, for `seconds` at most, and says goodbye.
    ///
    /// A call of the library that does not come back (a name server or host that never answers) holds up its thread alone:
    /// that is left behind, and ends when the call does.
    func finish(within seconds: Double) {
        state.withLock { $0.endAt = clock.now() &+ UInt64(max(0, seconds) * 1e9) }
        bell.signal()
        transport.wake()
        _ = isOver.wait(timeout: .now() + max(0, seconds) + Self.farewellSeconds)
        spool.close()
    }

    /// What the report says of messages to `place`.
    func notes(on place: String) -> [String] {
        let counts = spool.counts
        var notes = ["\(place): \(counts.delivered) messages delivered"]
        if counts.redelivered > 0 { notes.append("\(counts.redelivered) messages sent again, marked redelivered") }
        if counts.refused > 0 { notes.append("\(counts.refused) messages lost, refused by the receiver") }
        if counts.overflowed > 0 { notes.append("\(counts.overflowed) messages lost for want of room in the spool") }
        if counts.expired > 0 { notes.append("\(counts.expired) messages lost by age") }
        if counts.waiting > 0 { notes.append("\(counts.waiting) messages not delivered at the end") }
        let book = outages.book
        if let note = book.note { notes.append(note) }
        if connections == 0, book.lastLoss == nil { notes.append("never connected") }
        return notes
    }

    /// How long a goodbye may take.
    private static let farewellSeconds = 1.0

    private var remaining: UInt64? {
        state.withLock { state in state.endAt.map { $0 > clock.now() ? $0 &- clock.now() : 0 } }
    }

    /// Whether there is nothing more to do.
    private var isDone: Bool { remaining.map { $0 == 0 || spool.isEmpty } ?? false }

    private func run(_ schedule: RetrySchedule) {
        var retry = schedule
        while !isDone {
            do {
                try transport.open()
                state.withLock { state in
                    state.connections += 1
                    state.turns += 1
                    state.outages.returned(at: clock.now())
                }
                retry.succeeded(at: clock.now())
                while !isDone { try transport.turn(spool) }
                transport.close(isOrderly: true)
            } catch {
                transport.close(isOrderly: false)
                pause(until: retry.failed(at: clock.now()), after: error)
            }
        }
    }

    private func pause(until instant: UInt64, after error: any Error) {
        let failure = error as? MessageError
        let fault = failure?.fault ?? .broken
        state.withLock { state in
            // A failed attempt is no loss, unless it is the first thing that happens.
            if state.outages.awaySince == nil {
                state.outages.lost(fault, failure?.description ?? "\(error)", at: clock.now())
                state.turns += 1
            } else {
                state.failedAttempts[fault, default: 0] += 1
            }
        }
        let now = clock.now()
        let wait = min(instant > now ? instant &- now : 0, remaining ?? .max)
        _ = bell.wait(timeout: .now() + .nanoseconds(Int(clamping: wait)))
    }
}
