// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg

/// The files a writer makes.
public enum Container: String, Sendable, CaseIterable {
    /// ISO MPEG-4, `.mp4`.
    case mp4
    /// QuickTime, `.mov`.
    case mov
    /// Matroska, `.mkv`.
    case mkv
    /// WebM, `.webm`.
    case webm

    /// The container a path's ending names.
    ///
    /// - Throws: `unsupportedFormat` with the endings that work.
    public init(path: String) throws(MediaError) {
        let name = path.split(separator: "/", omittingEmptySubsequences: false).last ?? ""
        let ending = name.split(separator: ".").dropFirst().last.map { $0.lowercased() } ?? ""
        switch ending {
        case "mp4", "m4v": self = .mp4
        case "mov": self = .mov
        case "mkv": self = .mkv
        case "webm": self = .webm
        default:
            throw MediaError(
                .unsupportedFormat, operation: "container",
                detail: "the ending of \"\(name)\" names no container; use .mp4, .mov, .mkv or .webm")
        }
    }

    /// FFmpeg's name of the muxer.
    var muxer: String {
        switch self {
        case .mp4, .mov, .webm: rawValue
        case .mkv: "matroska"
        }
    }

    /// Whether it is written in movie fragments and finalised at the end.
    var isFragmented: Bool { self == .mp4 || self == .mov }

    /// The codec used when none is asked for.
    public var defaultCodec: VideoCodec { self == .webm ? .vp9 : .h264 }

    /// Whether streams of `codec` fit in.
    func holds(_ codec: AVCodecID) -> Bool {
        guard let format = av_guess_format(muxer, nil, nil) else { return false }
        // FFmpeg's mov muxer lists these and then refuses them: they are defined for mp4 only.
        let isOnlyMP4 = [AV_CODEC_ID_VP9, AV_CODEC_ID_AV1, AV_CODEC_ID_OPUS, AV_CODEC_ID_FLAC, AV_CODEC_ID_TRUEHD]
            .contains(codec)
        if self == .mov && isOnlyMP4 { return false }
        if avformat_query_codec(format, codec, FF_COMPLIANCE_NORMAL) == 1 { return true }
        // Matroska carries what WAV does under WAV's own tags, which its list of codecs leaves out.
        guard self == .mkv, let tags = avformat_get_riff_audio_tags() else { return false }
        var list: (OpaquePointer?, OpaquePointer?) = (tags, nil)
        return withUnsafePointer(to: &list) {
            $0.withMemoryRebound(to: OpaquePointer?.self, capacity: 2) { av_codec_get_tag($0, codec) != 0 }
        }
    }

    /// Whether video of `codec` fits in.
    public func holds(_ codec: VideoCodec) -> Bool { holds(codec.id) }
}
