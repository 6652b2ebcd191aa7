// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg
internal import Glibc

/// One PNG in, one PNG out, samples as they are.
enum PNGCodec {
    /// Encodes a frame in a format that PNG has.
    static func encode(_ image: UnsafeMutablePointer<AVFrame>) throws(MediaError) -> [UInt8] {
        guard let codec = avcodec_find_encoder(AV_CODEC_ID_PNG), let context = avcodec_alloc_context3(codec) else {
            throw MediaError(.unsupportedCodec, operation: "image", detail: "no PNG encoder is built into FFmpeg")
        }
        defer { free(context) }
        context.pointee.width = image.pointee.width
        context.pointee.height = image.pointee.height
        context.pointee.pix_fmt = AVPixelFormat(rawValue: image.pointee.format)
        context.pointee.sample_aspect_ratio = image.pointee.sample_aspect_ratio
        context.pointee.time_base = AVRational(num: 1, den: 25)
        context.pointee.thread_count = 1
        try check(avcodec_open2(context, codec, nil), operation: "avcodec_open2")
        try check(avcodec_send_frame(context, image), operation: "avcodec_send_frame")
        try check(avcodec_send_frame(context, nil), operation: "avcodec_send_frame")
        guard let packet = av_packet_alloc() else {
            throw MediaError(status: vpipe_averror(ENOMEM), operation: "image")
        }
        defer { AudioTap.free(packet) }
        try check(avcodec_receive_packet(context, packet), operation: "avcodec_receive_packet")
        return Array(UnsafeBufferPointer(start: packet.pointee.data, count: Int(packet.pointee.size)))
    }

    /// Decodes a file's bytes.
    static func decode(_ bytes: [UInt8], into image: UnsafeMutablePointer<AVFrame>) throws(MediaError) {
        guard let codec = avcodec_find_decoder(AV_CODEC_ID_PNG), let context = avcodec_alloc_context3(codec) else {
            throw MediaError(.unsupportedCodec, operation: "image", detail: "no PNG decoder is built into FFmpeg")
        }
        defer { free(context) }
        context.pointee.thread_count = 1
        context.pointee.max_pixels = Int64(IndexedImage.sampleLimit)
        try check(avcodec_open2(context, codec, nil), operation: "avcodec_open2")
        guard let packet = av_packet_alloc() else {
            throw MediaError(status: vpipe_averror(ENOMEM), operation: "image")
        }
        defer { AudioTap.free(packet) }
        try check(av_new_packet(packet, Int32(clamping: bytes.count)), operation: "av_new_packet")
        bytes.withUnsafeBufferPointer { source in
            guard let base = source.baseAddress else { return }
            packet.pointee.data.update(from: base, count: Int(packet.pointee.size))
        }
        try check(avcodec_send_packet(context, packet), operation: "avcodec_send_packet")
        try check(avcodec_receive_frame(context, image), operation: "avcodec_receive_frame")
    }

    private static func free(_ context: UnsafeMutablePointer<AVCodecContext>) {
        var handle: UnsafeMutablePointer<AVCodecContext>? = context
        avcodec_free_context(&handle)
    }
}
