// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg

/// What the FFmpeg found at run time can do, for `vpipe doctor`.
public struct MediaProbe: Sendable {
    /// Library names and versions, `libavcodec 59.37.100`.
    public let libraries: [String]
    /// FFmpeg's own version string.
    public let version: String
    /// For every codec the encoder that would be used, nil where there is none.
    public let encoders: [(codec: VideoCodec, encoder: String?)]
    /// Decoders of common codecs that are missing, by FFmpeg's names.
    public let missingDecoders: [String]

    /// Looks.
    public init() {
        FFmpegLog.install()
        func text(_ name: String, _ version: UInt32) -> String {
            "\(name) \(version >> 16).\(version >> 8 & 0xff).\(version & 0xff)"
        }
        libraries = [
            text("libavformat", avformat_version()), text("libavcodec", avcodec_version()),
            text("libavutil", avutil_version()), text("libswscale", swscale_version()),
        ]
        version = String(cString: av_version_info())
        encoders = VideoCodec.allCases.map { ($0, $0.encoder) }
        let common = [
            AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_VP8, AV_CODEC_ID_VP9, AV_CODEC_ID_AV1, AV_CODEC_ID_MPEG4,
            AV_CODEC_ID_MPEG2VIDEO, AV_CODEC_ID_MJPEG, AV_CODEC_ID_PNG,
        ]
        missingDecoders = common.filter { avcodec_find_decoder($0) == nil }.map {
            String(cString: avcodec_get_name($0))
        }
    }

    /// The containers that hold `codec`.
    public func containers(for codec: VideoCodec) -> [Container] { Container.allCases.filter { $0.holds(codec) } }
}
