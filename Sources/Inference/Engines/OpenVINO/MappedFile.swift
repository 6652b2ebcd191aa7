// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// A file's bytes in memory, read from the disk as they are needed.
///
/// The file must not be cut short meanwhile; putting another in its place is harmless.
///
/// - Note: Thread-safety: thread-safe.
final class MappedFile: @unchecked Sendable {
    // Unchecked: the bytes are read-only and mapped until the last user is gone.
    let bytes: UnsafeRawBufferPointer
    /// Whether it belongs to this process's user, or to the system.
    let isOwn: Bool

    /// Maps a plain file.
    ///
    /// - Throws: the system's reason; an empty file is refused.
    init(_ path: String, followsLinks: Bool = false) throws(CacheFiles.Failure) {
        let file = open(path, O_RDONLY | O_CLOEXEC | (followsLinks ? 0 : O_NOFOLLOW))
        guard file >= 0 else { throw CacheFiles.Failure("open", path, errno: errno) }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw CacheFiles.Failure("read", path, errno: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw CacheFiles.Failure("\(path) is not a regular file") }
        isOwn = status.st_uid == geteuid() || status.st_uid == 0
        guard status.st_size > 0 else { throw CacheFiles.Failure("\(path) is empty") }
        let count = Int(status.st_size)
        guard let address = mmap(nil, count, PROT_READ, MAP_PRIVATE, file, 0), address != MAP_FAILED else {
            throw CacheFiles.Failure("map", path, errno: errno)
        }
        bytes = UnsafeRawBufferPointer(start: address, count: count)
    }

    /// Gives the memory back until somebody reads the bytes again.
    func putAside() { madvise(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count, MADV_DONTNEED) }

    deinit { munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count) }
}
