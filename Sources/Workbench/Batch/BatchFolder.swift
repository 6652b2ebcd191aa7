// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Foundation
internal import Networks

/// The folder that a batch writes: finished items under their names, and all else in `.batch`.
///
/// ```
///  OUT/rec/door-1.mp4/found.jsonl ...     an item, whole: it was made aside and renamed
///  OUT/rec/door-1.mp4/done.json           what it was made of
///  OUT/.batch/manifest.jsonl              the inputs of the last run: item, location, bytes
///  OUT/.batch/work/ID.MACHINE.PID/        items being made
///  OUT/.batch/leases/ID                   who makes them
///  OUT/.batch/failed/ID.json              tries that failed, with their messages
///  OUT/.batch/log.jsonl                   what happened when, appended by all processes
/// ```
/// Nothing under an item's own name tells of times or machines, so that the same inputs give the same bytes.
struct BatchFolder: Sendable {
    /// Its path.
    let path: String

    private var own: String { path + "/.batch" }
    private var manifest: String { own + "/manifest.jsonl" }
    private var log: String { own + "/log.jsonl" }

    /// What stands in an item's `done.json`.
    struct Done: Codable, Equatable {
        var vpipe = 1
        var item: String
        /// What it was made of, in one.
        var key: String
        /// What it was made of, in parts.
        var input: String
        var depends: BatchPipeline.Fingerprint
        var frames: Int
        var dropped: Int
        var results: [String: Int]
        var files: [String]
    }

    /// Tries that failed.
    struct Failures: Codable {
        struct Try: Codable {
            var at: String
            var by: String
            var message: String
        }
        var item: String
        var key: String
        var tries: [Try]
    }

    /// How an item stands.
    enum State: Equatable {
        case missing
        case done
        /// Made of something else: what has changed.
        case stale(String)
        /// What is under its name was made by somebody else.
        case foreign
    }

    init(_ path: String) { self.path = BatchInputs.realPath(path) }

    /// Makes the folders.
    ///
    /// - Throws: `BatchError` with the system's reason.
    func create() throws(BatchError) {
        do {
            for name in ["work", "leases", "failed"] {
                try FileManager.default.createDirectory(atPath: own + "/" + name, withIntermediateDirectories: true)
            }
        } catch {
            throw BatchError("--out \(path): cannot be made: \(Self.reason(error))")
        }
        guard access(own, W_OK) == 0 else { throw BatchError("--out \(path): cannot be written") }
    }

    static func reason(_ error: any Error) -> String {
        let cause = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
        if let cause, cause.domain == NSPOSIXErrorDomain { return String(cString: strerror(Int32(cause.code))) }
        if errno != 0 { return String(cString: strerror(errno)) }
        return "\(error)"
    }

    // MARK: - Items

    /// What an item's files are named by, whatever characters its own name has.
    static func id(_ item: String) -> String { String(SHA256.hexDigest(Array(item.utf8)).prefix(20)) }

    /// What an item is made of, in one.
    static func key(_ input: BatchInput, _ fingerprint: BatchPipeline.Fingerprint) -> String {
        let parts = [input.name, input.identity, fingerprint.pipeline, fingerprint.files, fingerprint.program]
        return String(SHA256.hexDigest(Array(parts.joined(separator: "\n").utf8)).prefix(32))
    }

    func folder(of item: String) -> String { path + "/" + item }
    func lease(of item: String) -> String { own + "/leases/" + Self.id(item) }
    var clock: String { own + "/leases/.clock.\(BatchLease.Holder.own.machine).\(getpid())" }

    /// The record of a finished item; nil where it is not finished.
    func done(_ item: String) -> Done? {
        FileManager.default.contents(atPath: folder(of: item) + "/done.json").flatMap {
            try? JSONDecoder().decode(Done.self, from: $0)
        }
    }

    /// How an item stands beside what it would be made of now.
    func state(_ input: BatchInput, _ fingerprint: BatchPipeline.Fingerprint) -> State {
        guard let done = done(input.name) else {
            return access(FileName.bytes(folder(of: input.name)), F_OK) == 0 ? .foreign : .missing
        }
        if done.key == Self.key(input, fingerprint) { return .done }
        var causes: [String] = []
        if done.input != input.identity { causes.append("input") }
        if done.depends.pipeline != fingerprint.pipeline { causes.append("pipeline") }
        if done.depends.files != fingerprint.files { causes.append("weights") }
        if done.depends.program != fingerprint.program { causes.append("version of vpipe") }
        return .stale(causes.joined(separator: ", "))
    }

    /// A folder for making an item in; what earlier makers of it left is removed.
    ///
    /// The caller holds the item's lease.
    func beginWork(_ item: String) throws(BatchError) -> String {
        let id = Self.id(item)
        for name in BatchInputs.entries(of: own + "/work") where name.hasPrefix(id + ".") {
            remove(own + "/work/" + name)
        }
        let folder = "\(own)/work/\(id).\(BatchLease.Holder.own.machine).\(getpid())"
        guard mkdir(folder, 0o755) == 0 else { throw BatchError("\(folder): \(String(cString: strerror(errno)))") }
        return folder
    }

    /// Gives a whole item its name; false where another process has done so.
    ///
    /// What was made of something else goes. The record is the last that is written.
    func finish(_ done: Done, from work: String) throws(BatchError) -> Bool {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var done = done
        done.files = files(below: work).sorted()
        guard let record = try? encoder.encode(done) else { throw BatchError("\(done.item): cannot be recorded") }
        guard FileManager.default.createFile(atPath: work + "/done.json", contents: record + Data("\n".utf8)) else {
            throw BatchError("\(work)/done.json: \(String(cString: strerror(errno)))")
        }
        // On disk before they have a name. All are on their way before the first is waited for: thousands of pictures would
        // take a commit of the file system's journal each.
        let files = done.files + ["done.json"]
        for name in files { sync(work + "/" + name, waits: false) }
        for name in files { sync(work + "/" + name) }
        sync(work)
        let target = folder(of: done.item)
        let parent = URL(fileURLWithPath: target).deletingLastPathComponent().path
        do {
            try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
        } catch {
            throw BatchError("\(parent): \(Self.reason(error))")
        }
        if let other = self.done(done.item) {
            if other.key == done.key {
                remove(work)
                return false
            }
            let old = work + ".old"
            guard rename(FileName.bytes(target), FileName.bytes(old)) == 0 else {
                throw BatchError("\(target): \(String(cString: strerror(errno)))")
            }
            remove(old)
        }
        guard rename(FileName.bytes(work), FileName.bytes(target)) == 0 else {
            let code = errno
            if code == ENOTEMPTY || code == EEXIST, self.done(done.item)?.key == done.key {
                remove(work)
                return false
            }
            throw BatchError("\(target): \(String(cString: strerror(code)))")
        }
        return true
    }

    /// Removes a folder and what is in it.
    func remove(_ folder: String) { try? FileManager.default.removeItem(atPath: folder) }

    private func sync(_ path: String, waits: Bool = true) {
        let file = open(FileName.bytes(path), O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return }
        if waits { fsync(file) } else { posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) }
        close(file)
    }

    private func files(below folder: String) -> [String] {
        var found: [String] = []
        for name in BatchInputs.entries(of: folder) {
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: folder + "/" + name, isDirectory: &isFolder) else { continue }
            if isFolder.boolValue {
                found += files(below: folder + "/" + name).map { name + "/" + $0 }
            } else {
                found.append(name)
            }
        }
        return found
    }

    /// Bytes that can still be written here; nil where the system does not say.
    var freeBytes: UInt64? {
        var status = statvfs()
        guard statvfs(own, &status) == 0 else { return nil }
        return UInt64(status.f_bavail) * UInt64(status.f_frsize)
    }

    // MARK: - Failures

    private func failurePath(_ item: String) -> String { own + "/failed/" + Self.id(item) + ".json" }

    /// The tries of an item that failed; nil where none did.
    func failures(_ item: String) -> Failures? {
        FileManager.default.contents(atPath: failurePath(item)).flatMap {
            try? JSONDecoder().decode(Failures.self, from: $0)
        }
    }

    /// All items that failed.
    func failures() -> [Failures] {
        BatchInputs.entries(of: own + "/failed").compactMap { name in
            FileManager.default.contents(atPath: own + "/failed/" + name).flatMap {
                try? JSONDecoder().decode(Failures.self, from: $0)
            }
        }
    }

    /// Adds a try that failed; tries made of something else no longer count.
    func addFailure(_ item: String, key: String, message: String) -> Failures {
        var failures = failures(item).flatMap { $0.key == key ? $0 : nil } ?? Failures(item: item, key: key, tries: [])
        failures.tries.append(
            .init(at: WallTime.now.rfc3339, by: "\(BatchLease.Holder.own.machine) \(getpid())", message: message))
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
        try? encoder.encode(failures).write(to: URL(fileURLWithPath: failurePath(item)), options: .atomic)
        return failures
    }

    /// Forgets that an item failed.
    func clearFailure(_ item: String) { unlink(failurePath(item)) }

    // MARK: - Manifest and log

    /// One line of the manifest.
    struct Entry: Codable {
        var item: String
        var location: String
        var bytes: Int
    }

    /// Writes the inputs, whole or not at all.
    func write(_ inputs: [BatchInput]) throws(BatchError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var data = Data()
        for input in inputs {
            let entry = Entry(item: input.name, location: redacted(input.location), bytes: input.bytes)
            data += (try? encoder.encode(entry)) ?? Data()
            data.append(10)
        }
        if data == FileManager.default.contents(atPath: manifest) { return }
        do {
            try data.write(to: URL(fileURLWithPath: manifest), options: .atomic)
        } catch {
            throw BatchError("\(manifest): \(Self.reason(error))")
        }
    }

    /// The inputs of the last run; nil where there was none.
    func entries() -> [Entry]? {
        guard let data = FileManager.default.contents(atPath: manifest) else { return nil }
        return data.split(separator: 10).compactMap { try? JSONDecoder().decode(Entry.self, from: Data($0)) }
    }

    /// Appends a line to the log; one write, which other processes' lines do not cut.
    func note(_ members: [String: String]) {
        var members = members
        members["at"] = WallTime.now.rfc3339
        members["by"] = "\(BatchLease.Holder.own.machine) \(getpid())"
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard var line = try? encoder.encode(members) else { return }
        line.append(10)
        let file = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard file >= 0 else { return }
        defer { close(file) }
        _ = line.withUnsafeBytes { Foundation.write(file, $0.baseAddress, $0.count) }
    }
}
