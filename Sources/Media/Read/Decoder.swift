// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg
internal import Glibc

/// Owns an opened decoder: the `AVCodecContext`.
///
/// Confined to the reader's queue.
final class Decoder {
    let context: UnsafeMutablePointer<AVCodecContext>
    private static let largestPixels: Int64 = 1 << 27

    /// Opens the decoder of `stream`.
    ///
    /// `threads` nil chooses: see `threads(for:)`.
    init(_ stream: UnsafeMutablePointer<AVStream>, threads: Int?) throws(MediaError) {
        guard let parameters = stream.pointee.codecpar else {
            throw MediaError(.noVideo, operation: "decoder", detail: "holds no video stream")
        }
        let pixels = Int64(parameters.pointee.width) * Int64(parameters.pointee.height)
        guard pixels <= Self.largestPixels else {
            throw MediaError(
                .unsupportedFormat, operation: "decoder",
                detail: "pictures of \(parameters.pointee.width)x\(parameters.pointee.height) are larger than is read: "
                    + "\(Self.largestPixels / 1_000_000) million pixels")
        }
        let id = parameters.pointee.codec_id
        guard let codec = avcodec_find_decoder(id) else {
            let detail =
                id == AV_CODEC_ID_NONE
                ? "the codec of the video stream is not known to FFmpeg"
                : "no decoder for \(String(cString: avcodec_get_name(id))) is built into FFmpeg"
            throw MediaError(.unsupportedCodec, operation: "avcodec_find_decoder", detail: detail)
        }
        guard let fresh = avcodec_alloc_context3(codec) else {
            throw MediaError(status: vpipe_averror(ENOMEM), operation: "avcodec_alloc_context3")
        }
        context = fresh
        try check(avcodec_parameters_to_context(fresh, parameters), operation: "avcodec_parameters_to_context")
        fresh.pointee.pkt_timebase = stream.pointee.time_base
        fresh.pointee.thread_count = Int32(clamping: threads ?? Self.threads(for: parameters))
        // A damaged header must not make us reserve gigabytes; 8K has 33 million pixels.
        fresh.pointee.max_pixels = Self.largestPixels
        try check(avcodec_open2(fresh, codec, nil), operation: "avcodec_open2")
    }

    deinit {
        var context: UnsafeMutablePointer<AVCodecContext>? = context
        avcodec_free_context(&context)
    }

    /// Threads that keep up with the stream without fighting the engine for cores.
    ///
    /// One up to 1080p at 8 bit on four cores or fewer (such a stream decodes several times faster than a network runs
    /// there); a quarter of the cores beyond, and twice that, two at least, for larger pictures.
    static func threads(for parameters: UnsafePointer<AVCodecParameters>) -> Int {
        let cores = max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        let pixels = Int(parameters.pointee.width) * Int(parameters.pointee.height)
        let layout = av_pix_fmt_desc_get(AVPixelFormat(rawValue: parameters.pointee.format))
        let isDeep = (layout?.pointee.comp.0.depth ?? 8) > 8
        if pixels <= 1920 * 1088 && !isDeep { return cores <= 4 ? 1 : min(4, cores / 4) }
        return min(cores, max(2, min(8, cores / 2)))
    }
}
