// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Synchronization

/// A message on its way to a broker or server.
struct Message: Sendable, Hashable {
    /// Where it goes: a topic, subject or path.
    var topic: String
    var payload: [UInt8]
    /// Whether the broker keeps it for those who come later.
    var isRetained = false
    /// When it was made.
    var time: WallTime

    /// What it takes of the spool's room.
    var size: Int { payload.count + topic.utf8.count + 64 }

    /// The payload when it may have arrived before: a JSON object says so of itself, others stay as they are.
    var again: [UInt8] {
        guard payload.first == UInt8(ascii: "{"), payload.count > 2 else { return payload }
        return Array(#"{"redelivered":true,"#.utf8) + payload.dropFirst()
    }
}

/// Keeps messages until their receiver has acknowledged them: bounded in bytes and age, oldest out, in order, counted.
///
/// - Note: Thread-safety: thread-safe. A message costs a lock; with a file, a write to the page cache, too.
final class MessageSpool: Sendable {
    /// A message under its number, which rises by one for each.
    struct Entry: Sendable {
        var number: UInt64
        var message: Message
        /// Whether it may have arrived already.
        var wasSent = false
    }

    /// What became of messages.
    struct Counts: Sendable, Hashable {
        /// Put in, those that a file held from before included.
        var taken = 0
        /// Acknowledged by the receiver.
        var delivered = 0
        /// Sent more than once.
        var redelivered = 0
        /// Given up because the receiver does not take them.
        var refused = 0
        /// Given up because there was no more room.
        var overflowed = 0
        /// Given up because they were too old.
        var expired = 0
        /// Wait to be delivered.
        var waiting = 0
        /// Bytes that those take.
        var bytes = 0
    }

    private struct State {
        var entries: [Entry] = []
        /// Entries before this one are gone; the array is cut now and then.
        var first = 0
        var next: UInt64 = 1
        var counts = Counts()
        var file: SpoolFile?
    }

    private let byteLimit: Int
    private let ageLimit: Double
    private let state: Mutex<State>

    /// - Parameters:
    ///   - bytes: room for messages.
    ///   - age: seconds after which a message is of no use.
    ///   - file: keeps what waits over a restart; nil keeps it in memory alone.
    init(bytes: Int, age: Double, file: String? = nil) throws {
        byteLimit = bytes
        ageLimit = age
        var state = State()
        if let file {
            let opened = try SpoolFile(file)
            for message in opened.waiting {
                // It may have been sent just before the end.
                state.entries.append(Entry(number: state.next, message: message, wasSent: true))
                state.next += 1
                state.counts.taken += 1
                state.counts.bytes += message.size
            }
            state.counts.waiting = state.entries.count
            try opened.rewrite(state.entries)
            state.file = opened
        }
        self.state = Mutex(state)
    }

    /// Puts a message in; the oldest give way where there is no room.
    func put(_ message: Message) {
        state.withLock { state in
            let entry = Entry(number: state.next, message: message)
            state.next += 1
            state.entries.append(entry)
            state.counts.taken += 1
            state.counts.waiting += 1
            state.counts.bytes += message.size
            state.file?.append(entry)
            while state.counts.bytes > byteLimit, state.counts.waiting > 0 {
                removeFirst(&state)
                state.counts.overflowed += 1
            }
        }
    }

    /// The first messages after a number, `count` at most; what is too old by now goes first.
    func waiting(after number: UInt64, count: Int, now: WallTime = .now) -> [Entry] {
        state.withLock { state in
            while state.counts.waiting > 0,
                now.seconds - state.entries[state.first].message.time.seconds > ageLimit
            {
                removeFirst(&state)
                state.counts.expired += 1
            }
            return Array(state.entries[state.first...].lazy.filter { $0.number > number }.prefix(count))
        }
    }

    /// The receiver has a message.
    func acknowledge(_ number: UInt64) {
        state.withLock { state in
            guard let index = state.entries[state.first...].firstIndex(where: { $0.number == number }) else { return }
            state.counts.delivered += 1
            remove(at: index, &state)
        }
    }

    /// The receiver will never take a message.
    func refuse(_ number: UInt64) {
        state.withLock { state in
            guard let index = state.entries[state.first...].firstIndex(where: { $0.number == number }) else { return }
            state.counts.refused += 1
            remove(at: index, &state)
        }
    }

    /// A message is being sent; whether it may have arrived before.
    func markSent(_ number: UInt64) -> Bool {
        state.withLock { state in
            guard let index = state.entries[state.first...].firstIndex(where: { $0.number == number }) else {
                return false
            }
            if state.entries[index].wasSent { state.counts.redelivered += 1 }
            defer { state.entries[index].wasSent = true }
            return state.entries[index].wasSent
        }
    }

    /// The counts so far.
    var counts: Counts { state.withLock { $0.counts } }

    /// Whether nothing waits.
    var isEmpty: Bool { counts.waiting == 0 }

    /// Brings the file to the disk; what waits stays in it.
    func close() {
        state.withLock { state in
            try? state.file?.rewrite(Array(state.entries[state.first...]))
            state.file = nil
        }
    }

    private func removeFirst(_ state: inout State) { remove(at: state.first, &state) }

    private func remove(at index: Int, _ state: inout State) {
        let entry = state.entries[index]
        state.counts.waiting -= 1
        state.counts.bytes -= entry.message.size
        state.file?.remove(entry.number)
        if index == state.first {
            // The payload goes at once, the place when there are many of them.
            state.entries[index].message.payload = []
            state.first += 1
        } else {
            state.entries.remove(at: index)
        }
        if state.first > 256, state.first * 2 > state.entries.count {
            state.entries.removeFirst(state.first)
            state.first = 0
            if let file = state.file, file.isWasteful { try? file.rewrite(state.entries) }
        }
    }
}
