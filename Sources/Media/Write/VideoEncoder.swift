// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg
internal import Glibc

/// Owns an opened encoder: the `AVCodecContext`.
///
/// Confined to the writer's queue.
final class VideoEncoder {
    /// What goes in: fixed when the encoder is opened.
    struct Shape: Equatable {
        var width: Int
        var height: Int
        var format: PixelFormat
        var color: ColorSpec
        var pixelAspect: Rational
    }

    let context: UnsafeMutablePointer<AVCodecContext>
    let shape: Shape
    private let isConstantScale: Bool

    /// Opens the encoder called `name` for pictures of `shape` whose times count in `timeBase`.
    init(
        _ codec: VideoCodec, name: String, shape: Shape, settings: WriterSettings, timeBase: Rational,
        needsGlobalHeader: Bool
    ) throws(MediaError) {
        FFmpegLog.install()
        guard let found = avcodec_find_encoder_by_name(name) else {
            throw MediaError(
                .unsupportedCodec, operation: "avcodec_find_encoder_by_name",
                detail: "the encoder \(name) is not built into FFmpeg")
        }
        guard let fresh = avcodec_alloc_context3(found) else {
            throw MediaError(status: vpipe_averror(ENOMEM), operation: "avcodec_alloc_context3")
        }
        context = fresh
        self.shape = shape
        let stored = codec == .mjpeg ? shape.format.jpeg : shape.format.av
        guard Self.takes(found, stored) else {
            throw MediaError(
                .invalidSetting, operation: "encoder", detail: "\(name) cannot store the layout \(shape.format)")
        }
        fresh.pointee.width = Int32(shape.width)
        fresh.pointee.height = Int32(shape.height)
        fresh.pointee.pix_fmt = stored
        fresh.pointee.time_base = timeBase.av
        if settings.frameRate.value != nil { fresh.pointee.framerate = settings.frameRate.av }
        fresh.pointee.sample_aspect_ratio =
            shape.pixelAspect.value == nil
            ? AVRational(num: 0, den: 1) : shape.pixelAspect.av
        fresh.pointee.color_range = shape.color.range == .full ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG
        fresh.pointee.colorspace = shape.color.matrix.avCode
        fresh.pointee.color_primaries = AVColorPrimaries(rawValue: UInt32(shape.color.primaries))
        fresh.pointee.color_trc = AVColorTransferCharacteristic(rawValue: UInt32(shape.color.transfer))
        fresh.pointee.thread_count = Int32(clamping: max(0, settings.threads))
        if let interval = settings.keyframeInterval { fresh.pointee.gop_size = Int32(clamping: max(1, interval)) }
        if needsGlobalHeader { fresh.pointee.flags |= AV_CODEC_FLAG_GLOBAL_HEADER }
        if let bound = settings.maxBitRate {
            fresh.pointee.rc_max_rate = Int64(bound)
            fresh.pointee.rc_buffer_size = Int32(clamping: bound)
        }
        var options = OptionDictionary()
        let usesScale = name == "mjpeg" || name == "mpeg4"
        isConstantScale = usesScale && settings.bitRate == nil
        if let bitRate = settings.bitRate {
            fresh.pointee.bit_rate = Int64(bitRate)
        } else if usesScale {
            let quality = settings.quality.map { codec == .mjpeg ? $0 : 2 + $0 * 29 / 51 } ?? 3
            fresh.pointee.flags |= AV_CODEC_FLAG_QSCALE
            fresh.pointee.global_quality = FF_QP2LAMBDA * Int32(clamping: quality)
        } else if name == "libx264" || name == "libx265" || name == "libvpx-vp9" {
            options.set("crf", String(settings.quality ?? codec.defaultQuality))
            fresh.pointee.bit_rate = 0
        }
        Self.tune(name, shape, settings, &options)
        let status = options.consumeOptions { avcodec_open2(fresh, found, $0) }
        guard status >= 0 else {
            let cause = MediaError(status: status, operation: "avcodec_open2")
            throw MediaError(
                cause.code == .outOfMemory ? cause.code : .unsupportedFormat, operation: cause.operation,
                detail: "\(name) does not take \(shape.width)x\(shape.height) \(shape.format) with these settings"
                    + " (\(cause.detail))", underlying: status)
        }
    }

    deinit {
        var context: UnsafeMutablePointer<AVCodecContext>? = context
        avcodec_free_context(&context)
    }

    /// Gives the encoder a picture of the shape it was opened for, or nil at the end.
    ///
    /// `isKey` makes it a picture that decoding can begin with.
    func send(_ picture: Picture?, pts: Int64, isKey: Bool = false) throws(MediaError) {
        guard let picture else {
            try check(avcodec_send_frame(context, nil), operation: "avcodec_send_frame")
            return
        }
        let frame = AVFramePool.take()
        defer { AVFramePool.give(frame) }
        try check(av_frame_ref(frame, picture.avFrame), operation: "av_frame_ref")
        // What the decoder noted must not steer the encoder.
        vpipe_frame_strip(frame)
        frame.pointee.format = context.pointee.pix_fmt.rawValue
        frame.pointee.pts = pts
        frame.pointee.color_range = context.pointee.color_range
        frame.pointee.colorspace = context.pointee.colorspace
        frame.pointee.color_primaries = context.pointee.color_primaries
        frame.pointee.color_trc = context.pointee.color_trc
        frame.pointee.sample_aspect_ratio = context.pointee.sample_aspect_ratio
        if isKey { frame.pointee.pict_type = AV_PICTURE_TYPE_I }
        frame.pointee.quality = isConstantScale ? context.pointee.global_quality : 0
        try check(avcodec_send_frame(context, frame), operation: "avcodec_send_frame")
    }

    /// Takes the next packet; false when there is none for now or none any more.
    func receive(into packet: UnsafeMutablePointer<AVPacket>) throws(MediaError) -> Bool {
        let status = avcodec_receive_packet(context, packet)
        if status == vpipe_averror(EAGAIN) || status == vpipe_averror_eof() { return false }
        try check(status, operation: "avcodec_receive_packet")
        return true
    }

    private static func tune(
        _ name: String, _ shape: Shape, _ settings: WriterSettings, _ options: inout OptionDictionary
    ) {
        switch name {
        case "libx264", "libx265":
            if let preset = settings.preset { options.set("preset", preset) }
            if settings.hasLowLatency {
                options.set("tune", "zerolatency")
                options.set("forced-idr", "1")
            }
            // libx265 writes to the standard error stream itself.
            if name == "libx265" { options.set("x265-params", "log-level=none") }
        case "libvpx-vp9":
            let place = settings.preset.flatMap { VideoCodec.presets.firstIndex(of: $0) } ?? 5
            let speed = [8, 7, 6, 5, 4, 2, 1, 1, 0][place]
            options.set("deadline", speed > 5 || settings.hasLowLatency ? "realtime" : "good")
            options.set("cpu-used", String(settings.hasLowLatency ? max(5, speed) : speed))
            options.set("row-mt", "1")
            if settings.hasLowLatency { options.set("lag-in-frames", "0") }
        case "ffv1":
            // Version 3 cuts the picture into slices, of which the smallest pictures have too few samples.
            options.set("level", min(shape.width, shape.height) < 64 ? "1" : "3")
        default: break
        }
    }

    private static func takes(_ codec: UnsafePointer<AVCodec>, _ format: AVPixelFormat) -> Bool {
        guard var list = vpipe_encoder_formats(codec) else { return true }
        while list.pointee != AV_PIX_FMT_NONE {
            if list.pointee == format { return true }
            list += 1
        }
        return false
    }
}

extension PixelFormat {
    /// The label JPEG encoders want for full range.
    var jpeg: AVPixelFormat {
        switch self {
        case .i420, .nv12: AV_PIX_FMT_YUVJ420P
        case .i422: AV_PIX_FMT_YUVJ422P
        case .i444: AV_PIX_FMT_YUVJ444P
        case .gray8: AV_PIX_FMT_GRAY8
        }
    }
}

extension ColorSpec.Matrix {
    var avCode: AVColorSpace {
        switch self {
        case .bt601: AVCOL_SPC_SMPTE170M
        case .bt709: AVCOL_SPC_BT709
        case .bt2020: AVCOL_SPC_BT2020_NCL
        }
    }
}
