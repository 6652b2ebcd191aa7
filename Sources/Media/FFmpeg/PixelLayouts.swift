// SPDX-License-Identifier: Apache-2.0
package import CFFmpeg

extension AVPixelFormat {
    private var flags: UInt64 { av_pix_fmt_desc_get(self)?.pointee.flags ?? 0 }

    /// Whether the components are red, green and blue (a palette is one of such).
    package var isRGB: Bool { flags & UInt64(AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL) != 0 }

    /// Whether there is no chroma.
    package var isGray: Bool {
        guard let layout = av_pix_fmt_desc_get(self), !isRGB else { return false }
        return layout.pointee.nb_components <= 2
    }

    /// Whether the layout's name alone says full range.
    package var isJPEG: Bool {
        switch self {
        case AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUVJ422P, AV_PIX_FMT_YUVJ444P, AV_PIX_FMT_YUVJ440P, AV_PIX_FMT_YUVJ411P:
            true
        default: false
        }
    }
}

extension PixelFormat {
    /// The layout of a decoded frame that travels as it is.
    package init?(kept format: AVPixelFormat) {
        switch format {
        case AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUVJ420P: self = .i420
        case AV_PIX_FMT_YUV422P, AV_PIX_FMT_YUVJ422P: self = .i422
        case AV_PIX_FMT_YUV444P, AV_PIX_FMT_YUVJ444P: self = .i444
        case AV_PIX_FMT_NV12: self = .nv12
        case AV_PIX_FMT_GRAY8: self = .gray8
        default: return nil
        }
    }

    /// The layout that loses least of any other.
    package init(nearest format: AVPixelFormat) {
        if let kept = PixelFormat(kept: format) {
            self = kept
        } else if let layout = av_pix_fmt_desc_get(format), !format.isRGB {
            switch (layout.pointee.log2_chroma_w, layout.pointee.log2_chroma_h) {
            case _ where layout.pointee.nb_components <= 2: self = .gray8
            case (0, _): self = .i444
            case (_, 0): self = .i422
            default: self = .i420
            }
        } else {
            self = .i444
        }
    }
}

extension PixelFormat {
    /// FFmpeg's name for the layout.
    package var av: AVPixelFormat {
        switch self {
        case .i420: AV_PIX_FMT_YUV420P
        case .i422: AV_PIX_FMT_YUV422P
        case .i444: AV_PIX_FMT_YUV444P
        case .nv12: AV_PIX_FMT_NV12
        case .gray8: AV_PIX_FMT_GRAY8
        }
    }
}
