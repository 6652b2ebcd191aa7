// SPDX-License-Identifier: Apache-2.0
#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Which file it is, whatever its names: hard links, links and other spellings have the same identity.
package struct FileIdentity: Sendable, Hashable {
    private let device: UInt64
    private let inode: UInt64

    private init(_ status: stat) {
        device = UInt64(truncatingIfNeeded: status.st_dev)
        inode = UInt64(truncatingIfNeeded: status.st_ino)
    }

    /// The file that `path` leads to, links followed; nil where there is none.
    package init?(path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(status)
    }

    /// The same, of regular files only.
    package init?(file path: String) {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        self.init(status)
    }

    /// The open file behind a descriptor; nil where it is none.
    package init?(descriptor: Int32) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        self.init(status)
    }
}

/// Names of files.
package enum FilePath {
    /// One spelling for all paths that lead to a place, whether there is a file or not yet: absolute, without links, `.` and
    /// `..`.
    package static func canonical(_ path: String) -> String { canonical(path, depth: 0) }

    private static func canonical(_ path: String, depth: Int) -> String {
        if let real = realpath(path, nil) {
            defer { free(real) }
            return String(cString: real)
        }
        guard depth < 40 else { return path }
        let trimmed = path.reversed().drop { $0 == "/" }.reversed()
        let slash = trimmed.lastIndex(of: "/")
        let name = String(slash.map { trimmed[trimmed.index(after: $0)...] } ?? trimmed[...])
        let parent = slash.map { $0 == trimmed.startIndex ? "/" : String(trimmed[..<$0]) } ?? "."
        // A link to what is not there yet.
        if let target = link(at: String(trimmed)) {
            return canonical(target.hasPrefix("/") ? target : parent + "/" + target, depth: depth + 1)
        }
        let folder = canonical(parent, depth: depth + 1)
        switch name {
        case "", ".": return folder
        case "..": return String(folder[..<(folder.lastIndex(of: "/") ?? folder.startIndex)])
        default: return folder == "/" ? "/" + name : folder + "/" + name
        }
    }

    /// Where the link at `path` leads; nil for what is no link.
    package static func link(at path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink(path, &buffer, buffer.count - 1)
        guard count > 0 else { return nil }
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The local path that a setting names: `file:` is taken off; nil for standard input and output and for addresses.
    package static func local(_ text: String) -> String? {
        if text == "-" { return nil }
        if text.hasPrefix("file://") { return String(text.dropFirst(7)) }
        if text.hasPrefix("file:") { return String(text.dropFirst(5)) }
        return text.contains("://") || text.hasPrefix("pipe:") ? nil : text
    }

    /// The folder part of a path, `.` for a name alone, and the name.
    package static func split(_ path: String) -> (folder: String, name: String) {
        guard let slash = path.lastIndex(of: "/") else { return (".", path) }
        let folder = slash == path.startIndex ? "/" : String(path[..<slash])
        return (folder, String(path[path.index(after: slash)...]))
    }
}
