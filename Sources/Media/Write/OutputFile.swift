// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import CFFmpeg
internal import Glibc

/// The system calls an output makes; tests put in ones that fail.
package struct OutputCalls: Sendable {
    package init() {}

    /// As `pwrite`: bytes written, or -1 with `errno` set.
    var write: @Sendable (_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int, _ offset: Int64) -> Int = {
        pwrite($0, $1, $2, off_t($3))
    }
    /// As `fsync`.
    var sync: @Sendable (_ descriptor: Int32) -> Int32 = { fsync($0) }
    /// As `rename`.
    var rename: @Sendable (_ from: String, _ to: String) -> Int32 = { Glibc.rename($0, $1) }
}

/// Owns a file being written: its descriptor, its lock and the `AVIOContext` that FFmpeg writes through.
///
/// Short writes and EINTR are handled; the first failure is kept. A file that is replaced stays under its name until a
/// part of the new one is whole: that is written beside it and moved over it. A file that nothing was written to is
/// removed with its owner: an empty one helps nobody. What is done to the file is done through the descriptor; its name
/// is looked at again before it is used. Confined to the writer's queue.
final class OutputFile {
    /// The name the file was opened under; one with a number where that was taken.
    private(set) var path: String
    let calls: OutputCalls
    let isRegular: Bool
    /// The name the bytes are under: `path`, or one beside it while that is another file's.
    private var place: String
    private let descriptor: Int32
    /// The file that is going to be replaced, locked until it is; -1 for none.
    private var replaced: Int32
    /// Whether the file was there, empty.
    private let wasThere: Bool
    private var handle: UnsafeMutablePointer<AVIOContext>?
    private var position: Int64 = 0
    /// The first failure, as an AVERROR; 0 for none.
    private(set) var failure: Int32 = 0
    /// Everything before this byte is complete in itself.
    private(set) var wholeLength: Int64 = 0

    /// Creates `path`; `ifExists` says what becomes of one that is there.
    ///
    /// An empty file counts as none.
    init(_ path: String, ifExists: IfExists = .fail, calls: OutputCalls = OutputCalls()) throws(MediaError) {
        let opened = try OpenedFile.open(path, ifExists)
        self.path = opened.path
        self.calls = calls
        place = opened.place
        descriptor = opened.descriptor
        replaced = opened.replaced
        wasThere = opened.wasThere
        isRegular = opened.isRegular
        handle = vpipe_avio_writer(
            1 << 18, Unmanaged.passUnretained(self).toOpaque(),
            { opaque, bytes, count in
                guard let opaque, let bytes else { return vpipe_averror(EINVAL) }
                return Unmanaged<OutputFile>.fromOpaque(opaque).takeUnretainedValue().write(bytes, count)
            },
            opened.isRegular
                ? { opaque, offset, whence in
                    guard let opaque else { return Int64(vpipe_averror(EINVAL)) }
                    return Unmanaged<OutputFile>.fromOpaque(opaque).takeUnretainedValue().seek(offset, whence)
                } : nil)
        guard let handle else { throw MediaError(status: vpipe_averror(ENOMEM), operation: "avio_alloc_context") }
        handle.pointee.seekable = isRegular ? AVIO_SEEKABLE_NORMAL : 0
    }

    deinit {
        vpipe_avio_writer_free(&handle)
        var status = stat()
        let isEmpty = isRegular && fstat(descriptor, &status) == 0 && status.st_size == 0
        if (isEmpty && !wasThere) || place != path, isUnder(place) { unlink(place) }
        if replaced >= 0 { close(replaced) }
        close(descriptor)
    }

    /// The file by its descriptor, whatever became of its name.
    var descriptorPath: String { "/proc/self/fd/\(descriptor)" }

    /// Where a file that is written turns out to be.
    enum Whereabouts: Equatable {
        case inPlace
        /// Somebody gave it another name.
        case moved(String)
        /// No name leads to it any more.
        case deleted
    }

    /// Where the file is now.
    var whereabouts: Whereabouts {
        guard isRegular, !isUnder(place) else { return .inPlace }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_nlink > 0, let name = FilePath.link(at: descriptorPath),
            isUnder(name)
        else { return .deleted }
        return .moved(name)
    }

    /// Whether `name` leads to this file.
    func isUnder(_ name: String) -> Bool {
        FileIdentity(path: name).map { $0 == FileIdentity(descriptor: descriptor) } ?? false
    }

    /// Says that the file is gone, so that nobody believes it is being written.
    private func checkPlace() throws(MediaError) {
        guard whereabouts == .deleted else { return }
        throw MediaError(.notFound, operation: "write", detail: "was deleted while it was written")
    }

    /// Gives the file the access rights, and as far as allowed the owner, of another.
    func takeRights(of status: stat) { OpenedFile.giveRights(of: status, to: descriptor) }

    /// What FFmpeg writes through.
    ///
    /// Valid while `self` lives.
    var io: UnsafeMutablePointer<AVIOContext>? { handle }

    /// Throws the first failure, if there was one.
    func checkWritten() throws(MediaError) {
        if failure < 0 { throw MediaError(status: failure, operation: "write") }
    }

    /// Hands everything to the system and remembers that up to here the file is whole.
    func markWhole() throws(MediaError) {
        avio_flush(handle)
        try checkWritten()
        wholeLength = position
        try checkPlace()
        if place != path { try takePlace() }
    }

    /// Moves the file over the one it replaces, after its first bytes are safe from a power cut.
    ///
    /// Where that is not the one it was any more, somebody else's file has its name: this one gets a number.
    private func takePlace() throws(MediaError) {
        try synchronise()
        if let now = FileIdentity(path: path), now != FileIdentity(descriptor: replaced) {
            var number = 2
            while link(place, FileNamePattern.numbered(path, number)) != 0 {
                guard errno == EEXIST, number < 1_000_000 else { throw MediaError(errno: errno, operation: "link") }
                number += 1
            }
            unlink(place)
            path = FileNamePattern.numbered(path, number)
        } else {
            guard calls.rename(place, path) == 0 else { throw MediaError(errno: errno, operation: "rename") }
        }
        place = path
        if replaced >= 0 { close(replaced) }
        replaced = -1
        TemporaryName.synchroniseFolder(of: path)
    }

    /// Cuts off what is not whole, after a failure.
    func truncateToWhole() {
        if isRegular { _ = ftruncate(descriptor, off_t(wholeLength)) }
    }

    /// Makes what was written survive a power cut.
    func synchronise() throws(MediaError) {
        avio_flush(handle)
        try checkWritten()
        if isRegular && calls.sync(descriptor) != 0 { throw MediaError(errno: errno, operation: "fsync") }
    }

    private func write(_ bytes: UnsafePointer<UInt8>, _ count: Int32) -> Int32 {
        if failure < 0 { return failure }
        var done = 0
        while done < Int(count) {
            let written =
                isRegular
                ? calls.write(descriptor, bytes + done, Int(count) - done, position)
                : Glibc.write(descriptor, bytes + done, Int(count) - done)
            if written < 0 {
                if errno == EINTR { continue }
                failure = vpipe_averror(errno)
                return failure
            }
            if written == 0 {
                failure = vpipe_averror(ENOSPC)
                return failure
            }
            done += written
            position += Int64(written)
        }
        return count
    }

    private func seek(_ offset: Int64, _ whence: Int32) -> Int64 {
        var status = stat()
        switch whence & ~AVSEEK_FORCE {
        case AVSEEK_SIZE: return fstat(descriptor, &status) == 0 ? Int64(status.st_size) : Int64(vpipe_averror(errno))
        case SEEK_SET: position = offset
        case SEEK_CUR: position += offset
        case SEEK_END:
            guard fstat(descriptor, &status) == 0 else { return Int64(vpipe_averror(errno)) }
            position = Int64(status.st_size) + offset
        default: return Int64(vpipe_averror(EINVAL))
        }
        return position
    }
}
