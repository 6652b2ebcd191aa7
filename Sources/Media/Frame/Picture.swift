// SPDX-License-Identifier: Apache-2.0
package import CFFmpeg

/// A planar 8-bit picture over FFmpeg's reference-counted buffers.
///
/// Pictures are shared by reference and never change once shared; who draws takes a `PicturePool.writableCopy(of:)`.
/// `@unchecked Sendable`: the pixels are written only by the maker, before the first hand-over.
public final class Picture: @unchecked Sendable {
    /// Layout of the planes.
    public let format: PixelFormat
    /// Width in luma samples, at least 1.
    public let width: Int
    /// Height in luma rows, at least 1.
    public let height: Int
    /// Meaning of the values.
    public let color: ColorSpec
    /// Width over height of a pixel; 0/1 is unknown and means square.
    public let pixelAspect: Rational

    /// The frame that holds the references; owned, returned to `AVFramePool`.
    package let avFrame: UnsafeMutablePointer<AVFrame>

    /// Takes over `frame`, whose planes are of `format`.
    ///
    /// Freed with the picture.
    package init(adopting frame: UnsafeMutablePointer<AVFrame>, format: PixelFormat, color: ColorSpec) {
        avFrame = frame
        self.format = format
        self.color = color
        width = Int(frame.pointee.width)
        height = Int(frame.pointee.height)
        pixelAspect = Rational(frame.pointee.sample_aspect_ratio.num, frame.pointee.sample_aspect_ratio.den)
    }

    deinit { AVFramePool.give(avFrame) }

    /// Plane `index`: 0 is luma, then U and V, or UV for NV12.
    public func plane(_ index: Int) -> Plane {
        let plane = mutable(index)
        return Plane(base: plane.base, stride: plane.stride, width: plane.width, height: plane.height)
    }

    /// Plane `index` for writing: only before the picture is handed to anybody else.
    public func mutablePlane(_ index: Int) -> MutablePlane {
        precondition(av_frame_is_writable(avFrame) != 0, "writing to a shared picture; take a writable copy")
        return mutable(index)
    }

    private func mutable(_ index: Int) -> MutablePlane {
        precondition(index >= 0 && index < format.planeCount, "no such plane")
        let (data, stride) = withUnsafePointer(to: avFrame.pointee.data) { data in
            withUnsafePointer(to: avFrame.pointee.linesize) { sizes in
                (
                    UnsafeRawPointer(data).assumingMemoryBound(to: UnsafeMutablePointer<UInt8>?.self)[index],
                    UnsafeRawPointer(sizes).assumingMemoryBound(to: Int32.self)[index]
                )
            }
        }
        guard let data else { preconditionFailure("a picture without plane \(index)") }
        return MutablePlane(
            base: data, stride: Int(stride),
            width: index == 0 ? width : format.chromaWidth(width),
            height: index == 0 ? height : format.chromaHeight(height))
    }
}
