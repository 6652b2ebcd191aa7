// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg
internal import Glibc

/// Stores pictures as PNG or JPEG files.
///
/// A file appears under its name only when it is complete. Confined.
public final class ImageWriter {
    private var scaler: SwsHandle?
    private let grayPool = PicturePool()

    /// Makes a writer.
    public init() {}

    /// Stores `picture` at `path`, whose ending says how: `.png`, `.jpg` or `.jpeg`.
    ///
    /// `quality` of a JPEG is 1...100, larger is better; a PNG is RGB and lossless but for the conversion.
    /// - Throws: `alreadyExists`, `unsupportedFormat`, `diskFull` and other failures of writing.
    public func write(
        _ picture: Picture, to path: String, quality: Int = 90, overwrites: Bool = false
    ) throws(MediaError) {
        do throws(MediaError) {
            let bytes = try encode(
                picture, ending: path.split(separator: ".").last.map { $0.lowercased() } ?? "", quality)
            try WholeFile.store(bytes, at: path, overwrites: overwrites)
        } catch {
            throw error.of(path)
        }
    }

    /// The bytes of a PNG or JPEG file.
    ///
    /// `ending` is `png`, `jpg` or `jpeg`.
    public func encode(_ picture: Picture, ending: String, _ quality: Int = 90) throws(MediaError) -> [UInt8] {
        FFmpegLog.install()
        switch ending {
        case "png": return try png(picture)
        case "jpg", "jpeg": return try jpeg(picture, quality)
        default:
            throw MediaError(
                .unsupportedFormat, operation: "image", detail: "images are stored as .png, .jpg or .jpeg")
        }
    }

    private func jpeg(_ picture: Picture, _ quality: Int) throws(MediaError) -> [UInt8] {
        guard (1...100).contains(quality) else {
            throw MediaError(.invalidSetting, operation: "image", detail: "quality must be 1...100 (got \(quality))")
        }
        var settings = WriterSettings()
        // 100 is the encoder's finest scale, 2; 1 its coarsest, 31.
        settings.quality = 2 + (100 - quality) * 29 / 99
        settings.threads = 1
        let shaper = try PictureShaper(picture, codec: .mjpeg, encoder: "mjpeg", format: nil)
        let encoder = try VideoEncoder(
            .mjpeg, name: "mjpeg", shape: shaper.shape, settings: settings, timeBase: Rational(1, 25),
            needsGlobalHeader: false)
        try encoder.send(try shaper.shaped(picture), pts: 0)
        try encoder.send(nil, pts: 0)
        guard let packet = av_packet_alloc() else {
            throw MediaError(status: vpipe_averror(ENOMEM), operation: "image")
        }
        defer { AudioTap.free(packet) }
        return try encoder.receive(into: packet) ? Self.bytes(of: packet) : []
    }

    private func png(_ original: Picture) throws(MediaError) -> [UInt8] {
        let picture = original.format == .gray8 ? try original.withNeutralChroma(from: grayPool) : original
        let image = AVFramePool.take()
        defer { AVFramePool.give(image) }
        image.pointee.width = Int32(picture.width)
        image.pointee.height = Int32(picture.height)
        image.pointee.format = AV_PIX_FMT_RGB24.rawValue
        if picture.pixelAspect.value != nil { image.pointee.sample_aspect_ratio = picture.pixelAspect.av }
        try check(av_frame_get_buffer(image, 0), operation: "av_frame_get_buffer")
        let from = SwsHandle.Side(
            width: Int32(picture.width), height: Int32(picture.height), format: picture.format.av.rawValue,
            matrix: picture.color.matrix, isFull: picture.color.range == .full)
        var to = from
        to.format = AV_PIX_FMT_RGB24.rawValue
        to.isFull = true
        if scaler?.from != from || scaler?.to != to {
            scaler = nil
            scaler = try SwsHandle(
                from: from, to: to, flags: SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT)
        }
        try scaler?.run(from: picture.avFrame, to: image)
        return try PNGCodec.encode(image)
    }

    private static func bytes(of packet: UnsafePointer<AVPacket>) -> [UInt8] {
        Array(UnsafeBufferPointer(start: packet.pointee.data, count: Int(packet.pointee.size)))
    }
}
