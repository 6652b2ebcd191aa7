// SPDX-License-Identifier: Apache-2.0
package import CFFmpeg

/// Makes pictures of decoded frames: 8-bit planar ones as they are, over the decoder's buffers; others converted once.
///
/// The nearest layout keeps what chroma there is: RGB, palettes, 4:4:4 and 4:4:0 become I444, 4:2:2 and 4:1:1 I422,
/// other subsampled ones I420, luma only GRAY8; deeper samples are dithered to 8 bit, alpha is dropped. RGB becomes
/// limited range with the matrix `ColorSpec.assumed`. Confined to the reader's queue.
package final class PictureConverter {
    /// Whose numbers mean something that no matrix of ours turns into colours.
    private static let unreadable = [
        (AVCOL_SPC_YCGCO, "YCgCo"), (AVCOL_SPC_ICTCP, "ICtCp"), (AVCOL_SPC_SMPTE2085, "SMPTE 2085"),
        (AVCOL_SPC_CHROMA_DERIVED_NCL, "chroma-derived colours"),
        (AVCOL_SPC_CHROMA_DERIVED_CL, "chroma-derived colours"),
    ]
    private let pool = PicturePool()
    private let turned = PicturePool()
    private var scaler: SwsHandle?
    package private(set) var converted = 0

    package init() {}

    /// Takes over the frame in `frame`, which is given back on failure too.
    package func picture(
        adopting frame: UnsafeMutablePointer<AVFrame>, aspect: AVRational, turn: Orientation, grayIsFull: Bool
    ) throws(MediaError) -> Picture {
        let width = Int(frame.pointee.width)
        let height = Int(frame.pointee.height)
        guard width > 0, height > 0, width <= 1 << 15, height <= 1 << 15 else {
            AVFramePool.give(frame)
            throw MediaError(
                .unsupportedFormat, operation: "decode",
                detail: "a picture of \(width)x\(height) pixels is out of range")
        }
        guard !Self.unreadable.contains(where: { $0.0 == frame.pointee.colorspace }) else {
            let name = Self.unreadable.first { $0.0 == frame.pointee.colorspace }?.1 ?? ""
            AVFramePool.give(frame)
            throw MediaError(
                .unsupportedFormat, operation: "decode",
                detail: "pictures in \(name) are not read; convert them to BT.709 or BT.2020 first")
        }
        let stored = AVPixelFormat(rawValue: frame.pointee.format)
        let color = Self.color(of: frame, grayIsFull: grayIsFull)
        frame.pointee.sample_aspect_ratio = aspect
        var picture: Picture
        if let format = PixelFormat(kept: stored), !(turn.swapsAxes && format == .i422),
            vpipe_frame_is_plain(frame, Int32(format.planeCount), Int32(width)) != 0
        {
            vpipe_frame_strip(frame)
            frame.pointee.format = format.av.rawValue
            picture = Picture(adopting: frame, format: format, color: color)
        } else {
            defer { AVFramePool.give(frame) }
            var format = PixelFormat(nearest: stored)
            if turn.swapsAxes && format == .i422 { format = .i444 }
            picture = try convert(frame, to: format, color: color)
        }
        return turn == .upright ? picture : try upright(picture, turn)
    }

    private func convert(
        _ frame: UnsafeMutablePointer<AVFrame>, to format: PixelFormat, color: ColorSpec
    ) throws(MediaError) -> Picture {
        let (width, height) = (Int(frame.pointee.width), Int(frame.pointee.height))
        let from = SwsHandle.Side(
            width: frame.pointee.width, height: frame.pointee.height, format: frame.pointee.format,
            matrix: color.matrix, isFull: color.range == .full)
        var to = from
        to.format = format.av.rawValue
        if AVPixelFormat(rawValue: frame.pointee.format).isRGB { to.isFull = false }
        let spec = ColorSpec(
            matrix: color.matrix, range: to.isFull ? .full : .limited, primaries: color.primaries,
            transfer: color.transfer)
        if scaler == nil || scaler?.from != from || scaler?.to != to {
            scaler = nil
            scaler = try SwsHandle(from: from, to: to, flags: SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP)
        }
        let aspect = frame.pointee.sample_aspect_ratio
        let picture = try pool.make(
            width: width, height: height, format: format, color: spec, pixelAspect: Rational(aspect.num, aspect.den))
        try scaler?.run(from: frame, to: picture.avFrame)
        converted += 1
        return picture
    }

    private func upright(_ picture: Picture, _ turn: Orientation) throws(MediaError) -> Picture {
        let aspect = picture.pixelAspect
        let result = try turned.make(
            width: turn.swapsAxes ? picture.height : picture.width,
            height: turn.swapsAxes ? picture.width : picture.height, format: picture.format, color: picture.color,
            pixelAspect: turn.swapsAxes && aspect.num > 0 ? Rational(aspect.den, aspect.num) : aspect)
        for index in 0..<picture.format.planeCount {
            turn.apply(
                from: picture.plane(index), to: result.mutablePlane(index),
                bytes: picture.format == .nv12 && index == 1 ? 2 : 1)
        }
        return result
    }

    /// The colour description of a frame; what it does not say is assumed.
    package static func color(of frame: UnsafePointer<AVFrame>, grayIsFull: Bool) -> ColorSpec {
        let stored = AVPixelFormat(rawValue: frame.pointee.format)
        var color = ColorSpec.assumed(height: Int(frame.pointee.height))
        switch frame.pointee.colorspace {
        case AVCOL_SPC_BT709, AVCOL_SPC_SMPTE240M: color.matrix = .bt709
        case AVCOL_SPC_BT470BG, AVCOL_SPC_SMPTE170M, AVCOL_SPC_FCC: color.matrix = .bt601
        case AVCOL_SPC_BT2020_NCL, AVCOL_SPC_BT2020_CL: color.matrix = .bt2020
        default: break
        }
        if frame.pointee.color_range == AVCOL_RANGE_JPEG || stored.isJPEG || stored.isRGB {
            color.range = .full
        } else if frame.pointee.color_range == AVCOL_RANGE_UNSPECIFIED, grayIsFull, stored.isGray {
            color.range = .full
        }
        color.primaries = UInt8(clamping: frame.pointee.color_primaries.rawValue)
        color.transfer = UInt8(clamping: frame.pointee.color_trc.rawValue)
        return color
    }
}
