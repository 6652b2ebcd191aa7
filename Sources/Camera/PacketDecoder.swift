// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg
internal import Glibc
internal import Media

/// Decodes the packets of a camera that compresses: one in, the picture out at once.
///
/// Confined.
final class PacketDecoder {
    private let context: UnsafeMutablePointer<AVCodecContext>
    private let packet: UnsafeMutablePointer<AVPacket>
    private var memory: OpaquePointer?
    private let capacity: Int

    /// Opens a decoder for packets of `capacity` bytes at most.
    init(_ codec: AVCodecID, capacity: Int) throws(CameraError) {
        FFmpegLog.install()
        guard let found = avcodec_find_decoder(codec) else {
            throw CameraError(
                .unsuited, "no decoder for \(String(cString: avcodec_get_name(codec))) is built into FFmpeg")
        }
        guard let context = avcodec_alloc_context3(found), let packet = av_packet_alloc() else {
            throw CameraError(.refused, "out of memory for a decoder")
        }
        self.context = context
        self.packet = packet
        self.capacity = max(0, min(capacity, 1 << 28))
        // The spare bytes that decoders read past the end must be zero: pool memory starts so and is never written there.
        memory = av_buffer_pool_init(self.capacity + Int(AV_INPUT_BUFFER_PADDING_SIZE), av_buffer_allocz)
        // Threads by frame would hold pictures back.
        context.pointee.thread_count = 1
        context.pointee.flags |= Int32(AV_CODEC_FLAG_LOW_DELAY)
        context.pointee.max_pixels = 1 << 27
        context.pointee.pkt_timebase = AVRational(num: 1, den: 1_000_000_000)
        let status = avcodec_open2(context, found, nil)
        if status < 0 { throw CameraError(.refused, MediaError(status: status, operation: "avcodec_open2").detail) }
    }

    deinit {
        var context: UnsafeMutablePointer<AVCodecContext>? = context
        avcodec_free_context(&context)
        var packet: UnsafeMutablePointer<AVPacket>? = packet
        av_packet_free(&packet)
        av_buffer_pool_uninit(&memory)
    }

    /// Whether no packet needs another one.
    var isIntraOnly: Bool {
        let properties = avcodec_descriptor_get(context.pointee.codec_id)?.pointee.props ?? 0
        return properties & AV_CODEC_PROP_INTRA_ONLY != 0
    }

    /// Gives the decoder a packet, which is copied; false when it cannot be used.
    func send(_ bytes: UnsafeRawPointer, count: Int, capturedAt: UInt64) -> Bool {
        guard count > 0, count <= capacity, let buffer = av_buffer_pool_get(memory) else { return false }
        memcpy(buffer.pointee.data, bytes, count)
        // A longer packet may have been here before.
        memset(buffer.pointee.data + count, 0, Int(AV_INPUT_BUFFER_PADDING_SIZE))
        packet.pointee.buf = buffer
        packet.pointee.data = buffer.pointee.data
        packet.pointee.size = Int32(count)
        packet.pointee.pts = Int64(clamping: capturedAt)
        defer { av_packet_unref(packet) }
        return avcodec_send_packet(context, packet) >= 0
    }

    /// The next whole picture and its instant of capture; nil when there is none.
    func receive() -> (frame: UnsafeMutablePointer<AVFrame>, capturedAt: UInt64)? {
        while true {
            let frame = AVFramePool.take()
            guard avcodec_receive_frame(context, frame) >= 0 else {
                AVFramePool.give(frame)
                return nil
            }
            if frame.pointee.decode_error_flags == 0, frame.pointee.flags & AV_FRAME_FLAG_CORRUPT == 0 {
                return (frame, UInt64(clamping: frame.pointee.pts))
            }
            AVFramePool.give(frame)
        }
    }
}
