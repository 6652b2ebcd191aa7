// SPDX-License-Identifier: Apache-2.0

/// Gives every picture the one shape an encoder was opened for: layout, range, size, even sides.
///
/// Confined.
///
/// Pictures of another size than the first are scaled to it between black bars; odd sides are made even by repeating
/// the
/// last column and row, because 4:2:0 of H.264 and HEVC has no odd ones.
final class PictureShaper {
    let shape: VideoEncoder.Shape
    let warning: String?
    private(set) var rescaled = 0
    private let width: Int
    private let height: Int
    private let converter: PictureScaler
    private let resizer: PictureScaler
    private let pool = PicturePool()

    init(_ first: Picture, codec: VideoCodec, encoder: String, format wanted: PixelFormat?) throws(MediaError) {
        let kept = codec.layouts(of: encoder)
        let format = wanted ?? (kept.contains(first.format) ? first.format : Self.nearest(first.format, of: kept))
        // JPEG files are full range; nothing in them could say otherwise.
        let range: ColorSpec.Range = codec == .mjpeg ? .full : first.color.range
        let target = PictureScaler.Target(format: format, range: range)
        converter = try PictureScaler(target, filter: .bicubic)
        width = first.width
        height = first.height
        var resized = target
        resized.width = width
        resized.height = height
        resizer = try PictureScaler(resized, fit: .letterbox, filter: .bicubic)
        var color = first.color
        color.range = range
        // libx265 (seen in 3.5) refuses less than 16 rows, and writes outside of its memory below 64 columns.
        let (leastWidth, leastHeight) = codec == .hevc ? (64, 16) : (1, 1)
        let stepX = codec == .h264 || codec == .hevc ? 1 << format.chromaShiftX : 1
        let stepY = codec == .h264 || codec == .hevc ? 1 << format.chromaShiftY : 1
        let paddedWidth = max(leastWidth, (width + stepX - 1) / stepX * stepX)
        let paddedHeight = max(leastHeight, (height + stepY - 1) / stepY * stepY)
        shape = VideoEncoder.Shape(
            width: paddedWidth, height: paddedHeight, format: format, color: color, pixelAspect: first.pixelAspect)
        warning =
            paddedWidth == width && paddedHeight == height
            ? nil
            : "the picture is \(width)x\(height); \(codec.rawValue) stores it as \(paddedWidth)x\(paddedHeight),"
                + " the edges repeated"
    }

    func shaped(_ picture: Picture) throws(MediaError) -> Picture {
        var result = picture
        if picture.width != width || picture.height != height {
            result = try resizer.scale(picture)
            rescaled += 1
        } else if picture.format != shape.format || picture.color.range != shape.color.range {
            result = try converter.scale(picture)
        }
        if shape.width != width || shape.height != height {
            result = try result.padded(width: shape.width, height: shape.height, from: pool)
        }
        return result
    }

    private static func nearest(_ format: PixelFormat, of kept: [PixelFormat]) -> PixelFormat {
        format == .nv12 && kept.contains(.i420) ? .i420 : kept[0]
    }
}
