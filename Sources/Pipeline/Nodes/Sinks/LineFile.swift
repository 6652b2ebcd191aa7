// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Media

/// A text file written line by line.
///
/// A file that was there keeps what it held until the first line comes or the end; a new one that neither came to is
/// removed with its owner, so that a failed start leaves things as they were. Confined to one queue.
final class LineFile {
    /// The file; `-` is standard output.
    let path: String
    private let flushesAlways: Bool
    private var descriptor: Int32
    private let isNew: Bool
    private var isUntouched = true
    private var buffer: [UInt8] = []
    private var isStandardOutput: Bool { path == "-" }

    /// Creates the file, and its folder, or opens the one there is where it may be replaced.
    init(_ path: String, overwrites: Bool, flushesAlways: Bool) throws {
        self.path = path
        self.flushesAlways = flushesAlways || path == "-"
        if path == "-" {
            descriptor = STDOUT_FILENO
            isNew = false
        } else {
            try OutputFolder.make(for: path)
            isNew = access(path, F_OK) != 0
            descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (overwrites ? 0 : O_EXCL), 0o644)
            let cause = errno
            guard descriptor >= 0 else {
                throw OutputError(
                    cause == EEXIST
                        ? "\(path): exists already; allow it with \"overwrite\": true or --overwrite"
                        : "\(path): \(String(cString: strerror(cause)))")
            }
        }
        buffer.reserveCapacity(1 << 16)
    }

    deinit { release() }

    /// Appends whole lines.
    func write(_ bytes: UnsafeRawBufferPointer) throws {
        buffer.append(contentsOf: bytes)
        if flushesAlways || buffer.count >= 1 << 15 { try flush() }
    }

    /// Writes what is buffered and closes the file.
    ///
    /// Safe to call twice.
    func close() throws {
        guard descriptor >= 0 else { return }
        defer { release() }
        try flush()
    }

    /// Closes the file as it is; what is buffered is written where lines have come.
    ///
    /// Safe to call after `close`.
    func abandon() {
        if buffer.isEmpty { release() } else { try? close() }
    }

    private func release() {
        guard descriptor >= 0 else { return }
        if !isStandardOutput {
            if isNew, isUntouched { unlink(path) }
            Glibc.close(descriptor)
        }
        descriptor = -1
    }

    private func flush() throws {
        if isUntouched, !isStandardOutput { _ = ftruncate(descriptor, 0) }
        isUntouched = false
        var done = 0
        defer { buffer.removeAll(keepingCapacity: true) }
        while done < buffer.count {
            let count = buffer.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress.unsafelyUnwrapped + done, $0.count - done)
            }
            let cause = errno
            if count < 0, cause == EINTR { continue }
            guard count > 0 else {
                throw OutputError("\(path): \(String(cString: strerror(cause)))")
            }
            done += count
        }
    }
}
