// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Glibc

/// One compiled model on disk, held by one process at a time.
///
/// ```
///  models/2026.4.1-...-<processor>/<content hash>-f32-2x2/
///      lock          flock: whoever compiles or loads; released by the kernel when a process dies
///      model.blob    written by the engine, which does not say when a disk is full
///      seal          size and hash of the blob, written after it: a blob that does not match is compiled anew
/// ```
/// A process killed on the way leaves the old blob, or one that does not match its seal, and so does a flipped bit. One that
/// a full disk cut short is refused by the engine, for the network's description is its end. All are compiled anew.
struct CacheEntry: ~Copyable {
    /// How long to wait for another process before going on without the cache.
    static let patience: Duration = .seconds(60)

    let directory: String
    private let lock: Int32

    /// Makes the folder and waits for the lock.
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
        } catch {
            close(file)
            throw error
        }
        self.directory = directory
        lock = file
    }

    deinit { close(lock) }

    private var blob: String { directory + "/model.blob" }
    private var seal: String { directory + "/seal" }

    /// What is stored here; nil when nothing is, or not what was sealed.
    func load() -> MappedFile? {
        guard let file = try? MappedFile(blob), let text = try? CacheFiles.read(seal) else { return nil }
        // Machine code of somebody else's is not for us.
        return file.isOwn && text == Self.text(for: file.bytes) ? file : nil
    }

    /// Has `write` make a file of the name it is given, and puts that in the place of what is stored here.
    func store(_ write: (String) throws(CacheFiles.Failure) -> Void) throws(CacheFiles.Failure) {
        let fresh = blob + ".new"
        do throws(CacheFiles.Failure) {
            try write(fresh)
            let file = try MappedFile(fresh)
            try CacheFiles.rename(fresh, to: blob)
            try CacheFiles.replace(seal, with: Self.text(for: file.bytes))
        } catch {
            CacheFiles.remove(fresh)
            throw error
        }
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

    private static func text(for bytes: UnsafeRawBufferPointer) -> [UInt8] {
        Array("\(bytes.count) \(ContentHash(of: bytes))\n".utf8)
    }
}

extension CompileOptions {
    /// The folder of all compiled models; nil when the cache is off.
    func cacheRoot(
        environment: (String) -> String? = Folders.variable
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
            guard let cache = Folders(environment: environment).cache else {
                throw CacheFiles.Failure("neither XDG_CACHE_HOME nor HOME names a folder for compiled models")
            }
            return cache + "/models"
        }
    }

    /// The folder of one model under these options, below the root.
    ///
    /// `engine` names the library's release and the processor that it compiles for.
    func cacheName(for hash: ContentHash, engine: String) -> String {
        let parallelism = Parallelism(self)
        let engine = engine.utf8.map { byte -> Character in
            let character = Character(UnicodeScalar(byte))
            return character.isASCII && (character.isLetter || character.isNumber || character == ".") ? character : "-"
        }
        return "\(String(engine))/\(hash)-\(precision.rawValue)-\(parallelism.streams)x\(parallelism.threads)"
    }
}
