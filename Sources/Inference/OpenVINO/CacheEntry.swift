// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// One compiled model on disk, held by one process at a time.
///
/// ```
///  models/2026.4.1-.../<content hash>-f32-2x2/
///      lock          flock: whoever compiles or loads; released by the kernel when a process dies
///      <id>.blob     written by the engine, in place, therefore not to be trusted on its own
///      seal          name, size and hash of each blob, written after it: a blob without its seal is thrown away
/// ```
/// A process killed while the engine writes, a full disk and a flipped bit all end as a blob that does not match its
/// seal, never as a damaged model inside the engine.
struct CacheEntry: ~Copyable {
    static let sealName = "seal"
    static let blobSuffix = ".blob"
    /// How long to wait for another process before going on without the cache.
    static let patience: Duration = .seconds(60)

    let directory: String
    private let lock: Int32

    /// Makes the folder, waits for the lock, and removes blobs that do not match the seal.
    /// - Parameter needed: bytes that must be free on the disk for a new blob.
    init(directory: String, needed: UInt64, patience: Duration = CacheEntry.patience) throws(CacheFiles.Failure) {
        try CacheFiles.makeDirectory(directory)
        let path = directory + "/lock"
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw CacheFiles.Failure("open", path, errno: errno) }
        do throws(CacheFiles.Failure) {
            try Self.take(file, path, patience)
            let free = CacheFiles.freeBytes(at: directory) ?? UInt64.max
            guard free > needed else {
                throw CacheFiles.Failure("the disk of \(directory) has only \(free) bytes left")
            }
            try Self.removeDamaged(in: directory)
        } catch {
            close(file)
            throw error
        }
        self.directory = directory
        lock = file
    }

    deinit { close(lock) }

    /// Records what the engine wrote, so that the next process may trust it.
    func seal() throws(CacheFiles.Failure) {
        var lines = ""
        for name in try CacheFiles.names(in: directory) where name.hasSuffix(Self.blobSuffix) {
            lines += Self.line(name, try CacheFiles.read(directory + "/" + name))
        }
        guard !lines.isEmpty else { throw CacheFiles.Failure("the engine stored nothing in \(directory)") }
        let path = directory + "/" + Self.sealName
        if let old = try? CacheFiles.read(path), old == Array(lines.utf8) { return }
        try CacheFiles.replace(path, with: Array(lines.utf8))
    }

    /// Forgets everything stored here.
    func clear() {
        let names = (try? CacheFiles.names(in: directory)) ?? []
        for name in names where name != "lock" { CacheFiles.remove(directory + "/" + name) }
    }

    private static func take(_ file: Int32, _ path: String, _ patience: Duration) throws(CacheFiles.Failure) {
        let deadline = ContinuousClock.now + patience
        while flock(file, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK || errno == EINTR else { throw CacheFiles.Failure("lock", path, errno: errno) }
            guard ContinuousClock.now < deadline else {
                throw CacheFiles.Failure("another process has held \(path) for \(patience)")
            }
            usleep(5_000)
        }
    }

    private static func removeDamaged(in directory: String) throws(CacheFiles.Failure) {
        let path = directory + "/" + sealName
        let text = access(path, F_OK) == 0 ? String(decoding: try CacheFiles.read(path), as: UTF8.self) : ""
        let sealed = Set(text.split(separator: "\n").map { $0 + "\n" })
        for name in try CacheFiles.names(in: directory) where name.hasSuffix(blobSuffix) {
            let blob = directory + "/" + name
            let isSound = (try? CacheFiles.read(blob)).map { sealed.contains(Substring(line(name, $0))) } ?? false
            if !isSound { CacheFiles.remove(blob) }
        }
    }

    private static func line(_ name: String, _ bytes: [UInt8]) -> String {
        "\(name) \(bytes.count) \(ContentHash(of: bytes))\n"
    }
}

extension CompileOptions {
    /// The folder of all compiled models; nil when the cache is off.
    func cacheRoot(
        environment: (String) -> String? = { getenv($0).map { String(cString: $0) } }
    ) throws(CacheFiles.Failure) -> String? {
        switch cache {
        case .off: return nil
        case .directory(let path):
            guard !path.isEmpty else { throw CacheFiles.Failure("the cache folder has an empty name") }
            guard !path.hasPrefix("/") else { return path }
            guard let current = getcwd(nil, 0) else {
                throw CacheFiles.Failure("find", "the current folder", errno: errno)
            }
            defer { free(current) }
            return String(cString: current) + "/" + path
        case .standard:
            // The XDG rules: a relative path there is to be ignored.
            if let base = environment("XDG_CACHE_HOME"), base.hasPrefix("/") { return base + "/vpipe/models" }
            if let home = environment("HOME"), home.hasPrefix("/") { return home + "/.cache/vpipe/models" }
            throw CacheFiles.Failure("neither XDG_CACHE_HOME nor HOME names a folder for compiled models")
        }
    }

    /// The folder of one model under these options, below the root.
    func cacheName(for hash: ContentHash, engineVersion: String) -> String {
        let version = engineVersion.utf8.map { byte -> Character in
            let character = Character(UnicodeScalar(byte))
            return character.isASCII && (character.isLetter || character.isNumber || character == ".") ? character : "-"
        }
        let pinned = pinsThreads ? "-pinned" : ""
        return "\(String(version))/\(hash)-\(precision.rawValue)-\(streams)x\(threads)\(pinned)"
    }
}
