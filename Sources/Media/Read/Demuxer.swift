// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import CFFmpeg
internal import Glibc

/// Owns an opened input: the `AVFormatContext`.
///
/// Confined to the reader's queue. The interrupt may be thrown from any thread.
final class Demuxer {
    let context: UnsafeMutablePointer<AVFormatContext>
    let interrupt: Interrupt
    /// Whether packets carry no times of their own and are stamped as they come, in microseconds of the monotonic clock.
    let stampsByArrival: Bool
    private let opening: InputOpening

    /// Opens `location` and finds its streams.
    init(
        _ location: String, format name: String?, options: [String: String], security: TransportSecurity = .init(),
        interrupt: Interrupt
    ) throws(MediaError) {
        FFmpegLog.install()
        avformat_network_init()
        self.interrupt = interrupt
        interrupt.rearm()
        guard let fresh = avformat_alloc_context() else {
            throw MediaError(status: vpipe_averror(ENOMEM), operation: "open")
        }
        fresh.pointee.interrupt_callback = interrupt.callback
        var input: UnsafePointer<AVInputFormat>?
        if let name {
            input = av_find_input_format(name)
            guard input != nil else {
                avformat_free_context(fresh)
                throw MediaError(
                    .unsupportedFormat, operation: "av_find_input_format",
                    detail: "the input format \"\(name)\" is not built into FFmpeg")
            }
        }
        let opening = InputOpening(location, security, interrupt)
        self.opening = opening
        var options = options
        do throws(MediaError) {
            try opening.install(on: fresh, options: &options)
        } catch {
            avformat_free_context(fresh)
            throw error
        }
        var dictionary = OptionDictionary(options)
        var opened: UnsafeMutablePointer<AVFormatContext>? = fresh
        _ = FFmpegLog.takeHint()
        // On failure the context is freed by the call itself.
        let status = dictionary.consumeOptions { options in
            avformat_open_input(&opened, FileName.bytes(Self.url(location, isDevice: name != nil)), input, options)
        }
        guard status >= 0, let opened else {
            opening.watch(nil)
            if let refusal = opening.refusal { throw refusal }
            if let address = StreamAddress(location), !interrupt.isCancelled, address.hasRawSecret {
                throw MediaError(
                    .invalidSetting, operation: "avformat_open_input",
                    detail:
                        "the address cannot be read: percent-encode the user name and the password (# is %23, / is %2F, "
                        + "? is %3F, @ is %40)", underlying: status)
            }
            if status == vpipe_averror(EINVAL), StreamAddress(location) == nil {
                throw MediaError(
                    .notMedia, operation: "avformat_open_input",
                    detail: "not a media file that says what it holds (raw video needs a format, a size and a rate)",
                    underlying: status)
            }
            throw interrupt.explain(MediaError(status: status, operation: "avformat_open_input").withHint())
        }
        if let key = dictionary.leftOver.first {
            opening.watch(nil)
            var unwanted: UnsafeMutablePointer<AVFormatContext>? = opened
            avformat_close_input(&unwanted)
            throw MediaError(
                .invalidSetting, operation: "avformat_open_input", detail: "the input has no option \"\(key)\"")
        }
        context = opened
        stampsByArrival = opened.pointee.iformat?.pointee.name.map { strcmp($0, "mpjpeg") == 0 } ?? false
        opening.watch(opened.pointee.pb)
        do throws(MediaError) {
            try check(avformat_find_stream_info(opened, nil), operation: "avformat_find_stream_info")
        } catch {
            throw interrupt.explain(error)
        }
    }

    deinit {
        opening.watch(nil)
        var context: UnsafeMutablePointer<AVFormatContext>? = context
        avformat_close_input(&context)
    }

    /// A plain path is marked as one, so that a colon in it is not taken for a protocol.
    private static func url(_ location: String, isDevice: Bool) -> String {
        guard !isDevice, !location.hasPrefix("file:"), location.contains(":"),
            access(FileName.bytes(location), F_OK) == 0
        else {
            return location
        }
        return "file:" + location
    }

    /// The streams of the input.
    var streams: UnsafeBufferPointer<UnsafeMutablePointer<AVStream>?> {
        UnsafeBufferPointer(start: context.pointee.streams, count: Int(context.pointee.nb_streams))
    }

    /// The stream with the best moving picture; cover art does not count.
    func bestVideo() throws(MediaError) -> UnsafeMutablePointer<AVStream> {
        let index = av_find_best_stream(context, AVMEDIA_TYPE_VIDEO, -1, -1, nil, 0)
        if index >= 0, Int(index) < streams.count, let stream = streams[Int(index)], !stream.isCoverArt {
            return stream
        }
        for case let stream? in streams where stream.isVideo && !stream.isCoverArt { return stream }
        throw MediaError(.noVideo, operation: "av_find_best_stream", detail: "holds no video stream")
    }

    /// The audio that belongs to `video`: of its programme, where the input has several (channels of a transport stream,
    /// variants of a playlist); all of it otherwise.
    func audio(beside video: UnsafeMutablePointer<AVStream>) -> [UnsafeMutablePointer<AVStream>] {
        let programme = av_find_program_from_stream(context, nil, video.pointee.index)
        let members = programme.map {
            UnsafeBufferPointer(start: $0.pointee.stream_index, count: Int($0.pointee.nb_stream_indexes))
        }
        return streams.compactMap { $0 }.filter { stream in
            stream.isAudio && (members?.contains(UInt32(stream.pointee.index)) ?? true)
        }
    }

    /// Back to the first packet.
    ///
    /// False where the input cannot go back.
    func rewind() -> Bool {
        guard let format = context.pointee.iformat,
            context.pointee.pb == nil || context.pointee.pb.pointee.seekable != 0
        else { return false }
        // Elementary and transport streams have no index by time, so they go back by bytes.
        let flags = format.pointee.flags
        if flags & (AVFMT_NOTIMESTAMPS | AVFMT_GENERIC_INDEX | AVFMT_TS_DISCONT) != 0, flags & AVFMT_NO_BYTE_SEEK == 0 {
            return av_seek_frame(context, -1, 0, AVSEEK_FLAG_BYTE) >= 0
        }
        let start = context.pointee.start_time.orZero
        return avformat_seek_file(context, -1, Int64.min, start, start, 0) >= 0
    }
}

extension UnsafeMutablePointer where Pointee == AVStream {
    var isVideo: Bool { pointee.codecpar.pointee.codec_type == AVMEDIA_TYPE_VIDEO }
    var isAudio: Bool { pointee.codecpar.pointee.codec_type == AVMEDIA_TYPE_AUDIO }
    var isCoverArt: Bool { pointee.disposition & AV_DISPOSITION_ATTACHED_PIC != 0 }

    /// The stream's tick, or a millisecond where a damaged file gives none.
    var timeBase: Rational {
        let base = pointee.time_base
        return base.num > 0 && base.den > 0 ? Rational(base.num, base.den) : Rational(1, 1000)
    }
}

extension Int64 {
    /// Whether it is a time at all, and one that sums cannot overflow with.
    var isTime: Bool { self != vpipe_nopts() && self > -(1 << 61) && self < 1 << 61 }
    /// The time, or zero for none.
    var orZero: Int64 { isTime ? self : 0 }
}

extension Rational {
    var av: AVRational { AVRational(num: num, den: den) }
    init(_ value: AVRational) { self.init(value.num, value.den) }
}
