// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg
internal import Glibc

/// Throws what a negative FFmpeg status means; returns any other status.
@discardableResult
package func check(_ status: Int32, operation: StaticString) throws(MediaError) -> Int32 {
    if status >= 0 { return status }
    throw MediaError(status: status, operation: operation)
}

extension MediaError {
    /// Reads an FFmpeg status.
    package init(status: Int32, operation: StaticString) {
        let (code, detail) = Self.meaning(of: status)
        self.init(code, operation: "\(operation)", detail: detail, underlying: status)
    }

    /// Reads a POSIX error number.
    package init(errno number: Int32, operation: StaticString) {
        self.init(status: vpipe_averror(number), operation: operation)
    }

    /// The same failure of a connection, for the reason that FFmpeg told its log alone.
    func withHint() -> MediaError {
        guard let hint = FFmpegLog.takeHint(), code != .interrupted else { return self }
        return MediaError(hint.code, operation: operation, detail: hint.words, underlying: underlying)
    }

    private static func meaning(of status: Int32) -> (Code, String) {
        switch status {
        case vpipe_averror(ENOENT), vpipe_averror(ENODEV), vpipe_averror(ENXIO): (.notFound, "no such file or device")
        case vpipe_averror(EACCES), vpipe_averror(EPERM): (.permissionDenied, "permission denied")
        case vpipe_averror(EROFS): (.permissionDenied, "the file system is read-only")
        case vpipe_averror(EISDIR): (.notMedia, "is a folder, not a media file")
        case vpipe_averror(ENOTDIR): (.notFound, "a part of the path is not a folder")
        case vpipe_averror(ENOSPC): (.diskFull, "the disk is full")
        case vpipe_averror(EDQUOT): (.diskFull, "the disk quota is used up")
        case vpipe_averror(EFBIG): (.diskFull, "the file is larger than the file system allows")
        case vpipe_averror(EEXIST): (.alreadyExists, "the file exists already")
        case vpipe_averror(ENOMEM): (.outOfMemory, "out of memory")
        case vpipe_averror(ETIMEDOUT): (.timedOut, "timed out")
        case vpipe_averror(ECONNREFUSED): (.notFound, "nothing listens at this address (connection refused)")
        case vpipe_averror(EHOSTUNREACH), vpipe_averror(ENETUNREACH): (.notFound, "the host cannot be reached")
        case vpipe_averror(ECONNRESET), vpipe_averror(EPIPE): (.inputOutput, "the other side closed the connection")
        case vpipe_averror_http(400): (.inputOutput, "the server refuses the request (400)")
        case vpipe_averror_http(401): (.permissionDenied, "the server asks for a user name and a password (401)")
        case vpipe_averror_http(403): (.permissionDenied, "the server forbids it (403)")
        case vpipe_averror_http(404): (.notFound, "the server has nothing under this address (404)")
        case vpipe_averror_http(499): (.inputOutput, "the server refuses the request (a status of 4xx)")
        case vpipe_averror_http(500): (.inputOutput, "the server failed (a status of 5xx)")
        case vpipe_averror_exit(): (.interrupted, "interrupted")
        case vpipe_averror_eof(): (.notMedia, "ends before any media begins")
        case vpipe_averror_invalid_data(): (.notMedia, "not a media file, or damaged")
        case vpipe_averror_demuxer_not_found(): (.unsupportedFormat, "no such input format")
        case vpipe_averror_decoder_not_found(): (.unsupportedCodec, "no decoder for this codec is built into FFmpeg")
        case vpipe_averror_protocol_not_found(): (.unsupportedFormat, "no such protocol, or no such file")
        case vpipe_averror_option_not_found(): (.invalidSetting, "no such option")
        case vpipe_averror_patchwelcome(): (.unsupportedFormat, "FFmpeg does not support this feature")
        case vpipe_averror(EINVAL): (.failed, "FFmpeg refuses the parameters (invalid argument)")
        default: (.inputOutput, text(of: status))
        }
    }

    /// FFmpeg's own words for a status.
    private static func text(of status: Int32) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
            // The buffer has 128 elements, so it has a base address.
            guard let base = buffer.baseAddress, av_strerror(status, base, 128) >= 0 else { return "error \(status)" }
            let words = String(cString: base)
            return words.prefix(1).lowercased() + words.dropFirst()
        }
    }
}
