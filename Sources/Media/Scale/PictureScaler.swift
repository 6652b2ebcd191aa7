// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg

/// Changes the size, the layout or the range of pictures, planar to planar.
///
/// Confined: one queue uses a scaler. The result comes from a pool; a picture that needs nothing is returned as it is.
public final class PictureScaler {
    /// What happens when the proportions differ.
    public enum Fit: String, Sendable, CaseIterable {
        /// The picture fills the target and is distorted.
        case stretch
        /// The picture keeps its proportions and is centred between black bars.
        case letterbox
        /// The picture keeps its proportions; the result is as large as fits and may be smaller than the target.
        case inside
    }

    /// How samples are interpolated.
    public enum Filter: String, Sendable, CaseIterable {
        /// Mean of the covered area: best for making pictures smaller.
        case area
        /// Linear between neighbours: the fastest.
        case bilinear
        /// Cubic between neighbours: the sharpest for making pictures larger.
        case bicubic
    }

    /// What comes out.
    ///
    /// Whatever is nil stays as in the picture that comes in.
    public struct Target: Sendable, Hashable {
        /// Width in pixels; nil with a height given follows the proportions.
        public var width: Int?
        /// Height in pixels; nil with a width given follows the proportions.
        public var height: Int?
        /// Layout.
        public var format: PixelFormat?
        /// Excursion of the values.
        public var range: ColorSpec.Range?

        /// Makes a target.
        public init(width: Int? = nil, height: Int? = nil, format: PixelFormat? = nil, range: ColorSpec.Range? = nil) {
            self.width = width
            self.height = height
            self.format = format
            self.range = range
        }
    }

    private let target: Target
    private let fit: Fit
    private let filter: Filter
    private let pool = PicturePool()
    private let grayPool = PicturePool()
    private var colorful: PictureScaler?
    private var handle: SwsHandle?

    /// Makes a scaler.
    ///
    /// - Throws: `invalidSetting` for sizes outside 1...32768.
    public init(_ target: Target, fit: Fit = .stretch, filter: Filter = .bilinear) throws(MediaError) {
        for size in [target.width, target.height] where size.map({ !(1...(1 << 15)).contains($0) }) == true {
            throw MediaError(
                .invalidSetting, operation: "scale", detail: "a size must be 1...32768 pixels (got \(size ?? 0))")
        }
        self.target = target
        self.fit = fit
        self.filter = filter
    }

    /// The size a picture of `width` by `height` comes out with.
    public func outputSize(width: Int, height: Int) -> (width: Int, height: Int) {
        func proportional(_ length: Int, _ to: Int, _ from: Int) -> Int {
            min(1 << 15, max(1, (length * to + from / 2) / from))
        }
        switch (target.width, target.height) {
        case (nil, nil): return (width, height)
        case (let w?, nil): return (w, proportional(height, w, width))
        case (nil, let h?): return (proportional(width, h, height), h)
        case (let w?, let h?):
            guard fit == .inside else { return (w, h) }
            return w * height <= h * width ? (w, proportional(height, w, width)) : (proportional(width, h, height), h)
        }
    }

    /// The picture at the target's size, layout and range.
    public func scale(_ picture: Picture) throws(MediaError) -> Picture {
        let size = outputSize(width: picture.width, height: picture.height)
        let format = target.format ?? picture.format
        var color = picture.color
        if let range = target.range { color.range = range }
        if size == (picture.width, picture.height), format == picture.format, color == picture.color { return picture }
        // swscale takes every gray for full range; so gray goes in and out as the luma of a picture with chroma.
        if picture.format == .gray8, format != .gray8 || color.range != picture.color.range {
            return try scale(picture.withNeutralChroma(from: grayPool))
        }
        if format == .gray8, picture.format != .gray8 {
            if colorful == nil {
                colorful = try PictureScaler(
                    Target(width: target.width, height: target.height, format: .i420, range: target.range), fit: fit,
                    filter: filter)
            }
            return try (colorful ?? self).scale(picture).luma(from: pool)
        }
        let box =
            fit == .letterbox
            ? inner(of: picture, in: size, format) : (x: 0, y: 0, width: size.width, height: size.height)
        let from = SwsHandle.Side(
            width: Int32(picture.width), height: Int32(picture.height), format: picture.format.av.rawValue,
            matrix: picture.color.matrix, isFull: picture.color.range == .full)
        let to = SwsHandle.Side(
            width: Int32(box.width), height: Int32(box.height), format: format.av.rawValue, matrix: color.matrix,
            isFull: color.range == .full)
        if handle == nil || handle?.from != from || handle?.to != to {
            handle = nil
            handle = try SwsHandle(from: from, to: to, flags: flags)
        }
        let result = try pool.make(
            width: size.width, height: size.height, format: format, color: color,
            pixelAspect: aspect(of: picture, box.width, box.height))
        if box.width == size.width && box.height == size.height {
            try handle?.run(from: picture.avFrame, to: result.avFrame)
        } else {
            let window = AVFramePool.take()
            defer { AVFramePool.give(window) }
            window.pointee.data.0 = result.mutablePlane(0).row(box.y) + box.x
            window.pointee.linesize.0 = result.avFrame.pointee.linesize.0
            let (cx, cy) = (box.x >> format.chromaShiftX, box.y >> format.chromaShiftY)
            if format.planeCount > 1 {
                window.pointee.data.1 = result.mutablePlane(1).row(cy) + (format == .nv12 ? 2 * cx : cx)
                window.pointee.linesize.1 = result.avFrame.pointee.linesize.1
            }
            if format.planeCount > 2 {
                window.pointee.data.2 = result.mutablePlane(2).row(cy) + cx
                window.pointee.linesize.2 = result.avFrame.pointee.linesize.2
            }
            try handle?.run(from: picture.avFrame, to: window)
            // Last: swscale writes whole vectors, beyond the window's right edge.
            result.fillBlack(around: box)
        }
        return result
    }

    private var flags: Int32 {
        switch filter {
        case .area: SWS_AREA | SWS_ACCURATE_RND
        case .bilinear: SWS_BILINEAR | SWS_ACCURATE_RND
        case .bicubic: SWS_BICUBIC | SWS_ACCURATE_RND
        }
    }

    /// Where the picture goes between the bars; the corner lies on a chroma sample.
    private func inner(
        of picture: Picture, in size: (width: Int, height: Int), _ format: PixelFormat
    ) -> (x: Int, y: Int, width: Int, height: Int) {
        let pixel = picture.pixelAspect.value ?? 1
        let ratio = Double(picture.width) * pixel / Double(picture.height)
        var (width, height) = (size.width, size.height)
        if ratio * Double(height) >= Double(width) {
            height = min(height, max(1, Int((Double(width) / ratio).rounded())))
        } else {
            width = min(width, max(1, Int((Double(height) * ratio).rounded())))
        }
        let x = (size.width - width) / 2 & ~((1 << format.chromaShiftX) - 1)
        let y = (size.height - height) / 2 & ~((1 << format.chromaShiftY) - 1)
        return (x, y, width, height)
    }

    private func aspect(of picture: Picture, _ width: Int, _ height: Int) -> Rational {
        if fit == .letterbox || (width == picture.width && height == picture.height) {
            return fit == .letterbox ? Rational(1, 1) : picture.pixelAspect
        }
        guard picture.pixelAspect.value != nil else { return picture.pixelAspect }
        var (num, den) = (Int32(0), Int32(0))
        _ = av_reduce(
            &num, &den, Int64(picture.pixelAspect.num) &* Int64(picture.width) &* Int64(height),
            Int64(picture.pixelAspect.den) &* Int64(picture.height) &* Int64(width), 1 << 16)
        return Rational(num, den)
    }
}
