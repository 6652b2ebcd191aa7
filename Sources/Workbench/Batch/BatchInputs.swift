// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Glibc

/// One input of a batch: a file, a folder of pictures, or an address.
public struct BatchInput: Sendable, Hashable {
    /// Its name among the items, which is also its folder's: the path as it was given, without what leads out of a folder.
    public let name: String
    /// What the source opens: an absolute path, or an address.
    public let location: String
    /// Bytes, of a folder those of the files in it; 0 of an address.
    public let bytes: Int
    /// When it was last changed, in nanoseconds since 1970; 0 of an address.
    let modified: Int

    /// What tells this content from another under the same name.
    var identity: String { location.contains("://") ? location : "\(bytes) bytes, \(modified)" }
}

/// Why inputs cannot make a batch, in a sentence for the user.
public struct BatchError: Error, CustomStringConvertible {
    /// The sentence.
    public let description: String

    init(_ description: String) { self.description = description }
}

/// Finds the inputs that patterns stand for.
///
/// `*`, `?` and `[...]` are those of fnmatch(3) within a name, `**` is any number of folders. Hidden files are passed over
/// unless a pattern begins its name with a dot.
enum BatchInputs {
    /// Endings of files that a folder of recordings is searched for.
    static let endings: Set<String> = [
        "mp4", "m4v", "mkv", "webm", "mov", "avi", "ts", "m2ts", "mts", "mpg", "mpeg", "flv", "wmv", "3gp", "mjpeg",
        "mjpg", "h264", "h265", "hevc", "ogv", "mxf",
    ]

    /// The inputs of all `patterns`, by name.
    ///
    /// - Parameters:
    ///   - takesFolders: whether the source reads a folder as one input; otherwise folders stand for the recordings below.
    ///   - excluded: a folder that is not searched: where the batch writes.
    /// - Throws: `BatchError` for a pattern that nothing matches, and for two inputs that would share a folder.
    static func find(_ patterns: [String], takesFolders: Bool, besides excluded: String) throws(BatchError)
        -> [BatchInput]
    {
        let excluded = realPath(excluded)
        var found: [String: BatchInput] = [:]
        for pattern in patterns {
            let paths = expand(pattern, takesFolders: takesFolders, besides: excluded)
            guard !paths.isEmpty else {
                throw BatchError(
                    "--inputs \"\(redacted(pattern))\": nothing there"
                        + (pattern.contains { "*?[".contains($0) }
                            ? "; write the pattern in quotes: * stands for part of a name, ** for any folders"
                            : "; give a file, a folder or a pattern in quotes such as 'rec/**/*.mp4'"))
            }
            for path in paths {
                guard let input = input(path) else { continue }
                if let other = found[input.name], other.location != input.location {
                    throw BatchError(
                        "\(other.location) and \(input.location) would both be the item \(input.name); run the batch from a "
                            + "folder that holds both")
                }
                found[input.name] = input
            }
        }
        let inputs = found.values.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        for input in inputs {
            var folder = input.name[...]
            while let slash = folder.lastIndex(of: "/") {
                folder = folder[..<slash]
                if found[String(folder)] != nil {
                    throw BatchError(
                        "the item \(input.name) would lie inside the item \(folder); give them to two batches")
                }
            }
        }
        return inputs
    }

    /// The input at a path; nil where it is gone, or neither a file nor a folder.
    static func input(_ path: String) -> BatchInput? {
        if path.contains("://") {
            return BatchInput(name: name(of: path), location: path, bytes: 0, modified: 0)
        }
        var status = stat()
        guard stat(FileName.bytes(path), &status) == 0 else { return nil }
        var bytes = Int(status.st_size)
        var modified = time(of: status)
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFDIR:
            bytes = 0
            for entry in entries(of: path) where stat(FileName.bytes(path + "/" + entry), &status) == 0 {
                guard status.st_mode & S_IFMT == S_IFREG else { continue }
                bytes += Int(status.st_size)
                modified = max(modified, time(of: status))
            }
        default: return nil
        }
        return BatchInput(name: name(of: path), location: realPath(path), bytes: bytes, modified: modified)
    }

    /// A path, or an address, as the name of an item: no leading slash, no `.`, no `..`.
    static func name(of path: String) -> String {
        let text = path.contains("://") ? redacted(path) : path
        var parts: [Substring] = []
        for part in text.split(separator: "/") where part != "." {
            if part == ".." {
                _ = parts.popLast()
            } else {
                // The batch's own folder is hidden.
                parts.append(part.hasPrefix(".batch") ? "_" + part : part)
            }
        }
        return parts.isEmpty ? "_" : parts.joined(separator: "/")
    }

    private static func time(of status: stat) -> Int { status.st_mtim.tv_sec * 1_000_000_000 + status.st_mtim.tv_nsec }

    /// The path from the root, links followed as far as there are files.
    static func realPath(_ path: String) -> String {
        if let real = realpath(FileName.bytes(path), nil) {
            defer { free(real) }
            return FileName.text(real)
        }
        guard !path.hasPrefix("/"), let here = getcwd(nil, 0) else { return path }
        defer { free(here) }
        return FileName.text(here) + "/" + path
    }

    // MARK: - Patterns

    private static func expand(_ pattern: String, takesFolders: Bool, besides excluded: String) -> [String] {
        if pattern.contains("://") { return [pattern] }
        var status = stat()
        // A file is itself, whatever characters its name has.
        if stat(FileName.bytes(pattern), &status) == 0 {
            guard status.st_mode & S_IFMT == S_IFDIR, !takesFolders else { return [pattern] }
            return matches(of: ["**", "*"], in: pattern, takesFolders: false, besides: excluded).filter {
                guard let dot = $0.lastIndex(of: ".") else { return false }
                return endings.contains($0[$0.index(after: dot)...].lowercased())
            }
        }
        let parts = pattern.split(separator: "/").map(String.init)
        return matches(
            of: parts[...], in: pattern.hasPrefix("/") ? "/" : "", takesFolders: takesFolders, besides: excluded)
    }

    private static func matches(
        of parts: ArraySlice<String>, in folder: String, takesFolders: Bool, besides excluded: String
    ) -> [String] {
        guard let part = parts.first else { return [] }
        let rest = parts.dropFirst()
        func joined(_ name: String) -> String {
            folder.isEmpty ? name : folder.hasSuffix("/") ? folder + name : folder + "/" + name
        }
        func kind(_ path: String) -> mode_t? {
            var status = stat()
            guard stat(FileName.bytes(path), &status) == 0 else { return nil }
            return status.st_mode & S_IFMT
        }
        func isExcluded(_ path: String) -> Bool { realPath(path) == excluded }
        if part == "**" {
            // No folder, or one more and the same again. Links to folders are not followed: they may lead back.
            var found = matches(of: rest, in: folder, takesFolders: takesFolders, besides: excluded)
            for name in entries(of: folder.isEmpty ? "." : folder) where !name.hasPrefix(".") {
                let path = joined(name)
                var status = stat()
                guard lstat(FileName.bytes(path), &status) == 0, status.st_mode & S_IFMT == S_IFDIR, !isExcluded(path)
                else { continue }
                found += matches(of: parts, in: path, takesFolders: takesFolders, besides: excluded)
            }
            return found
        }
        let isPattern = part.contains { "*?[".contains($0) }
        let names =
            isPattern
            ? entries(of: folder.isEmpty ? "." : folder).filter {
                fnmatch(FileName.bytes(part), FileName.bytes($0), FNM_PERIOD) == 0
            } : [part]
        return names.flatMap { name -> [String] in
            let path = joined(name)
            guard let kind = kind(path) else { return [] }
            if !rest.isEmpty {
                return kind == S_IFDIR && !isExcluded(path)
                    ? matches(of: rest, in: path, takesFolders: takesFolders, besides: excluded) : []
            }
            return kind == S_IFREG || (kind == S_IFDIR && takesFolders && !isExcluded(path)) ? [path] : []
        }
    }

    /// The names in a folder, sorted; none where it cannot be read.
    static func entries(of folder: String) -> [String] {
        guard let handle = opendir(FileName.bytes(folder)) else { return [] }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { FileName.text($0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
}
