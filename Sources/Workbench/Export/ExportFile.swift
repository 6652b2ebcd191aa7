// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Foundation
internal import PipelineLanguage

/// What the user should have given otherwise, in a sentence.
public struct ExportError: Error, CustomStringConvertible {
    /// The sentence.
    public let description: String

    init(_ description: String) { self.description = description }
}

/// The export was stopped; nothing is left of it.
public struct ExportStopped: Error {}

/// What the world did, in a sentence.
public struct ExportFault: Error, CustomStringConvertible {
    /// The sentence.
    public let description: String

    init(_ description: String) { self.description = description }
}

/// A text file that is written from its beginning to its end.
///
/// - Note: Thread-safety: confined.
final class ExportFile {
    private let path: String
    private let handle: FileHandle
    private var bytes: [UInt8] = []

    /// Makes an empty file.
    init(_ path: String) throws(ExportFault) {
        let descriptor = open(FileName.bytes(path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw ExportFault("\(path): \(String(cString: strerror(errno)))") }
        self.path = path
        handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    func write(_ text: String) throws(ExportFault) {
        bytes += text.utf8
        if bytes.count > 1 << 16 { try flush() }
    }

    func write(_ text: [UInt8]) throws(ExportFault) {
        bytes += text
        if bytes.count > 1 << 16 { try flush() }
    }

    /// Appends the bytes of another file, which is closed and removed.
    func append(_ other: ExportFile) throws(ExportFault) {
        try other.close()
        guard let source = FileHandle(forReadingAtPath: other.path) else {
            throw ExportFault("\(other.path): \(String(cString: strerror(errno)))")
        }
        do {
            while let part = try source.read(upToCount: 1 << 20), !part.isEmpty { try write(Array(part)) }
            try source.close()
        } catch let fault as ExportFault {
            throw fault
        } catch {
            throw ExportFault("\(other.path): cannot be read: \(BatchFolder.reason(error))")
        }
        unlink(FileName.bytes(other.path))
    }

    /// Ends the file.
    ///
    /// - Parameter isDurable: whether its bytes are on disk then, which takes milliseconds.
    func close(isDurable: Bool = true) throws(ExportFault) {
        try flush()
        do {
            if isDurable { try handle.synchronize() }
            try handle.close()
        } catch {
            throw ExportFault("\(path): cannot be written: \(BatchFolder.reason(error))")
        }
    }

    private func flush() throws(ExportFault) {
        do {
            try handle.write(contentsOf: bytes)
        } catch {
            throw ExportFault("\(path): cannot be written: \(BatchFolder.reason(error))")
        }
        bytes.removeAll(keepingCapacity: true)
    }
}

/// A number with up to two decimals, as the record has coordinates.
func pixels(_ value: Double) -> String { numeral(value, places: 2) }

/// A number of JSON, XML or a table, with up to `places` decimals.
func numeral(_ value: Double, places: Int) -> String {
    value.magnitude < 1e9 ? NumberText.decimal(value, places: places) : plain(value)
}
