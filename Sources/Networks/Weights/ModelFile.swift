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
            throw NetworkError(.file, path: path, "cannot be read: \(error.localizedDescription)")
        }
        guard size <= sizeLimit else {
            throw NetworkError(.file, path: path, "\(size) bytes are more than the limit of \(sizeLimit)")
        }
        do {
            return [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        } catch {
            throw NetworkError(.file, path: path, "cannot be read: \(error.localizedDescription)")
        }
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
