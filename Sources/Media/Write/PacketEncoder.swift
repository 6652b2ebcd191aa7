// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg

/// Encodes pictures into a ring, for sources that have no packets of their own.
///
/// Holds nothing back, so that the ring is as new as the pictures. Confined to one queue.
package final class PacketEncoder {
    private let ring: PacketRing
    private let settings: WriterSettings
    private let codec: VideoCodec
    private var parts: (encoder: VideoEncoder, shaper: PictureShaper, base: Rational)?
    private var lastPts: Int64?
    private let packet: UnsafeMutablePointer<AVPacket>
    /// FFmpeg's name of the encoder.
    package let encoderName: String

    /// - Parameter settings: as for a file; checked by `VideoWriter.check`.
    package init(_ settings: WriterSettings, codec: VideoCodec, into ring: PacketRing) throws(MediaError) {
        guard let name = codec.encoder, let packet = av_packet_alloc() else {
            throw MediaError(
                .unsupportedCodec, operation: "encoder", detail: "no \(codec.rawValue) encoder is built into FFmpeg")
        }
        (self.ring, self.codec, self.packet, encoderName) = (ring, codec, packet, name)
        self.settings = settings
    }

    deinit { AudioTap.free(packet) }

    /// Pictures scaled because their size differs from the first.
    package var rescaled: Int { parts?.shaper.rescaled ?? 0 }

    /// Encodes one picture; all count in one base.
    package func write(_ picture: Picture, pts time: MediaTime, duration: MediaTime) throws(MediaError) {
        if parts == nil { try open(picture, time.base) }
        guard let (encoder, shaper, base) = parts else { return }
        func ticks(_ time: MediaTime) -> Int64 {
            time.base == base ? time.ticks : av_rescale_q(time.ticks, time.base.av, base.av)
        }
        let pts = max(ticks(time), lastPts.map { $0 &+ 1 } ?? .min)
        lastPts = pts
        try encoder.send(try shaper.shaped(picture), pts: pts)
        while try encoder.receive(into: packet) {
            packet.pointee.duration = max(0, ticks(duration))
            ring.put(packet, shift: 0)
            av_packet_unref(packet)
        }
    }

    private func open(_ first: Picture, _ inputBase: Rational) throws(MediaError) {
        let base = encoderName == "mpeg4" ? WriterSession.coarse(inputBase, rate: settings.frameRate) : inputBase
        let shaper = try PictureShaper(first, codec: codec, encoder: encoderName, format: settings.format)
        let encoder = try VideoEncoder(
            codec, name: encoderName, shape: shaper.shape, settings: settings, timeBase: base, needsGlobalHeader: true)
        ring.begin(
            try VideoDescription(encoder: encoder.context, timeBase: base, frameRate: settings.frameRate))
        parts = (encoder, shaper, base)
    }
}
