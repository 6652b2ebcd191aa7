// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Glibc

/// The lock that tells everybody that a file is being written: flock(2) on its open descriptor, gone with the process.
///
/// It is the file's, not the name's, so it holds under every spelling and link, and between processes. File systems
/// without locks give none, and nothing is refused there.
package enum FileLock {
    /// Takes the lock of an open file; false where somebody else has it.
    package static func take(_ descriptor: Int32) -> Bool {
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            if errno == EINTR { continue }
            return errno != EWOULDBLOCK
        }
        return true
    }

    /// What became of a file that was to go.
    enum Deletion {
        case deleted
        case absent
        /// Somebody is writing it.
        case locked
        case failed(String)
    }

    /// Deletes a file that nobody is writing.
    static func delete(_ path: String) -> Deletion {
        let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC)
        if descriptor < 0, errno == ENOENT { return .absent }
        defer { if descriptor >= 0 { close(descriptor) } }
        if descriptor >= 0, !take(descriptor) { return .locked }
        guard unlink(path) == 0 else {
            return errno == ENOENT ? .absent : .failed(String(cString: strerror(errno)))
        }
        return .deleted
    }
}
