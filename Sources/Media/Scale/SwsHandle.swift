// SPDX-License-Identifier: Apache-2.0
package import CFFmpeg

/// Owns a swscale context between two fixed shapes.
///
/// Confined.
package final class SwsHandle {
    /// One end: size, FFmpeg's pixel format, meaning of the values.
    package struct Side: Equatable {
        package var width: Int32
        package var height: Int32
        package var format: Int32
        package var matrix: ColorSpec.Matrix
        package var isFull: Bool

        package init(width: Int32, height: Int32, format: Int32, matrix: ColorSpec.Matrix, isFull: Bool) {
            self.width = width
            self.height = height
            self.format = format
            self.matrix = matrix
            self.isFull = isFull
        }
    }

    package let from: Side
    package let to: Side
    private let handle: OpaquePointer

    package init(from: Side, to: Side, flags: Int32) throws(MediaError) {
        FFmpegLog.install()
        self.from = from
        self.to = to
        let (source, target) = (AVPixelFormat(rawValue: from.format), AVPixelFormat(rawValue: to.format))
        guard sws_isSupportedInput(source) != 0, sws_isSupportedOutput(target) != 0, let fresh = sws_alloc_context()
        else {
            throw Self.refusal(from)
        }
        // Not sws_getContext: the ranges have to be known before it picks a path, or it picks a plain copy.
        let settings: [(String, Int64)] = [
            ("srcw", Int64(from.width)), ("srch", Int64(from.height)), ("src_format", Int64(from.format)),
            ("dstw", Int64(to.width)), ("dsth", Int64(to.height)), ("dst_format", Int64(to.format)),
            ("src_range", from.isFull ? 1 : 0), ("dst_range", to.isFull ? 1 : 0), ("sws_flags", Int64(flags)),
        ]
        for (key, value) in settings { av_opt_set_int(UnsafeMutableRawPointer(fresh), key, value, 0) }
        guard sws_init_context(fresh, nil, nil) >= 0 else {
            sws_freeContext(fresh)
            throw Self.refusal(from)
        }
        handle = fresh
        // Fails for pairs that have no matrix (gray to gray), which then need none.
        _ = vpipe_sws_colors(
            handle, from.matrix.swsCode, from.isFull ? 1 : 0, to.matrix.swsCode, to.isFull ? 1 : 0)
    }

    deinit { sws_freeContext(handle) }

    private static func refusal(_ from: Side) -> MediaError {
        let name = av_get_pix_fmt_name(AVPixelFormat(rawValue: from.format)).map { String(cString: $0) } ?? "unknown"
        return MediaError(
            .unsupportedFormat, operation: "sws_init_context",
            detail: "pixel format \(name) (\(from.width)x\(from.height)) cannot be converted")
    }

    package func run(from source: UnsafePointer<AVFrame>, to target: UnsafeMutablePointer<AVFrame>) throws(MediaError) {
        try check(vpipe_sws_scale(handle, source, target), operation: "sws_scale")
    }
}

extension ColorSpec.Matrix {
    fileprivate var swsCode: Int32 {
        switch self {
        case .bt601: SWS_CS_ITU601
        case .bt709: SWS_CS_ITU709
        case .bt2020: SWS_CS_BT2020
        }
    }
}
