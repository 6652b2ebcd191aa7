// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// A text file written line by line.
///
/// Confined to one queue.
final class LineFile {
    /// The file; `-` is standard output.
    let path: String
    private let flushesAlways: Bool
    private var descriptor: Int32
    private var buffer: [UInt8] = []
    private var isStandardOutput: Bool { path == "-" }

    /// Creates the file, or replaces it where that is allowed.
    init(_ path: String, overwrites: Bool, flushesAlways: Bool) throws {
        self.path = path
        self.flushesAlways = flushesAlways || path == "-"
        if path == "-" {
            descriptor = STDOUT_FILENO
        } else {
            let mode = O_WRONLY | O_CREAT | O_CLOEXEC | (overwrites ? O_TRUNC : O_EXCL)
            descriptor = open(path, mode, 0o644)
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

    deinit { if !isStandardOutput, descriptor >= 0 { Glibc.close(descriptor) } }

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
        defer {
            if !isStandardOutput { Glibc.close(descriptor) }
            descriptor = -1
        }
        try flush()
    }

    private func flush() throws {
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

/// Why an output cannot be made or written, in one sentence.
struct OutputError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
