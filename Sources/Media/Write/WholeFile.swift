// SPDX-License-Identifier: Apache-2.0
package import Basics
internal import CFFmpeg
internal import Glibc

/// Files that appear under their name only when they are complete.
package enum WholeFile {
    /// Writes beside `path` and puts the whole file there.
    package static func store(_ bytes: [UInt8], at path: String, overwrites: Bool) throws(MediaError) {
        var status = stat()
        if !overwrites && lstat(path, &status) == 0 {
            throw MediaError(
                .alreadyExists, operation: "image", detail: "exists already")
        }
        let temporary = try TemporaryName.beside(path)
        do throws(MediaError) {
            let file = try OutputFile(temporary)
            var status = stat()
            if overwrites, stat(path, &status) == 0 { file.takeRights(of: status) }
            bytes.withUnsafeBufferPointer { avio_write(file.io, $0.baseAddress, Int32($0.count)) }
            try file.markWhole()
            // A link is only made where nothing is, a rename replaces: so nothing is overwritten unasked.
            guard
                overwrites
                    ? rename(temporary, path) == 0 : link(temporary, path) == 0 || renameWhereLinksFail(temporary, path)
            else { throw MediaError(errno: errno, operation: "rename") }
        } catch {
            unlink(temporary)
            throw error
        }
        unlink(temporary)
    }

    /// File systems without hard links (FAT) leave only the check made before.
    private static func renameWhereLinksFail(_ temporary: String, _ path: String) -> Bool {
        errno != EEXIST && errno != ENOSPC && rename(temporary, path) == 0
    }

    /// Dates a file with the instant it is about.
    package static func date(_ path: String, _ time: WallTime) {
        let (seconds, rest) = time.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        let stamp = timespec(tv_sec: time_t(seconds), tv_nsec: Int(max(0, rest)))
        let times = [stamp, stamp]
        _ = utimensat(AT_FDCWD, path, times, 0)
    }
}
