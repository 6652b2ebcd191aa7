// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg

/// Makes JPEGs of one picture after the other, scaled down to a size.
///
/// The encoder is kept for as long as pictures come in one shape: opening it costs as much as encoding.
/// - Note: Thread-safety: confined.
package final class JPEGEncoder {
    private let longestSide: Int
    private let quality: Int
    private var source: (width: Int, height: Int)?
    private var scaler: PictureScaler?
    private var shaper: PictureShaper?
    private var encoder: VideoEncoder?
    /// Counts pictures: the encoder refuses one that is not later than the last.
    private var time: Int64 = 0

    /// Makes an encoder.
    ///
    /// - Parameters:
    ///   - longestSide: the most pixels of either side; smaller pictures stay as they are.
    ///   - quality: 1...100, larger is better.
    package init(longestSide: Int, quality: Int) {
        self.longestSide = longestSide
        self.quality = max(1, min(100, quality))
    }

    /// The bytes of a JPEG file.
    package func encode(_ picture: Picture) throws(MediaError) -> [UInt8] {
        let scaled = try scaled(picture)
        if let encoder, let shaper, shaper.shape == encoder.shape {
            return try bytes(of: scaled, encoder, shaper)
        }
        FFmpegLog.install()
        let shaper = try PictureShaper(scaled, codec: .mjpeg, encoder: "mjpeg", format: nil)
        var settings = WriterSettings()
        // 100 is the encoder's finest scale, 2; 1 its coarsest, 31.
        settings.quality = 2 + (100 - quality) * 29 / 99
        settings.threads = 1
        let encoder = try VideoEncoder(
            .mjpeg, name: "mjpeg", shape: shaper.shape, settings: settings, timeBase: Rational(1, 1_000),
            needsGlobalHeader: false)
        (self.encoder, self.shaper) = (encoder, shaper)
        return try bytes(of: scaled, encoder, shaper)
    }

    private func scaled(_ picture: Picture) throws(MediaError) -> Picture {
        if source?.width != picture.width || source?.height != picture.height {
            source = (picture.width, picture.height)
            (shaper, encoder) = (nil, nil)
            // Full range in the same pass: JPEG files know no other.
            var target = PictureScaler.Target(format: picture.format == .gray8 ? nil : .i420, range: .full)
            if max(picture.width, picture.height) > longestSide {
                if picture.width >= picture.height { target.width = longestSide } else { target.height = longestSide }
            }
            scaler = try PictureScaler(target, filter: .bilinear)
        }
        return try scaler?.scale(picture) ?? picture
    }

    private func bytes(
        of picture: Picture, _ encoder: VideoEncoder, _ shaper: PictureShaper
    ) throws(MediaError) -> [UInt8] {
        time += 1
        try encoder.send(try shaper.shaped(picture), pts: time)
        guard let packet = av_packet_alloc() else {
            throw MediaError(status: vpipe_averror(ENOMEM), operation: "jpeg")
        }
        defer { AudioTap.free(packet) }
        guard try encoder.receive(into: packet) else { return [] }
        return Array(UnsafeBufferPointer(start: packet.pointee.data, count: Int(packet.pointee.size)))
    }
}
