// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// The few file operations the model cache needs, each with the system's reason when it fails.
enum CacheFiles {
    /// Why a file operation failed, in words.
    struct Failure: Error, CustomStringConvertible {
        let description: String

        init(_ action: String, _ path: String, errno code: Int32) {
            description = "cannot \(action) \(path): \(String(cString: strerror(code)))"
        }

        init(_ description: String) { self.description = description }
    }

    /// Makes `path` and what is missing above it, private to the user.
    static func makeDirectory(_ path: String) throws(Failure) {
        guard path.hasPrefix("/"), path.utf8.count < Int(PATH_MAX) else {
            throw Failure("the cache folder must be an absolute path of ordinary length (got \"\(path)\")")
        }
        var partial = ""
        for component in path.split(separator: "/") {
            partial += "/" + component
            if mkdir(partial, 0o700) != 0, errno != EEXIST { throw Failure("make", partial, errno: errno) }
        }
        // EEXIST is said of plain files as well.
        var status = stat()
        guard stat(path, &status) == 0 else { throw Failure("read", path, errno: errno) }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw Failure("make", path, errno: ENOTDIR) }
    }

    /// Names of plain entries in a folder, sorted.
    static func names(in directory: String) throws(Failure) -> [String] {
        guard let stream = opendir(directory) else { throw Failure("read", directory, errno: errno) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                // d_name is a C string in a fixed array.
                tuple.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    static func read(_ path: String) throws(Failure) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else { throw Failure("open", path, errno: errno) }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_size >= 0 else { throw Failure("read", path, errno: errno) }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeMutableBytes { buffer in
                Glibc.read(file, buffer.baseAddress?.advanced(by: done), buffer.count - done)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Failure("read", path, errno: count < 0 ? errno : EIO) }
            done += count
        }
        return bytes
    }

    /// Writes all of `bytes` beside `path`, then puts them in its place in one step.
    static func replace(_ path: String, with bytes: [UInt8]) throws(Failure) {
        let temporary = path + ".new"
        let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw Failure("write", temporary, errno: errno) }
        var done = 0
        var failure: Int32 = 0
        while done < bytes.count, failure == 0 {
            let count = bytes.withUnsafeBytes { write(file, $0.baseAddress?.advanced(by: done), $0.count - done) }
            if count > 0 {
                done += count
            } else if count == 0 {
                failure = EIO
            } else if errno != EINTR {
                failure = errno
            }
        }
        if close(file) != 0, failure == 0 { failure = errno }
        if failure == 0, Glibc.rename(temporary, path) != 0 { failure = errno }
        if failure != 0 {
            unlink(temporary)
            throw Failure("write", path, errno: failure)
        }
    }

    static func rename(_ path: String, to other: String) throws(Failure) {
        if Glibc.rename(path, other) != 0 { throw Failure("rename", path, errno: errno) }
    }

    static func remove(_ path: String) { unlink(path) }

    /// Bytes a user may still write where `path` is; nil when the system does not say.
    static func freeBytes(at path: String) -> UInt64? {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return nil }
        let product = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
        return product.overflow ? UInt64.max : product.partialValue
    }
}
