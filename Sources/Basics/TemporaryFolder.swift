// SPDX-License-Identifier: Apache-2.0
#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif
internal import Synchronization

/// A folder for what nobody keeps: new, under a name that nobody can guess, and this user's alone.
///
/// It goes with its owner, and with `removeAll` when the process is told to end.
package final class TemporaryFolder: Sendable {
    private static let existing = Mutex<Set<String>>([])

    /// Its path.
    package let path: String

    /// Makes it in `TMPDIR` or /tmp; nil where the system does not let us, and `errno` says why.
    package convenience init?(_ name: String) {
        let parent = Folders.variable("TMPDIR").flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
        self.init(template: "\(parent)/vpipe-\(name)-XXXXXX")
    }

    /// Makes it hidden in `parent`, for what is renamed to a name there when it is whole; nil where the system does not let
    /// us, and `errno` says why.
    package convenience init?(_ name: String, in parent: String) {
        self.init(template: "\(parent)/.vpipe-\(name)-XXXXXX")
    }

    private init?(template: String) {
        var template = FileName.bytes(template)
        guard mkdtemp(&template) != nil else { return nil }
        path = template.withUnsafeBufferPointer { FileName.text($0.baseAddress.unsafelyUnwrapped) }
        _ = Self.existing.withLock { $0.insert(path) }
    }

    deinit {
        Self.remove(path)
        _ = Self.existing.withLock { $0.remove(path) }
    }

    /// Removes all that there are, for a process that ends without a word to their owners.
    package static func removeAll() {
        for path in existing.withLock({ $0 }) { remove(path) }
    }

    private static func remove(_ path: String) {
        guard let handle = opendir(FileName.bytes(path)) else { return }
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { FileName.text($0) }
            }
            guard name != ".", name != ".." else { continue }
            var status = stat()
            let isFolder = lstat(FileName.bytes(path + "/" + name), &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
            // Never through a link.
            if isFolder { remove(path + "/" + name) } else { unlink(FileName.bytes(path + "/" + name)) }
        }
        closedir(handle)
        rmdir(FileName.bytes(path))
    }
}
