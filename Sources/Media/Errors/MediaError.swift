// SPDX-License-Identifier: Apache-2.0
internal import Basics

/// Why media could not be opened, read or written, in words a user understands.
public struct MediaError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of failure it is.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        /// The code's name.
        public let description: String

        private init(_ description: String) { self.description = description }

        /// The file or device does not exist.
        public static let notFound = Code("notFound")
        /// The file or device may not be used.
        public static let permissionDenied = Code("permissionDenied")
        /// The other side of a connection does not prove who it is.
        public static let untrusted = Code("untrusted")
        /// The contents are not media, or damaged beyond use.
        public static let notMedia = Code("notMedia")
        /// The media holds no video stream.
        public static let noVideo = Code("noVideo")
        /// There is a video stream, but not one picture of it could be decoded.
        public static let noPicture = Code("noPicture")
        /// No decoder or encoder for the codec is built in.
        public static let unsupportedCodec = Code("unsupportedCodec")
        /// The container, the protocol or a combination of formats is not supported.
        public static let unsupportedFormat = Code("unsupportedFormat")
        /// A setting is unknown or out of range.
        public static let invalidSetting = Code("invalidSetting")
        /// The output exists and overwriting was not allowed.
        public static let alreadyExists = Code("alreadyExists")
        /// The disk or the quota is full.
        public static let diskFull = Code("diskFull")
        /// The operating system reported a failure of input or output.
        public static let inputOutput = Code("inputOutput")
        /// The other side ended what has no end of its own.
        public static let ended = Code("ended")
        /// Nothing arrived within the time allowed.
        public static let timedOut = Code("timedOut")
        /// The operation was interrupted on request.
        public static let interrupted = Code("interrupted")
        /// Memory ran out.
        public static let outOfMemory = Code("outOfMemory")
        /// A library failed in a way that has no code of its own.
        public static let failed = Code("failed")
    }

    /// What kind of failure it is.
    public let code: Code
    /// What was being done: the C function or the phase.
    public let operation: String
    /// One sentence for the user, without a full stop.
    public let detail: String
    /// The library's or the system's status, 0 where there is none.
    ///
    /// Units: AVERROR.
    public let underlying: Int32

    /// Makes an error.
    public init(_ code: Code, operation: String, detail: String, underlying: Int32 = 0) {
        self.code = code
        self.operation = operation
        self.detail = detail
        self.underlying = underlying
    }

    /// The sentence for the user.
    public var description: String { detail }

    /// The same error, said of `subject` without its secrets: `road.mp4: no such file`.
    func of(_ subject: String) -> MediaError {
        MediaError(code, operation: operation, detail: "\(redacted(subject)): \(detail)", underlying: underlying)
    }
}
