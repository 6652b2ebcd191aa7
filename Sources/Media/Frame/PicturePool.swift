// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg

/// Makes pictures whose pixel memory is recycled.
///
/// Confined: one queue uses a pool; the pictures it makes may die on any thread.
public final class PicturePool {
    private struct Shape: Equatable {
        var width: Int
        var height: Int
        var format: PixelFormat
    }

    private var shape: Shape?
    private var pool: OpaquePointer?

    /// Makes an empty pool; memory is taken at the first picture and kept while the shape stays the same.
    public init() {}

    deinit { av_buffer_pool_uninit(&pool) }

    /// A picture with undefined pixels, written by the caller before it is shared.
    ///
    /// Rows start at multiples of 64 bytes.
    ///
    /// - Throws: `outOfMemory` with the bytes that were asked for.
    public func make(
        width: Int, height: Int, format: PixelFormat, color: ColorSpec, pixelAspect: Rational = Rational(0, 1)
    ) throws(MediaError) -> Picture {
        precondition(width > 0 && height > 0 && width <= 1 << 15 && height <= 1 << 15, "picture size out of range")
        let stride = align(width)
        let chromaStride = format == .nv12 ? align(2 * format.chromaWidth(width)) : align(format.chromaWidth(width))
        let chromaSize = chromaStride * format.chromaHeight(height)
        let wanted = Shape(width: width, height: height, format: format)
        // 64 spare bytes: kernels may read one vector past the last row.
        let bytes = stride * height + chromaSize * (format.planeCount - 1) + 64
        if shape != wanted {
            av_buffer_pool_uninit(&pool)
            pool = av_buffer_pool_init(bytes, nil)
            shape = wanted
        }
        guard let pool, let buffer = av_buffer_pool_get(pool) else {
            shape = nil
            throw MediaError(
                .outOfMemory, operation: "picture",
                detail: "no memory is left for a picture of \(width)x\(height) (\(bytes / 1_000_000 + 1) MB): "
                    + "make pictures smaller, or fewer of them at a time")
        }
        let frame = AVFramePool.take()
        frame.pointee.buf.0 = buffer
        frame.pointee.width = Int32(width)
        frame.pointee.height = Int32(height)
        frame.pointee.format = format.av.rawValue
        frame.pointee.sample_aspect_ratio = AVRational(num: pixelAspect.num, den: pixelAspect.den)
        frame.pointee.data.0 = buffer.pointee.data
        frame.pointee.linesize.0 = Int32(stride)
        if format.planeCount > 1 {
            frame.pointee.data.1 = buffer.pointee.data + stride * height
            frame.pointee.linesize.1 = Int32(chromaStride)
        }
        if format.planeCount > 2 {
            frame.pointee.data.2 = buffer.pointee.data + stride * height + chromaSize
            frame.pointee.linesize.2 = Int32(chromaStride)
        }
        return Picture(adopting: frame, format: format, color: color)
    }

    /// A copy of `picture` that the caller may draw on.
    ///
    /// - Throws: `outOfMemory`.
    public func writableCopy(of picture: Picture) throws(MediaError) -> Picture {
        let copy = try make(
            width: picture.width, height: picture.height, format: picture.format, color: picture.color,
            pixelAspect: picture.pixelAspect)
        let status = av_frame_copy(copy.avFrame, picture.avFrame)
        precondition(status >= 0, "copying between pictures of one shape")
        return copy
    }

    private func align(_ bytes: Int) -> Int { (bytes + 63) & ~63 }
}
