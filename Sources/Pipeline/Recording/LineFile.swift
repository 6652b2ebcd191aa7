// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Glibc
internal import Media
internal import Synchronization

/// A text file written line by line, or one such file after the other.
///
/// Lines are appended whole: whoever cuts the file off (logrotate's `copytruncate`) or moves it away finds no hole and no
/// half line, and a moved or deleted file is begun anew under its name within a second. A file that is found empty begins
/// with its head, whoever emptied it. Half a line that a killed process left is taken off when the file is opened. Where
/// the disk is full the file ends with its last whole line.
///
/// A file that is replaced keeps what it held until the first line comes or the end; a new one that neither came to is
/// removed with its owner, so that a failed start leaves things as they were. Confined to one queue but for `reopen`.
final class LineFile {
    /// How lines are stored.
    struct Settings {
        /// The names of the files; `-` is standard output.
        var name: FileNamePattern
        var ifExists = IfExists.fail
        /// Whether every line is handed to the system at once.
        var flushesAlways = false
        /// Whether lines are rows of a table, whose quoted fields may hold line ends (RFC 4180).
        var isTable = false
        var segments = SegmentRules()
        var retention = RetentionRules()
        /// As write(2); tests put in one that fails.
        var write: (_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int = { Glibc.write($0, $1, $2) }
    }

    /// The file being written; `-` is standard output.
    private(set) var path: String
    /// Lines handed to the system, heads not counted.
    private(set) var lines: UInt64 = 0
    /// Files begun by this run.
    private(set) var files = 1
    /// Whether nothing of this run is in the file yet: its first line may say what the file is about.
    private(set) var isFresh = true
    /// Whether all lines that were taken have been handed to the system, or given up.
    var isFlushed: Bool { buffer.isEmpty }
    /// The line that an empty file begins with; none where it is empty itself.
    var head: [UInt8] = []
    /// What the user should know.
    private(set) var warnings: [String] = []

    private let settings: Settings
    private let retention: Retention
    private var clock: SegmentClock
    private var descriptor: Int32 = -1
    private var isNew = false
    private var isUntouched = true
    private var mustEmpty = false
    private var buffer: [UInt8] = []
    /// How much of the buffer is a head, which stands at its start.
    private var headBytes = 0
    /// Whether anything was written to what is no file: a pipe, a terminal.
    private var hasBegun = false
    private var bytes: Int64 = 0
    /// Lines that were taken and could not be stored, since the owner last asked.
    private var losses = 0
    private var checkedAt: Int64 = 0
    private var second: Int64 = .min
    private let reopens = Atomic<Bool>(false)
    private var isStandardOutput: Bool { path == "-" }

    /// Opens the file, and makes its folder.
    ///
    /// - Throws: a sentence that names the file and what helps.
    init(_ settings: Settings) throws {
        self.settings = settings
        retention = Retention(settings.name, settings.retention)
        clock = SegmentClock(settings.segments)
        path = "-"
        buffer.reserveCapacity(1 << 16)
        if settings.name.text == "-" {
            descriptor = STDOUT_FILENO
            return
        }
        try begin(settings.name.path(at: .now), settings.ifExists)
        retention.sweep()
    }

    deinit { release() }

    /// Has the file opened anew before the next line, under its name.
    ///
    /// - Note: Thread-safety: thread-safe.
    func reopen() { reopens.store(true, ordering: .relaxed) }

    /// Makes ready for a line of a frame: the file may be another one from here on.
    ///
    /// - Parameters:
    ///   - time: of the frame on its stream, in seconds.
    ///   - taken: its instant of capture.
    func prepare(at time: Double, taken: WallTime) throws {
        guard !isStandardOutput, descriptor >= 0 else { return }
        let now = WallTime.now.nanoseconds
        if reopens.exchange(false, ordering: .relaxed) {
            try openAgain()
        } else if now &- checkedAt >= 1_000_000_000 || now < checkedAt {
            checkedAt = now
            if !isUnderItsName { try openAgain() }
            noteCut()
            if !settings.retention.isEmpty { retention.sweep(written: bytes) }
        }
        if !settings.segments.isEmpty, clock.begins(at: time, taken: taken, bytes: bytes + Int64(buffer.count)) {
            return try goOn(settings.name.path(at: taken), settings.ifExists == .replace ? .replace : .number)
        }
        guard settings.name.isDated, taken.nanoseconds / 1_000_000_000 != second else { return }
        second = taken.nanoseconds / 1_000_000_000
        let name = settings.name.path(at: taken)
        if name != base { try goOn(name, settings.ifExists == .fail ? .number : settings.ifExists) }
    }

    /// Begins with a line that says what the others are about, which stays the file's head.
    ///
    /// To be called while the file is fresh.
    func begin(with line: UnsafeRawBufferPointer) {
        head = Array(line)
        isFresh = false
        buffer.insert(contentsOf: head, at: 0)
        headBytes = head.count
    }

    /// Appends one whole line.
    func write(_ line: UnsafeRawBufferPointer) throws {
        isFresh = false
        buffer.append(contentsOf: line)
        if settings.flushesAlways || isStandardOutput || buffer.count >= 1 << 15 { try flush() }
    }

    /// Lines taken that turned out not to be stored, since this was last asked.
    func takeLosses() -> Int {
        defer { losses = 0 }
        return losses
    }

    /// Writes what is buffered and closes the file.
    ///
    /// Safe to call twice.
    func close() throws {
        guard descriptor >= 0 else { return }
        defer { release() }
        try flush()
    }

    /// Closes the file as it is; what is buffered is written where lines have come.
    ///
    /// Safe to call after `close`.
    func abandon() {
        if buffer.isEmpty { release() } else { try? close() }
    }

    // MARK: Files

    /// The name of the present file without a number.
    private var base = ""

    private func begin(_ name: String, _ rule: IfExists) throws {
        try OutputFolder.make(for: name)
        var number = 1
        while true {
            let candidate = FileNamePattern.numbered(name, number)
            do {
                try open(candidate, rule)
                base = name
                path = candidate
                isFresh = true
                isUntouched = true
                hasBegun = false
                checkedAt = 0
                return
            } catch let error as Taken {
                guard rule == .number, number < 1_000_000 else {
                    throw OutputError("\(candidate): \(error.message)")
                }
                number += 1
            }
        }
    }

    /// The name is another file's.
    private struct Taken: Error { let message: String }

    private func open(_ name: String, _ rule: IfExists) throws {
        func failed(_ cause: Int32) -> OutputError { OutputError("\(name): \(String(cString: strerror(cause)))") }
        var status = stat()
        if stat(name, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
            descriptor = Glibc.open(name, O_WRONLY | O_CLOEXEC)
            isNew = false
            guard descriptor >= 0 else { throw failed(errno) }
            return
        }
        var opened = Glibc.open(name, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        let isNew = opened >= 0
        if !isNew, errno == EEXIST {
            opened = Glibc.open(name, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0o666)
            if opened < 0 { opened = Glibc.open(name, O_WRONLY | O_APPEND | O_CLOEXEC) }
        }
        guard opened >= 0 else { throw failed(errno) }
        do {
            guard fstat(opened, &status) == 0 else { throw failed(errno) }
            guard FileLock.take(opened) else {
                throw Taken(
                    message: "is being written by another node or another process; give each a file of its own")
            }
            if status.st_size > 0 {
                if rule == .fail || rule == .number { throw Taken(message: "exists already; " + Self.remedy) }
                if rule == .append, heal(opened) {
                    warnings.append("\(name): half a line that a killed process left was taken off")
                }
            }
        } catch {
            Glibc.close(opened)
            throw error
        }
        mustEmpty = rule == .replace && status.st_size > 0
        bytes = mustEmpty ? 0 : Int64(status.st_size)
        descriptor = opened
        self.isNew = isNew
    }

    private static let remedy =
        "replace it with \"ifExists\": \"replace\" or --overwrite, go on behind it with \"append\", or keep both with "
        + "\"number\""

    /// Ends this file and goes on in another.
    private func goOn(_ name: String, _ rule: IfExists) throws {
        try flush()
        let old = path
        release()
        retention.add(old)
        try begin(name, rule)
        files += 1
        retention.sweep()
    }

    /// Goes on under the file's name, which leads to another file by now, or to none.
    private func openAgain() throws {
        guard isRegular else { return }
        try flush()
        let (old, wasNew) = (descriptor, isNew)
        do {
            try open(path, .append)
            Glibc.close(old)
            files += 1
            isFresh = true
        } catch {
            // The old file still takes lines, wherever it is now.
            (descriptor, isNew) = (old, wasNew)
        }
    }

    private var isRegular: Bool {
        var status = stat()
        return fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    private var isUnderItsName: Bool {
        guard isRegular else { return true }
        return FileIdentity(path: path).map { $0 == FileIdentity(descriptor: descriptor) } ?? false
    }

    /// Takes note that others cut the file; a half line that they left is taken off.
    private func noteCut() {
        var status = stat()
        guard !mustEmpty, fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            Int64(status.st_size) < bytes
        else { return }
        bytes = Int64(status.st_size)
        if bytes > 0, heal(descriptor), fstat(descriptor, &status) == 0 { bytes = Int64(status.st_size) }
    }

    /// Takes off what stands behind the last line end, unless it is a whole line that only lacks it; true where it did.
    private func heal(_ file: Int32) -> Bool {
        var status = stat()
        guard fstat(file, &status) == 0, status.st_size > 0 else { return false }
        if settings.isTable, let end = LineEnds.ofTable(file, size: Int64(status.st_size)) {
            return end < Int64(status.st_size) && ftruncate(file, off_t(end)) == 0
        }
        var tail: [UInt8] = []
        var start = Int64(status.st_size)
        while start > 0, !tail.contains(UInt8(ascii: "\n")), tail.count < 1 << 26 {
            let count = min(start, 1 << 16)
            var chunk = [UInt8](repeating: 0, count: Int(count))
            guard pread(file, &chunk, Int(count), off_t(start - count)) == Int(count) else { return false }
            start -= count
            tail = chunk + tail
        }
        guard tail.last != UInt8(ascii: "\n") else { return false }
        let rest = tail.lastIndex(of: UInt8(ascii: "\n")).map { Array(tail[($0 + 1)...]) } ?? tail
        if JSONText.isWhole(rest) {
            _ = Glibc.write(file, "\n", 1)
            return false
        }
        return ftruncate(file, off_t(Int64(status.st_size) - Int64(rest.count))) == 0
    }

    private func release() {
        guard descriptor >= 0 else { return }
        if !isStandardOutput {
            if isNew, isUntouched, isUnderItsName { unlink(path) }
            Glibc.close(descriptor)
        }
        descriptor = -1
    }

    // MARK: Bytes

    private func flush() throws {
        if mustEmpty { _ = ftruncate(descriptor, 0) }
        mustEmpty = false
        isUntouched = false
        beginWhereEmpty()
        var done = 0
        var hasTriedAgain = settings.retention.isEmpty
        defer {
            buffer.removeAll(keepingCapacity: true)
            headBytes = 0
        }
        while done < buffer.count {
            let count = buffer.withUnsafeBytes {
                settings.write(descriptor, $0.baseAddress.unsafelyUnwrapped + done, $0.count - done)
            }
            let cause = errno
            if count < 0, cause == EINTR { continue }
            guard count > 0 else {
                if cause == ENOSPC || cause == EDQUOT, !hasTriedAgain {
                    hasTriedAgain = true
                    if !retention.sweep(written: bytes).isEmpty { continue }
                }
                let stored = takeOffHalfLine(done)
                lines += UInt64(stored)
                losses += LineEnds.count(in: buffer[headBytes...], isTable: settings.isTable) - stored
                // Retention makes room later.
                if cause == ENOSPC, !settings.retention.isEmpty { return }
                let reason = cause == ENOSPC ? "the disk is full" : String(cString: strerror(cause))
                throw OutputError("\(path): \(reason)")
            }
            done += count
            bytes += Int64(count)
        }
        lines += UInt64(LineEnds.count(in: buffer[headBytes...], isTable: settings.isTable))
    }

    /// Puts the head before everything else where there is nothing in the file, whoever emptied it.
    private func beginWhereEmpty() {
        noteCut()
        defer { hasBegun = true }
        guard !head.isEmpty, headBytes == 0, isRegular ? bytes == 0 : !hasBegun else { return }
        buffer.insert(contentsOf: head, at: 0)
        headBytes = head.count
    }

    /// Cuts the file back to whole lines, `done` bytes of the buffer being in it; how many of those stay.
    private func takeOffHalfLine(_ done: Int) -> Int {
        let isHeadStored = done >= headBytes
        let (stored, end) = LineEnds.last(in: buffer[headBytes..<max(done, headBytes)], isTable: settings.isTable)
        let whole = isHeadStored ? end : 0
        guard whole < done, isRegular else { return stored }
        let size = lseek(descriptor, 0, SEEK_END)
        if size >= 0, ftruncate(descriptor, size - off_t(done - whole)) == 0 { bytes -= Int64(done - whole) }
        return stored
    }
}

/// Where lines end, in JSON lines and in tables, whose quoted fields may hold line ends themselves.
enum LineEnds {
    /// Whole lines in a text that begins with one, and where the last of them ends.
    static func last(in text: ArraySlice<UInt8>, isTable: Bool) -> (count: Int, end: Int) {
        var (count, end) = (0, text.startIndex)
        var isQuoted = false
        for (index, byte) in zip(text.indices, text) {
            if byte == 0x22 {
                isQuoted.toggle()
            } else if byte == 0x0A, !(isTable && isQuoted) {
                count += 1
                end = index + 1
            }
        }
        return (count, end)
    }

    /// Whole lines in a text that begins with one.
    static func count(in text: ArraySlice<UInt8>, isTable: Bool) -> Int { last(in: text, isTable: isTable).count }

    /// Where the last whole row of a table ends; nil where its quotes make no sense.
    ///
    /// A quote doubled inside a field opens and closes it, so that counting them is enough. The whole file is read, for a
    /// quote anywhere turns the meaning of all line ends behind it.
    static func ofTable(_ file: Int32, size: Int64) -> Int64? {
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        var (offset, end): (Int64, Int64) = (0, 0)
        var isQuoted = false
        while offset < size {
            let count = pread(file, &chunk, chunk.count, off_t(offset))
            guard count > 0 else { return nil }
            for index in 0..<count {
                if chunk[index] == 0x22 {
                    isQuoted.toggle()
                } else if chunk[index] == 0x0A, !isQuoted {
                    end = offset + Int64(index) + 1
                }
            }
            offset += Int64(count)
        }
        // No row is that long: somebody else's quotes, or damage far back. What was written is worth more than half a row.
        return size - end <= longestRow ? end : nil
    }

    private static let longestRow: Int64 = 1 << 20
}

/// The end of a text of JSON lines.
enum JSONText {
    /// Whether `line` is one object from its first bracket to its last: what a process that was killed leaves is not.
    static func isWhole(_ line: [UInt8]) -> Bool {
        var depth = 0
        var (isText, isEscaped) = (false, false)
        for (index, byte) in line.enumerated() {
            if isText {
                isText = isEscaped || byte != 0x22
                isEscaped = !isEscaped && byte == 0x5C
                continue
            }
            switch byte {
            case 0x22: isText = true
            case 0x7B, 0x5B: depth += 1
            case 0x7D, 0x5D:
                depth -= 1
                if depth == 0 { return index == line.count - 1 && line.first == 0x7B }
            case 0: return false
            default: if depth == 0 { return false }
            }
        }
        return false
    }
}
