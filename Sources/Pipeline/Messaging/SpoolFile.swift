// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Glibc
internal import Media

/// What waits in a spool, on disk: a journal of messages put in and taken out, rewritten when most of it is past.
///
/// ```
///   record:  u32 length of the rest | u8 kind | u64 number | kind 1: i64 time, u8 retained, u32 topic length, topic, payload
/// ```
/// Numbers are little-endian. A killed process leaves a whole journal but for its last record, which is then left out.
/// Confined to its spool's lock.
final class SpoolFile: @unchecked Sendable {
    // Invariant of @unchecked Sendable: the spool's lock guards every call.

    private static let magic: [UInt8] = Array("vpipe spool 1\n".utf8)
    private static let lengthLimit = 64 << 20

    /// What waited when the file was opened, oldest first.
    private(set) var waiting: [Message] = []
    private let path: String
    private var descriptor: Int32 = -1
    private var bytes = 0
    private var live = 0
    private var sizes: [UInt64: Int] = [:]

    /// Opens the journal, or begins one.
    ///
    /// - Throws: `OutputError` where the file cannot be used, or is none of ours.
    init(_ path: String) throws {
        self.path = path
        try OutputFolder.make(for: path)
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw OutputError("\(path): \(String(cString: strerror(errno)))") }
        guard FileLock.take(descriptor) else {
            Glibc.close(descriptor)
            descriptor = -1
            throw OutputError("\(path): another run uses this spool; give each its own")
        }
        let content = readAll()
        guard content.isEmpty || content.starts(with: Self.magic) else {
            Glibc.close(descriptor)
            descriptor = -1
            throw OutputError("\(path): is no spool of messages; name another file, or remove it")
        }
        read(content)
    }

    deinit {
        guard descriptor >= 0 else { return }
        // A child between its fork and its exec still has the descriptor; the lock is not to live on there.
        flock(descriptor, LOCK_UN)
        Glibc.close(descriptor)
    }

    /// Whether most of the file is past.
    var isWasteful: Bool { bytes > 1 << 20 && bytes > 4 * live }

    func append(_ entry: MessageSpool.Entry) { write(record(of: entry)) }

    func remove(_ number: UInt64) {
        guard let size = sizes.removeValue(forKey: number) else { return }
        live -= size
        var record: [UInt8] = []
        Self.put(UInt32(9), &record)
        record.append(2)
        Self.put(number, &record)
        write(record)
    }

    /// Writes the file anew with what waits: beside it first, so that it is whole at any moment.
    func rewrite(_ entries: [MessageSpool.Entry]) throws {
        let new = path + ".new"
        let descriptor = open(new, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw OutputError("\(new): \(String(cString: strerror(errno)))") }
        guard FileLock.take(descriptor) else {
            Glibc.close(descriptor)
            throw OutputError("\(new): another run uses this spool; give each its own")
        }
        let old = self.descriptor
        self.descriptor = descriptor
        (bytes, live, sizes) = (0, 0, [:])
        write(Self.magic)
        for entry in entries { append(entry) }
        fdatasync(descriptor)
        rename(new, path)
        flock(old, LOCK_UN)
        Glibc.close(old)
    }

    private func record(of entry: MessageSpool.Entry) -> [UInt8] {
        let topic = Array(entry.message.topic.utf8)
        var record: [UInt8] = []
        record.reserveCapacity(30 + topic.count + entry.message.payload.count)
        Self.put(UInt32(1 + 8 + 8 + 1 + 4 + topic.count + entry.message.payload.count), &record)
        record.append(1)
        Self.put(entry.number, &record)
        Self.put(UInt64(bitPattern: entry.message.time.nanoseconds), &record)
        record.append(entry.message.isRetained ? 1 : 0)
        Self.put(UInt32(topic.count), &record)
        record += topic
        record += entry.message.payload
        sizes[entry.number] = record.count
        live += record.count
        return record
    }

    private static func put<Number: FixedWidthInteger>(_ number: Number, _ bytes: inout [UInt8]) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// A full disk costs the survival of what is written now, not the run.
    private func write(_ record: [UInt8]) {
        var done = 0
        while done < record.count {
            let count = record.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress.unsafelyUnwrapped + done, $0.count - done)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                // Half a record would end the journal for what comes after it.
                ftruncate(descriptor, off_t(bytes))
                lseek(descriptor, 0, SEEK_END)
                return
            }
            done += count
        }
        bytes += record.count
    }

    private func readAll() -> [UInt8] {
        var content: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return content }
            content += buffer[..<count]
        }
    }

    private func read(_ content: [UInt8]) {
        var place = Self.magic.count
        var order: [UInt64] = []
        var messages: [UInt64: Message] = [:]
        func number<Number: FixedWidthInteger>(at index: Int, _ type: Number.Type) -> Number {
            content.withUnsafeBytes { Number(littleEndian: $0.loadUnaligned(fromByteOffset: index, as: Number.self)) }
        }
        while place + 4 <= content.count {
            let length = Int(number(at: place, UInt32.self))
            let start = place + 4
            guard length >= 9, length <= Self.lengthLimit, start + length <= content.count else { break }
            let name = number(at: start + 1, UInt64.self)
            switch content[start] {
            case 1:
                guard length >= 22 else { break }
                let topicLength = Int(number(at: start + 18, UInt32.self))
                guard topicLength <= length - 22 else { break }
                let topic = start + 22..<start + 22 + topicLength
                if messages[name] == nil { order.append(name) }
                messages[name] = Message(
                    topic: String(decoding: content[topic], as: UTF8.self),
                    payload: Array(content[topic.upperBound..<start + length]), isRetained: content[start + 17] == 1,
                    time: WallTime(nanoseconds: Int64(bitPattern: number(at: start + 9, UInt64.self))))
            case 2: messages[name] = nil
            default: break
            }
            place = start + length
        }
        waiting = order.compactMap { messages[$0] }
    }
}
