// SPDX-License-Identifier: Apache-2.0

/// A place in a text as people count it: lines and columns start at 1.
public struct TextPosition: Sendable, Hashable {
    /// Counts line feeds.
    public let line: Int
    /// Counts characters (Unicode scalars), not bytes; a tab is one.
    public let column: Int
}

/// The bytes of a pipeline file together with the name it is called by in messages.
public struct SourceText: Sendable {
    /// The name in messages.
    public let file: String
    /// The text, presumably UTF-8.
    public let bytes: [UInt8]

    /// Makes a text to point into.
    public init(file: String, bytes: [UInt8]) {
        self.file = file
        self.bytes = bytes
    }

    /// Finds line and column of a byte offset; an offset past the end is the end.
    ///
    /// - Complexity: linear in the offset; done only for what is reported.
    public func position(of offset: Int) -> TextPosition {
        let end = min(max(offset, 0), bytes.count)
        var line = 1
        var column = 1
        bytes.withUnsafeBufferPointer { bytes in
            var at = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? min(3, end) : 0
            while at < end {
                let byte = bytes[at]
                if byte == UInt8(ascii: "\n") {
                    line += 1
                    column = 1
                } else if byte & 0xC0 != 0x80 {
                    column += 1
                }
                at += 1
            }
        }
        return TextPosition(line: line, column: column)
    }
}

/// Where a value was written: in the file, or on the command line.
public enum Origin: Sendable, Hashable {
    case file
    /// The `number`th `--set`, with its text as given.
    case flag(number: Int, text: String)
}

/// The exact spot something was written, for pointing at it later.
public struct SourceLocation: Sendable, Hashable {
    /// Byte offset in the file; for a flag, the place that it took.
    public var offset: Int
    /// The file or a flag.
    public var origin: Origin

    /// Makes a location.
    public init(offset: Int, origin: Origin = .file) {
        self.offset = offset
        self.origin = origin
    }
}
