// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg

/// Owns a swscale context between two fixed shapes. Confined.
final class SwsHandle {
    /// One end: size, FFmpeg's pixel format, meaning of the values.
    struct Side: Equatable {
        var width: Int32
        var height: Int32
        var format: Int32
        var matrix: ColorSpec.Matrix
        var isFull: Bool
    }

    let from: Side
    let to: Side
    private let handle: OpaquePointer

    init(from: Side, to: Side, flags: Int32) throws(MediaError) {
        FFmpegLog.install()
        self.from = from
        self.to = to
        let (source, target) = (AVPixelFormat(rawValue: from.format), AVPixelFormat(rawValue: to.format))
        guard sws_isSupportedInput(source) != 0, sws_isSupportedOutput(target) != 0,
            let handle = sws_getContext(
                from.width, from.height, source, to.width, to.height, target, flags, nil, nil, nil)
        else {
            let name = av_get_pix_fmt_name(source).map { String(cString: $0) } ?? "unknown"
            throw MediaError(
                .unsupportedFormat, operation: "sws_getContext",
                detail: "pixel format \(name) (\(from.width)x\(from.height)) cannot be converted")
        }
        self.handle = handle
        // Fails for pairs that have no matrix (gray to gray), which then need none.
        _ = vpipe_sws_colors(
            handle, from.matrix.swsCode, from.isFull ? 1 : 0, to.matrix.swsCode, to.isFull ? 1 : 0)
    }

    deinit { sws_freeContext(handle) }

    func run(from source: UnsafePointer<AVFrame>, to target: UnsafeMutablePointer<AVFrame>) throws(MediaError) {
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
