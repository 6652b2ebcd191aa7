// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg
internal import Glibc

/// The system calls an output makes; tests put in ones that fail.
struct OutputCalls: Sendable {
    /// As `pwrite`: bytes written, or -1 with `errno` set.
    var write: @Sendable (_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int, _ offset: Int64) -> Int = {
        pwrite($0, $1, $2, off_t($3))
    }
    /// As `fsync`.
    var sync: @Sendable (_ descriptor: Int32) -> Int32 = { fsync($0) }
    /// As `rename`.
    var rename: @Sendable (_ from: String, _ to: String) -> Int32 = { Glibc.rename($0, $1) }
}

/// Owns a file being written: its descriptor and the `AVIOContext` that FFmpeg writes through.
///
/// Short writes and EINTR are handled; the first failure is kept. A file that is replaced stays under its name until a
/// part of the new one is whole: that is written beside it and moved over it. A file that nothing was written to is
/// removed with its owner: an empty one helps nobody. Confined to the writer's queue.
final class OutputFile {
    let path: String
    let calls: OutputCalls
    let isRegular: Bool
    /// The name the bytes are under: `path`, or one beside it while that is another file's.
    private var place: String
    private let descriptor: Int32
    private var handle: UnsafeMutablePointer<AVIOContext>?
    private var position: Int64 = 0
    /// The first failure, as an AVERROR; 0 for none.
    private(set) var failure: Int32 = 0
    /// Everything before this byte is complete in itself.
    private(set) var wholeLength: Int64 = 0

    /// Creates `path`; an existing file is an error or is replaced.
    init(_ path: String, overwrites: Bool, calls: OutputCalls = OutputCalls()) throws(MediaError) {
        self.path = path
        self.calls = calls
        var status = stat()
        let exists = stat(path, &status) == 0
        let isSpecial = exists && status.st_mode & S_IFMT != S_IFREG
        if exists && status.st_mode & S_IFMT == S_IFDIR {
            throw MediaError(.inputOutput, operation: "open", detail: "is a folder")
        }
        if exists && !isSpecial && !overwrites {
            throw MediaError(
                .alreadyExists, operation: "open", detail: "exists already, and overwriting was not asked for")
        }
        // A new file in any case: whoever still reads the old one (this pipeline, maybe) keeps it.
        place = exists && !isSpecial ? try TemporaryName.beside(path) : path
        descriptor = open(place, isSpecial ? O_WRONLY | O_CLOEXEC : O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw MediaError(errno: errno, operation: "open") }
        isRegular = !isSpecial
        handle = vpipe_avio_writer(
            1 << 18, Unmanaged.passUnretained(self).toOpaque(),
            { opaque, bytes, count in
                guard let opaque, let bytes else { return vpipe_averror(EINVAL) }
                return Unmanaged<OutputFile>.fromOpaque(opaque).takeUnretainedValue().write(bytes, count)
            },
            isSpecial
                ? nil
                : { opaque, offset, whence in
                    guard let opaque else { return Int64(vpipe_averror(EINVAL)) }
                    return Unmanaged<OutputFile>.fromOpaque(opaque).takeUnretainedValue().seek(offset, whence)
                })
        guard let handle else { throw MediaError(status: vpipe_averror(ENOMEM), operation: "avio_alloc_context") }
        handle.pointee.seekable = isSpecial ? 0 : AVIO_SEEKABLE_NORMAL
    }

    deinit {
        vpipe_avio_writer_free(&handle)
        guard descriptor >= 0 else { return }
        var status = stat()
        let isEmpty = isRegular && fstat(descriptor, &status) == 0 && status.st_size == 0
        if isEmpty || place != path { unlink(place) }
        close(descriptor)
    }

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
        if place != path { try takePlace() }
    }

    /// Moves the file over the one it replaces, after its first bytes are safe from a power cut.
    private func takePlace() throws(MediaError) {
        try synchronise()
        guard calls.rename(place, path) == 0 else { throw MediaError(errno: errno, operation: "rename") }
        place = path
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
