// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg
internal import Media

/// A stored format that cameras give and vpipe reads.
struct CaptureFormat: Sendable {
    /// How a buffer becomes a picture.
    enum Coding: Sendable {
        /// Samples in rows; `swapsChroma` where V comes before U in planes of their own.
        case raw(AVPixelFormat, swapsChroma: Bool)
        /// One packet of a codec.
        case packet(AVCodecID)
    }

    let code: FourCC
    let coding: Coding

    /// All of them; among those that give a wish's size and rate the first is taken.
    ///
    /// The order is that of cost: 4:2:0 that travels as it is, other planes that do, one conversion, decoding, RGB;
    /// gray last, for it has no colour.
    static let all: [CaptureFormat] = [
        raw("NV12", AV_PIX_FMT_NV12), raw("YU12", AV_PIX_FMT_YUV420P),
        raw("YV12", AV_PIX_FMT_YUV420P, swapsChroma: true), raw("NM12", AV_PIX_FMT_NV12),
        raw("YM12", AV_PIX_FMT_YUV420P), raw("YM21", AV_PIX_FMT_YUV420P, swapsChroma: true),
        raw("422P", AV_PIX_FMT_YUV422P), raw("YM16", AV_PIX_FMT_YUV422P),
        raw("YM61", AV_PIX_FMT_YUV422P, swapsChroma: true),
        raw("YUYV", AV_PIX_FMT_YUYV422), raw("UYVY", AV_PIX_FMT_UYVY422), raw("YVYU", AV_PIX_FMT_YVYU422),
        raw("NV21", AV_PIX_FMT_NV21), raw("NM21", AV_PIX_FMT_NV21), raw("NV24", AV_PIX_FMT_NV24),
        raw("NV42", AV_PIX_FMT_NV42),
        raw("YM24", AV_PIX_FMT_YUV444P), raw("YM42", AV_PIX_FMT_YUV444P, swapsChroma: true),
        packet("MJPG", AV_CODEC_ID_MJPEG), packet("JPEG", AV_CODEC_ID_MJPEG), packet("H264", AV_CODEC_ID_H264),
        raw("RGB3", AV_PIX_FMT_RGB24), raw("BGR3", AV_PIX_FMT_BGR24), raw("GREY", AV_PIX_FMT_GRAY8),
    ]

    /// Place in `all`; lower is cheaper.
    static func rank(of code: FourCC) -> Int? { all.firstIndex { $0.code == code } }

    /// The entry of a code; nil for one that vpipe does not read.
    static func named(_ code: FourCC) -> CaptureFormat? { all.first { $0.code == code } }

    private static func raw(_ code: String, _ format: AVPixelFormat, swapsChroma: Bool = false) -> CaptureFormat {
        CaptureFormat(code: known(code), coding: .raw(format, swapsChroma: swapsChroma))
    }

    private static func packet(_ code: String, _ codec: AVCodecID) -> CaptureFormat {
        CaptureFormat(code: known(code), coding: .packet(codec))
    }

    private static func known(_ code: String) -> FourCC {
        guard let result = FourCC(code) else { preconditionFailure("four letters in the table above") }
        return result
    }
}
