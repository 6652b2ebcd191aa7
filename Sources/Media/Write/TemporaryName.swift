// SPDX-License-Identifier: Apache-2.0
internal import Basics
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

    /// Deletes what processes that are gone left under such names beside `path`; where one still writes, its lock says so.
    static func sweep(beside path: String) {
        let folder = FilePath.split(path).folder
        for name in FileNamePattern.names(in: folder) where name.hasPrefix(".") && name.hasSuffix(".tmp") {
            // .NAME.PROCESS-ATTEMPT.tmp
            let parts = name.dropLast(4).split(separator: ".").last?.split(separator: "-") ?? []
            guard parts.count == 2, let process = pid_t(parts[0]), Int(parts[1]) != nil, process > 0,
                process != getpid(), kill(process, 0) != 0, errno == ESRCH
            else { continue }
            _ = FileLock.delete(folder + "/" + name)
        }
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
