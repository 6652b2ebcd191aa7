// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Glibc

/// A file just opened for writing, and locked: how an output begins.
///
/// Whoever opens it owns the descriptors.
struct OpenedFile {
    /// The name asked for; one with a number where that was taken.
    var path: String
    /// The name the bytes go to: `path`, or one beside it while that is another file's.
    var place: String
    var descriptor: Int32
    /// The file that is to be replaced, locked; -1 for none.
    var replaced: Int32 = -1
    /// Whether the file was there, empty.
    var wasThere = false
    var isRegular = true

    /// Opens `path`, or what `rule` makes of it.
    ///
    /// - Throws: `alreadyExists` where there is a file that may not be touched, or that somebody is writing.
    static func open(_ path: String, _ rule: IfExists) throws(MediaError) -> OpenedFile {
        if path == "-" {
            let descriptor = dup(STDOUT_FILENO)
            guard descriptor >= 0 else { throw MediaError(errno: errno, operation: "dup") }
            return OpenedFile(path: path, place: path, descriptor: descriptor, isRegular: false)
        }
        var number = 1
        while true {
            do throws(MediaError) {
                return try openOne(FileNamePattern.numbered(path, number), replaces: rule == .replace)
            } catch {
                guard error.code == .alreadyExists, rule.numbers, number < 1_000_000 else { throw error }
                number += 1
            }
        }
    }

    private static func openOne(_ path: String, replaces: Bool) throws(MediaError) -> OpenedFile {
        // Names come and go while they are looked at.
        for _ in 0..<100 {
            let fresh = Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
            if fresh >= 0 {
                if FileLock.take(fresh), isStill(fresh, path) {
                    return OpenedFile(path: path, place: path, descriptor: fresh)
                }
                close(fresh)
                continue
            }
            guard errno == EEXIST else { throw MediaError(errno: errno, operation: "open") }
            var status = stat()
            // A link to what is not there yet: the file is made where it leads.
            if stat(path, &status) != 0 {
                let target = FilePath.canonical(path)
                guard FilePath.link(at: path) != nil, target != path else { continue }
                return try openOne(target, replaces: replaces)
            }
            switch status.st_mode & S_IFMT {
            case S_IFDIR: throw MediaError(.inputOutput, operation: "open", detail: "is a folder")
            case S_IFREG: if let opened = try openExisting(path, status, replaces: replaces) { return opened }
            default:
                let descriptor = Glibc.open(path, O_WRONLY | O_CLOEXEC)
                guard descriptor >= 0 else { throw MediaError(errno: errno, operation: "open") }
                return OpenedFile(path: path, place: path, descriptor: descriptor, isRegular: false)
            }
        }
        throw MediaError(.inputOutput, operation: "open", detail: "the name changes hands all the time")
    }

    /// Opens a file that is there: itself where it is empty, one beside it that is to replace it else; nil to look again.
    private static func openExisting(
        _ path: String, _ status: stat, replaces: Bool
    ) throws(MediaError) -> OpenedFile? {
        var descriptor = Glibc.open(path, O_RDWR | O_CLOEXEC)
        let isWritable = descriptor >= 0
        if !isWritable { descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC) }
        // A file that not even its name lets us read can still be replaced, without a lock.
        guard descriptor >= 0 || errno == EACCES else { return nil }
        guard descriptor < 0 || FileLock.take(descriptor) else {
            close(descriptor)
            throw MediaError(
                .alreadyExists, operation: "lock",
                detail: "is being written by another node or another process; give each a file of its own")
        }
        guard descriptor < 0 || isStill(descriptor, path) else {
            close(descriptor)
            return nil
        }
        if status.st_size == 0, isWritable {
            return OpenedFile(path: path, place: path, descriptor: descriptor, wasThere: true)
        }
        guard replaces else {
            if descriptor >= 0 { close(descriptor) }
            throw MediaError(.alreadyExists, operation: "open", detail: "exists already")
        }
        do throws(MediaError) {
            // A new file: whoever still reads the old one (this pipeline, maybe) keeps it.
            let place = try TemporaryName.beside(path)
            let fresh = Glibc.open(place, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
            guard fresh >= 0 else { throw MediaError(errno: errno, operation: "open") }
            _ = FileLock.take(fresh)
            giveRights(of: status, to: fresh)
            return OpenedFile(path: path, place: place, descriptor: fresh, replaced: descriptor)
        } catch {
            if descriptor >= 0 { close(descriptor) }
            throw error
        }
    }

    /// Whether an open file still has its name: it may have been replaced before it was locked.
    private static func isStill(_ descriptor: Int32, _ path: String) -> Bool {
        FileIdentity(path: path).map { $0 == FileIdentity(descriptor: descriptor) } ?? false
    }

    /// Gives an open file the access rights, and as far as the system allows the owner, that another had.
    static func giveRights(of status: stat, to descriptor: Int32) {
        _ = fchown(descriptor, status.st_uid, status.st_gid)
        _ = fchmod(descriptor, status.st_mode & 0o7777)
    }
}
