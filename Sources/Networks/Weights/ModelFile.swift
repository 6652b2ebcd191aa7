// SPDX-License-Identifier: Apache-2.0
internal import Foundation

/// Whole model files in and out of memory.
public enum ModelFile {
    /// Model files above this are refused rather than read.
    static let sizeLimit = 1 << 30

    /// A regular file's bytes.
    ///
    /// - Throws: `NetworkError.Code.file`, also for files beyond 1 GiB.
    public static func read(_ path: String) throws(NetworkError) -> [UInt8] {
        try readStart(path, count: sizeLimit).bytes
    }

    /// A regular file's first `count` bytes, or all where it has fewer, and the size of the whole.
    ///
    /// - Throws: `NetworkError.Code.file`, also for files beyond 1 GiB.
    static func readStart(_ path: String, count: Int) throws(NetworkError) -> (bytes: [UInt8], size: Int) {
        let size = try size(path)
        do {
            let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            return ([UInt8](try file.read(upToCount: min(count, size)) ?? Data()), size)
        } catch {
            throw NetworkError(.file, path: path, problem(path))
        }
    }

    /// Why a file cannot be read.
    private static func problem(_ path: String) -> String {
        guard access(path, R_OK) != 0 else { return "cannot be read" }
        return switch errno {
        case ENOENT: "there is no such file"
        case ENOTDIR: "a part of the path is not a folder"
        case EACCES, EPERM: "may not be read: permission denied"
        case let cause: "cannot be read: \(String(cString: strerror(cause)))"
        }
    }

    private static func size(_ path: String) throws(NetworkError) -> Int {
        let size: Int
        do {
            let attributes = try FileManager.default.attributesOfItem(
                atPath: URL(fileURLWithPath: path).resolvingSymlinksInPath().path)
            guard attributes[.type] as? FileAttributeType == .typeRegular else {
                throw NetworkError(.file, path: path, "is not a regular file")
            }
            size = (attributes[.size] as? NSNumber)?.intValue ?? 0
        } catch let error as NetworkError {
            throw error
        } catch {
            throw NetworkError(.file, path: path, problem(path))
        }
        guard size <= sizeLimit else {
            throw NetworkError(.file, path: path, "\(size) bytes are more than the limit of \(sizeLimit)")
        }
        return size
    }

    /// Writes beside the target and renames, so that readers never see half a file.
    ///
    /// - Throws: `NetworkError.Code.file`.
    public static func write(_ bytes: [UInt8], to path: String) throws(NetworkError) {
        do {
            try Data(bytes).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw NetworkError(.file, path: path, "cannot be written: \(error.localizedDescription)")
        }
    }
}
