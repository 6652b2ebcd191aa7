// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg
internal import Glibc

/// Owns the container being written, to a file or to the network: the `AVFormatContext`.
///
/// Confined to the writer's queue.
final class Muxer {
    let context: UnsafeMutablePointer<AVFormatContext>
    private let file: OutputFile?
    /// What ends calls to the network; nil for a file.
    private let interrupt: Interrupt?
    /// What an HLS muxer writes; nil for others.
    private let playlist: PlaylistOutput?
    private var hasHeader = false
    private var hasCut = false

    init(_ container: Container, file: OutputFile) throws(MediaError) {
        self.file = file
        interrupt = nil
        playlist = nil
        var fresh: UnsafeMutablePointer<AVFormatContext>?
        // The name serves the second pass of fast start, which reads what was written.
        try check(
            avformat_alloc_output_context2(&fresh, nil, container.muxer, "file:" + file.descriptorPath),
            operation: "avformat_alloc_output_context2")
        guard let fresh else { throw MediaError(status: vpipe_averror(ENOMEM), operation: "muxer") }
        context = fresh
        fresh.pointee.pb = file.io
        fresh.pointee.flags |= AVFMT_FLAG_CUSTOM_IO
        // FLAC and TrueHD in mp4 are standards by now; the muxers of older releases call them experiments.
        fresh.pointee.strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL
    }

    /// Opens the way to `target`; the header follows when the streams are added.
    ///
    /// The owner of `interrupt` limits how long this and every later call may take.
    init(pushingTo target: StreamTarget, interrupt: Interrupt) throws(MediaError) {
        FFmpegLog.install()
        avformat_network_init()
        file = nil
        self.interrupt = interrupt
        interrupt.rearm()
        let playlist = target.isPlaylist ? PlaylistOutput(target, interrupt: interrupt) : nil
        self.playlist = playlist
        var fresh: UnsafeMutablePointer<AVFormatContext>?
        try target.checkTrust()
        try check(
            avformat_alloc_output_context2(&fresh, nil, target.format, target.url),
            operation: "avformat_alloc_output_context2")
        guard let fresh else { throw MediaError(status: vpipe_averror(ENOMEM), operation: "muxer") }
        context = fresh
        fresh.pointee.interrupt_callback = interrupt.callback
        fresh.pointee.flags |= AVFMT_FLAG_FLUSH_PACKETS
        fresh.pointee.flush_packets = 1
        fresh.pointee.max_delay = 0
        playlist?.install(on: fresh)
        guard fresh.pointee.oformat.pointee.flags & AVFMT_NOFILE == 0 else { return }
        _ = FFmpegLog.takeHint()
        var options = OptionDictionary(target.connectionOptions)
        let status = options.consumeOptions { options in
            avio_open2(&fresh.pointee.pb, target.url, AVIO_FLAG_WRITE, &fresh.pointee.interrupt_callback, options)
        }
        // What was made so far goes with `self`, which is whole by now.
        if status < 0 { throw interrupt.explain(MediaError(status: status, operation: "avio_open2").withHint()) }
    }

    deinit {
        if interrupt != nil {
            // What the header opened, only the trailer closes.
            if hasHeader { av_write_trailer(context) }
            if context.pointee.oformat.pointee.flags & AVFMT_NOFILE == 0 { avio_closep(&context.pointee.pb) }
        }
        avformat_free_context(context)
    }

    var needsGlobalHeader: Bool { context.pointee.oformat.pointee.flags & AVFMT_GLOBALHEADER != 0 }

    /// Adds a stream that starts out with `timeBase`; the container may choose a finer one.
    func addStream(timeBase: Rational) throws(MediaError) -> UnsafeMutablePointer<AVStream> {
        guard let stream = avformat_new_stream(context, nil) else {
            throw MediaError(status: vpipe_averror(ENOMEM), operation: "avformat_new_stream")
        }
        stream.pointee.time_base = timeBase.av
        return stream
    }

    /// Adds a copied stream with `parameters`.
    func addCopy(
        of parameters: UnsafePointer<AVCodecParameters>, timeBase: Rational, disposition: Int32, language: String
    ) throws(MediaError) -> UnsafeMutablePointer<AVStream> {
        let stream = try addStream(timeBase: timeBase)
        try check(avcodec_parameters_copy(stream.pointee.codecpar, parameters), operation: "avcodec_parameters_copy")
        // Tags differ between containers; the muxer knows its own.
        stream.pointee.codecpar.pointee.codec_tag = 0
        stream.pointee.disposition = disposition
        if !language.isEmpty { av_dict_set(&stream.pointee.metadata, "language", language, 0) }
        return stream
    }

    /// Adds a stream for the packets of a video tap.
    func addCopy(of tap: VideoTap) throws(MediaError) -> UnsafeMutablePointer<AVStream> {
        let stream = try addStream(timeBase: tap.timeBase)
        try check(vpipe_stream_copy_description(stream, tap.about.stream), operation: "avcodec_parameters_copy")
        // Tags differ between containers; the muxer knows its own.
        stream.pointee.codecpar.pointee.codec_tag = 0
        return stream
    }

    /// Says something about the whole file, such as its `creation_time`; before the header.
    func describe(_ metadata: [String: String]) {
        for (key, value) in metadata { av_dict_set(&context.pointee.metadata, key, value, 0) }
    }

    func writeHeader(_ options: [String: String]) throws(MediaError) {
        var dictionary = OptionDictionary(options)
        let context = context
        try verify(
            dictionary.consumeOptions { avformat_write_header(context, $0) }, operation: "avformat_write_header")
        hasHeader = true
        try file?.checkWritten()
        try playlist?.announce()
    }

    /// Segments of HLS that are where they should be; nil where what is written is sent at once.
    var segments: Int? { playlist?.segments }

    /// Writes a packet whose times count in its stream's base, and empties it.
    func write(_ packet: UnsafeMutablePointer<AVPacket>) throws(MediaError) {
        let status = av_write_frame(context, packet)
        av_packet_unref(packet)
        try file?.checkWritten()
        if let failure = playlist?.failure { throw failure }
        try verify(status, operation: "av_write_frame")
    }

    /// As `check`; a call to the network that was cut short says why.
    private func verify(_ status: Int32, operation: StaticString) throws(MediaError) {
        if status >= 0 { return }
        let error = MediaError(status: status, operation: operation)
        throw interrupt?.explain(error) ?? error
    }

    /// Completes the fragment or cluster and hands it to the system.
    func cut() throws(MediaError) {
        // The first time the mp4 muxer writes its delayed header only; the fragment follows when asked again.
        for _ in 0..<(hasCut ? 1 : 2) {
            let status = av_write_frame(context, nil)
            try file?.checkWritten()
            try check(status, operation: "av_write_frame")
        }
        hasCut = true
        try file?.markWhole()
    }

    /// Says that the next fragment of mp4 does not begin where the last one ended.
    func breakTime() { av_opt_set(context.pointee.priv_data, "movflags", "+frag_discont", 0) }

    func writeTrailer() throws(MediaError) {
        guard hasHeader else { return }
        hasHeader = false
        let status = av_write_trailer(context)
        try file?.checkWritten()
        if let failure = playlist?.failure { throw failure }
        try verify(status, operation: "av_write_trailer")
        try file?.markWhole()
    }
}
