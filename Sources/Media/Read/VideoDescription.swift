// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg
internal import Glibc

/// What a stream of compressed video is, as its input or its encoder describes it: parameters, side data, time base.
///
/// Immutable.
final class VideoDescription: @unchecked Sendable {
    // `@unchecked Sendable`: nothing changes after `init`.

    /// Its side data are the picture's orientation and colour volume.
    let stream: UnsafeMutablePointer<AVStream>
    /// Owns `stream`.
    private let holder: UnsafeMutablePointer<AVFormatContext>
    /// Ticks of the packets' times.
    let timeBase: Rational

    /// Copies what `fill` says of a stream.
    private init(
        timeBase: Rational, operation: StaticString, _ fill: (UnsafeMutablePointer<AVStream>) -> Int32
    ) throws(MediaError) {
        guard let holder = avformat_alloc_context() else {
            throw MediaError(status: vpipe_averror(ENOMEM), operation: "video")
        }
        guard let stream = avformat_new_stream(holder, nil) else {
            avformat_free_context(holder)
            throw MediaError(status: vpipe_averror(ENOMEM), operation: "video")
        }
        let status = fill(stream)
        guard status >= 0 else {
            avformat_free_context(holder)
            throw MediaError(status: status, operation: operation)
        }
        (self.holder, self.stream, self.timeBase) = (holder, stream, timeBase)
    }

    /// Copies an input's; packets count in `timeBase` where that is not the stream's.
    convenience init(_ input: UnsafeMutablePointer<AVStream>, timeBase: Rational? = nil) throws(MediaError) {
        try self.init(timeBase: timeBase ?? input.timeBase, operation: "avcodec_parameters_copy") {
            vpipe_stream_copy_description($0, input)
        }
    }

    /// Copies an opened encoder's.
    convenience init(
        encoder: UnsafeMutablePointer<AVCodecContext>, timeBase: Rational, frameRate: Rational
    ) throws(MediaError) {
        try self.init(timeBase: timeBase, operation: "avcodec_parameters_from_context") {
            $0.pointee.sample_aspect_ratio = encoder.pointee.sample_aspect_ratio
            if frameRate.value != nil {
                $0.pointee.avg_frame_rate = frameRate.av
                $0.pointee.r_frame_rate = frameRate.av
            }
            return avcodec_parameters_from_context($0.pointee.codecpar, encoder)
        }
    }

    deinit { avformat_free_context(holder) }

    var codec: AVCodecID { stream.pointee.codecpar.pointee.codec_id }

    /// FFmpeg's name of the codec.
    var codecName: String { String(cString: avcodec_get_name(codec)) }

    /// Whether packets of both can stand in one file.
    func fits(_ other: VideoDescription) -> Bool {
        let (mine, its) = (stream.pointee.codecpar.pointee, other.stream.pointee.codecpar.pointee)
        return timeBase == other.timeBase && mine.codec_id == its.codec_id && mine.width == its.width
            && mine.height == its.height && mine.extradata_size == its.extradata_size
            && (mine.extradata_size == 0 || memcmp(mine.extradata, its.extradata, Int(mine.extradata_size)) == 0)
    }
}
