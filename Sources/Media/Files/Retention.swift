// SPDX-License-Identifier: Apache-2.0
public import Basics
internal import Glibc

/// How much of what a sink writes is kept; what goes, goes oldest first.
public struct RetentionRules: Sendable, Hashable {
    /// Files older than this many seconds go; age counts from when a file was last written.
    public var seconds: Double?
    /// The files together hold this many bytes at most.
    public var bytes: Int64?
    /// The disk keeps this many bytes free for them.
    public var freeBytes: Int64?
    /// Files younger than this many seconds stay, whatever `bytes` and `freeBytes` say.
    public var sparedSeconds: Double?

    /// Keeps everything.
    public init() {}

    /// Whether anything ever goes.
    public var isEmpty: Bool { seconds == nil && bytes == nil && freeBytes == nil }
}

/// Deletes the oldest files of a pattern as its rules say, and never one that somebody is writing.
///
/// Only files that the pattern could have named are looked at. A file is being written while its writer holds the lock
/// that every output takes (see `FileLock`). Confined to one queue.
public final class Retention {
    /// A file that was there.
    public struct StoredFile: Sendable, Hashable {
        /// Its path.
        public let path: String
        /// Its size.
        public let bytes: Int64
        /// When it was last written.
        public let time: WallTime
    }

    /// What retention did, and what stood in its way.
    public struct Statistics: Sendable, Hashable {
        /// Files deleted.
        public var deleted = 0
        /// Bytes they held.
        public var bytes: Int64 = 0
        /// Why the last file that was to go could not.
        public var failure: String?
    }

    /// Clocks of machines without a battery begin in the past: what is dated before this was written by no right clock.
    private static let leastTime = WallTime(seconds: 1_577_836_800)

    /// The files looked after.
    public let pattern: FileNamePattern
    /// What is kept of them.
    public let rules: RetentionRules
    /// What was done so far.
    public private(set) var statistics = Statistics()
    private let free: (String) -> Int64?
    /// Oldest first.
    private var files: [StoredFile]?
    private var total: Int64 = 0

    /// Looks after the files of `pattern`; `free` tells the bytes free on the disk of a folder, for tests.
    public init(
        _ pattern: FileNamePattern, _ rules: RetentionRules, free: @escaping (String) -> Int64? = Retention.freeBytes
    ) {
        self.pattern = pattern
        self.rules = rules
        self.free = free
    }

    /// The files there are, oldest first.
    public func list() -> [StoredFile] {
        if let files { return files }
        let found = pattern.files().compactMap(Self.stored).sorted { ($0.time, $0.path) < ($1.time, $1.path) }
        files = found
        total = found.reduce(0) { $0 + $1.bytes }
        return found
    }

    /// Takes a file that has been finished into account.
    public func add(_ path: String) {
        guard !rules.isEmpty else { return }
        _ = list()
        guard let file = Self.stored(path), files?.contains(where: { $0.path == path }) != true else { return }
        files?.append(file)
        total += file.bytes
    }

    /// Deletes what has to go; the paths deleted.
    ///
    /// - Parameters:
    ///   - written: bytes of the file being written, which counts but stays.
    @discardableResult
    public func sweep(now: WallTime = .now, written: Int64 = 0) -> [String] {
        guard !rules.isEmpty else { return [] }
        var gone: [String] = []
        var kept: [StoredFile] = []
        var rest = list()[...]
        while let file = rest.first {
            let age = now.seconds - file.time.seconds
            let isOld = rules.seconds.map { age > $0 && file.time >= Self.leastTime } ?? false
            let isSpared = rules.sparedSeconds.map { age < $0 } ?? false
            let isTooMuch = rules.bytes.map { total + written > $0 } ?? false
            let isScarce = rules.freeBytes.flatMap { least in freeSpace.map { $0 < least } } ?? false
            guard isOld || ((isTooMuch || isScarce) && !isSpared) else {
                // Files behind one without a date may be old all the same.
                guard file.time < Self.leastTime else { break }
                kept.append(file)
                rest = rest.dropFirst()
                continue
            }
            rest = rest.dropFirst()
            switch FileLock.delete(file.path) {
            case .deleted, .absent:
                total -= file.bytes
                gone.append(file.path)
                statistics.deleted += 1
                statistics.bytes += file.bytes
                removeEmptyFolders(of: file.path)
            case .locked: kept.append(file)
            case .failed(let cause):
                kept.append(file)
                statistics.failure = "\(file.path): \(cause)"
            }
        }
        files = kept + rest
        return gone
    }

    /// Whether the disk has less room than the rules ask for: worth a `sweep`.
    public var isScarce: Bool {
        guard let least = rules.freeBytes, let space = freeSpace else { return false }
        return space < least
    }

    private var freeSpace: Int64? { free(pattern.path(at: .now)) }

    /// Bytes that a user may still write to the disk that `path`, or the nearest folder above it, lies on; nil where the
    /// system does not say.
    public static func freeBytes(_ path: String) -> Int64? {
        var folder = path
        var status = statvfs()
        while statvfs(folder, &status) != 0 {
            let parent = FilePath.split(folder).folder
            guard parent != folder else { return nil }
            folder = parent
        }
        return Int64(clamping: UInt64(status.f_bavail) &* UInt64(status.f_frsize))
    }

    /// The size of a file; nil where there is none.
    public static func size(of path: String) -> Int64? { stored(path)?.bytes }

    private static func stored(_ path: String) -> StoredFile? {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        let time = Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec)
        return StoredFile(path: path, bytes: Int64(status.st_size), time: WallTime(nanoseconds: time))
    }

    /// Removes dated folders that have become empty.
    private func removeEmptyFolders(of path: String) {
        guard pattern.isDated, var folder = pattern.text.contains("/") ? FilePath.split(path).folder : nil else {
            return
        }
        var template = FilePath.split(pattern.text).folder
        while template.contains("%"), rmdir(folder) == 0 {
            folder = FilePath.split(folder).folder
            template = FilePath.split(template).folder
        }
    }
}
