// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg

/// The codecs a writer encodes with.
public enum VideoCodec: String, Sendable, CaseIterable {
    /// H.264 (libx264).
    case h264
    /// H.265 (libx265).
    case hevc
    /// VP9 (libvpx).
    case vp9
    /// Motion JPEG.
    case mjpeg
    /// FFV1, lossless.
    case ffv1

    var id: AVCodecID {
        switch self {
        case .h264: AV_CODEC_ID_H264
        case .hevc: AV_CODEC_ID_HEVC
        case .vp9: AV_CODEC_ID_VP9
        case .mjpeg: AV_CODEC_ID_MJPEG
        case .ffv1: AV_CODEC_ID_FFV1
        }
    }

    /// FFmpeg's encoders, best first.
    ///
    /// The last resort for H.264 is MPEG-4 part 2, which every FFmpeg has.
    var encoders: [String] {
        switch self {
        case .h264: ["libx264", "libopenh264", "mpeg4"]
        case .hevc: ["libx265", "libkvazaar"]
        case .vp9: ["libvpx-vp9"]
        case .mjpeg: ["mjpeg"]
        case .ffv1: ["ffv1"]
        }
    }

    /// The encoder that will be used, by FFmpeg's name; nil where none is built in.
    public var encoder: String? { encoder { avcodec_find_encoder_by_name($0) != nil } }

    /// The first encoder for which `isBuiltIn` holds.
    func encoder(where isBuiltIn: (String) -> Bool) -> String? { encoders.first(where: isBuiltIn) }

    /// Allowed `quality` values: lower is better and larger.
    public var qualityRange: ClosedRange<Int> {
        switch self {
        case .h264, .hevc: 0...51
        case .vp9: 0...63
        case .mjpeg: 2...31
        case .ffv1: 0...0
        }
    }

    /// The quality used when neither a quality nor a bit rate is asked for.
    public var defaultQuality: Int {
        switch self {
        case .h264: 23
        case .hevc: 28
        case .vp9: 31
        case .mjpeg: 3
        case .ffv1: 0
        }
    }

    /// Names of the presets, fastest first.
    public static let presets = [
        "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow",
    ]

    /// The layouts fed to the encoder as they are; the first is what others are converted to by default.
    func layouts(of encoder: String) -> [PixelFormat] {
        switch (self, encoder) {
        case (.h264, "libx264"): [.i420, .nv12]
        case (.h264, _), (.hevc, _), (.vp9, _): [.i420]
        case (.mjpeg, _): [.i420, .i422, .i444]
        case (.ffv1, _): [.i420, .i422, .i444, .gray8]
        }
    }
}
