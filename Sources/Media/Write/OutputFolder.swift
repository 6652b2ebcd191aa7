// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// The folders that outputs go to, made when they are missing.
public enum OutputFolder {
    /// Makes `path` and every folder above it that is missing.
    ///
    /// - Throws: `inputOutput` and its like, naming the folder that cannot be made.
    public static func make(_ path: String) throws(MediaError) {
        guard mkdir(path, 0o777) != 0 else { return }
        if errno == ENOENT, let parent = parent(of: path) {
            try make(parent)
            if mkdir(path, 0o777) == 0 { return }
        }
        guard errno != EEXIST else { return }
        throw MediaError(errno: errno, operation: "mkdir").of("cannot make the folder \(path)")
    }

    /// Makes the folder that `file` is going to lie in.
    ///
    /// - Throws: as `make(_:)`.
    public static func make(for file: String) throws(MediaError) {
        if let parent = parent(of: file) { try make(parent) }
    }

    /// Whether files may be made in the folder of `file`.
    ///
    /// - Throws: `permissionDenied` and its like, naming the folder.
    public static func checkWritable(for file: String) throws(MediaError) {
        let folder = parent(of: file) ?? "."
        guard access(folder, W_OK | X_OK) != 0 else { return }
        throw MediaError(errno: errno, operation: "access").of("cannot write to the folder \(folder)")
    }

    /// What stands before the last name; nil for a name alone and for the root.
    private static func parent(of path: String) -> String? {
        guard let name = path.lastIndex(where: { $0 != "/" }), let slash = path[..<name].lastIndex(of: "/") else {
            return nil
        }
        let parent = path[..<slash]
        return parent.contains { $0 != "/" } ? String(parent) : nil
    }
}
