// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// Names for files that exist only until they are renamed.
enum TemporaryName {
    /// A hidden name in the folder of `path` that nobody uses.
    static func beside(_ path: String) throws(MediaError) -> String {
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { String(path[...$0]) } ?? ""
        let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
        for attempt in 0..<100 {
            let candidate = "\(folder).\(name.utf8.count > 200 ? "output" : name).\(getpid())-\(attempt).tmp"
            var status = stat()
            if lstat(candidate, &status) != 0 { return candidate }
        }
        throw MediaError(.inputOutput, operation: "temporary file", detail: "no free temporary name beside \(name)")
    }

    /// Makes a rename in the folder of `path` survive a power cut; best effort.
    static func synchroniseFolder(of path: String) {
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }
}
