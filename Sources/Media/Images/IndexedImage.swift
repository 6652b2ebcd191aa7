// SPDX-License-Identifier: Apache-2.0
public import Annotations
internal import CFFmpeg
internal import Glibc

/// A PNG whose samples are numbers rather than colours: labels of a segmentation, with a palette or as grey values.
///
/// - Note: Thread-safety: a value.
public struct IndexedImage: Sendable, Hashable {
    /// Samples across.
    public let width: Int
    /// Samples down.
    public let height: Int
    /// The numbers, row by row.
    public let indices: [UInt8]
    /// The colours of the numbers, in order, 256 at most; empty for an image of grey values.
    public let palette: [Color]

    /// Images with more samples are refused.
    static let sampleLimit = 1 << 27

    /// Makes an image.
    ///
    /// - Precondition: there are `width * height` indices, and at most 256 colours.
    public init(width: Int, height: Int, indices: [UInt8], palette: [Color]) {
        precondition(indices.count == width * height && width > 0 && height > 0, "a number for every sample")
        precondition(palette.count <= 256, "a byte tells 256 colours apart")
        self.width = width
        self.height = height
        self.indices = indices
        self.palette = palette
    }

    /// Stores the image as a PNG with a palette; colours beyond the palette are black.
    ///
    /// - Throws: `alreadyExists`, `diskFull` and other failures of writing.
    public func write(to path: String, overwrites: Bool = false) throws(MediaError) {
        do throws(MediaError) {
            try WholeFile.store(png(), at: path, overwrites: overwrites)
        } catch {
            throw error.of(path)
        }
    }

    /// Reads a PNG of 8 bits or fewer with a palette or grey values, without looking at its colours.
    ///
    /// - Throws: `unsupportedFormat` for any other image, and what keeps the file from being read.
    public static func read(_ path: String) throws(MediaError) -> IndexedImage {
        do throws(MediaError) {
            return try decode(bytes(of: path))
        } catch {
            throw error.of(path)
        }
    }

    // MARK: - Encoding

    /// The bytes of the PNG.
    func png() throws(MediaError) -> [UInt8] {
        FFmpegLog.install()
        let image = AVFramePool.take()
        defer { AVFramePool.give(image) }
        image.pointee.width = Int32(width)
        image.pointee.height = Int32(height)
        image.pointee.format = AV_PIX_FMT_PAL8.rawValue
        try check(av_frame_get_buffer(image, 0), operation: "av_frame_get_buffer")
        guard let samples = image.pointee.data.0, let colours = image.pointee.data.1 else {
            throw MediaError(status: vpipe_averror(ENOMEM), operation: "av_frame_get_buffer")
        }
        indices.withUnsafeBufferPointer { indices in
            guard let base = indices.baseAddress else { return }
            for row in 0..<height {
                (samples + row * Int(image.pointee.linesize.0)).update(from: base + row * width, count: width)
            }
        }
        colours.withMemoryRebound(to: UInt32.self, capacity: 256) { table in
            for index in 0..<256 {
                let color = index < palette.count ? palette[index] : .black
                table[index] = 0xFF00_0000 | UInt32(color.red) << 16 | UInt32(color.green) << 8 | UInt32(color.blue)
            }
        }
        return try PNGCodec.encode(image)
    }

    // MARK: - Decoding

    private static func decode(_ bytes: [UInt8]) throws(MediaError) -> IndexedImage {
        FFmpegLog.install()
        let image = AVFramePool.take()
        defer { AVFramePool.give(image) }
        try PNGCodec.decode(bytes, into: image)
        let (width, height) = (Int(image.pointee.width), Int(image.pointee.height))
        let format = image.pointee.format
        let isPalette = format == AV_PIX_FMT_PAL8.rawValue
        guard isPalette || format == AV_PIX_FMT_GRAY8.rawValue else {
            throw MediaError(
                .unsupportedFormat, operation: "image",
                detail: "labels are PNG images of 8-bit grey values or a palette")
        }
        guard width > 0, height > 0, let samples = image.pointee.data.0,
            width.multipliedReportingOverflow(by: height).partialValue <= sampleLimit
        else { throw MediaError(.unsupportedFormat, operation: "image", detail: "\(width)x\(height) samples") }
        let stride = Int(image.pointee.linesize.0)
        let indices = [UInt8](unsafeUninitializedCapacity: width * height) { target, count in
            for row in 0..<height {
                for x in 0..<width { target[row * width + x] = samples[row * stride + x] }
            }
            count = width * height
        }
        var palette: [Color] = []
        if isPalette, let colours = image.pointee.data.1 {
            let table = UnsafeRawPointer(colours)
            palette = (0..<256).map { Color(hex: table.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self)) }
        }
        return IndexedImage(width: width, height: height, indices: indices, palette: palette)
    }

    private static func bytes(of path: String) throws(MediaError) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw MediaError(errno: errno, operation: "open") }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size <= 1 << 28 else {
            throw MediaError(.unsupportedFormat, operation: "image", detail: "not a regular file of 256 MiB at most")
        }
        let size = Int(status.st_size)
        var bytes = [UInt8](repeating: 0, count: size)
        var filled = 0
        while filled < size {
            let count = bytes.withUnsafeMutableBytes {
                pread(file, $0.baseAddress.map { $0 + filled }, size - filled, off_t(filled))
            }
            guard count > 0 else { throw MediaError(errno: count < 0 ? errno : EIO, operation: "read") }
            filled += count
        }
        return bytes
    }
}
