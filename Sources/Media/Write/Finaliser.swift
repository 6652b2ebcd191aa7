// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg
internal import Glibc

/// Rewrites a finished fragmented file as an ordinary one with its index at the front, beside it, and takes its place.
///
/// Whatever fails, the fragmented file stays as it is and the temporary one is removed.
enum Finaliser {
    /// `shift` ticks of `base` were added to every time in the file, and are taken off again.
    ///
    /// `video` describes the video stream better than the file can, `longestGap` says how many of its ticks a frame has to
    /// last where that is more than mp4 holds, `lastDurations` says how many seconds the last
    /// packet of each stream lasts, which FFmpeg does not read back from fragments.
    static func finalise(
        _ written: OutputFile, container: Container, shift: Int64, base: Rational, video: UnsafePointer<AVStream>,
        longestGap: Int64, lastDurations: [Double], metadata: [String: String]
    ) throws(MediaError) {
        let path: String
        switch written.whereabouts {
        case .inPlace: path = written.path
        case .moved(let name): path = name
        case .deleted:
            throw MediaError(.notFound, operation: "finalise", detail: "the file was deleted while it was written")
        }
        let temporary = try TemporaryName.beside(path)
        do throws(MediaError) {
            let file = try OutputFile(temporary, calls: written.calls)
            try remux(
                written.descriptorPath, into: file, container: container, shift: shift, base: base, video: video,
                longestGap: longestGap, lastDurations: lastDurations, metadata: metadata)
            var status = stat()
            if stat(path, &status) == 0 { file.takeRights(of: status) }
            try file.synchronise()
            // Looked at again: the name may have gone to another file meanwhile.
            guard written.isUnder(path) else {
                throw MediaError(.notFound, operation: "rename", detail: "the file was moved meanwhile")
            }
            guard written.calls.rename(temporary, path) == 0 else {
                throw MediaError(errno: errno, operation: "rename")
            }
            TemporaryName.synchroniseFolder(of: path)
        } catch {
            unlink(temporary)
            throw error
        }
    }

    /// The ticks of a stream, made so long that a frame before a gap of so many of them can last until after it.
    private static func timeBase(of stream: UnsafeMutablePointer<AVStream>, gap: Int64) -> Rational {
        let base = stream.timeBase
        let factor = Int32(clamping: gap / WriterSession.longestStep + 1)
        guard factor > 1 else { return base }
        // A whole number of ticks a second, so that the movie's own clock can be the same.
        return Rational(1, max(1, base.den / max(1, base.num) / factor))
    }

    private static func remux(
        _ path: String, into file: OutputFile, container: Container, shift: Int64, base: Rational,
        video: UnsafePointer<AVStream>, longestGap: Int64, lastDurations: [Double], metadata: [String: String]
    ) throws(MediaError) {
        let input = try Demuxer("file:" + path, format: nil, options: [:], interrupt: Interrupt())
        let muxer = try Muxer(container, file: file)
        var outputs: [UnsafeMutablePointer<AVStream>] = []
        for case let stream? in input.streams {
            let isVideo = stream.isVideo
            let output = try muxer.addCopy(
                of: stream.pointee.codecpar,
                timeBase: isVideo ? timeBase(of: stream, gap: longestGap) : stream.timeBase,
                disposition: stream.pointee.disposition, language: AudioStreamInfo(stream).language)
            if isVideo, let described = video.pointee.codecpar {
                // The headers stay those of the file, which its packets are written for.
                output.pointee.codecpar.pointee.codec_tag = described.pointee.codec_tag
                output.pointee.codecpar.pointee.color_range = described.pointee.color_range
                output.pointee.codecpar.pointee.color_space = described.pointee.color_space
                output.pointee.codecpar.pointee.color_primaries = described.pointee.color_primaries
                output.pointee.codecpar.pointee.color_trc = described.pointee.color_trc
                output.pointee.codecpar.pointee.sample_aspect_ratio = described.pointee.sample_aspect_ratio
                output.pointee.avg_frame_rate = video.pointee.avg_frame_rate
                output.pointee.sample_aspect_ratio = video.pointee.sample_aspect_ratio
                try check(vpipe_stream_copy_side_data(output, video), operation: "av_stream_new_side_data")
            }
            outputs.append(output)
        }
        // Empty edits count in the movie's own ticks: they are exact only when those are the video's.
        var options = ["movflags": "+faststart"]
        if let stream = input.streams.first(where: { $0?.isVideo == true }) ?? nil, stream.timeBase.den <= 1_000_000 {
            let ticks = timeBase(of: stream, gap: longestGap).den
            options["movie_timescale"] = String(max(1000, ticks))
            if longestGap > 0 { options["video_track_timescale"] = String(ticks) }
        }
        muxer.describe(metadata)
        try muxer.writeHeader(options)
        guard let packet = av_packet_alloc() else {
            throw MediaError(status: vpipe_averror(ENOMEM), operation: "remux")
        }
        defer { AudioTap.free(packet) }
        // The last packet of each stream so far.
        var waiting = [UnsafeMutablePointer<AVPacket>?](repeating: nil, count: outputs.count)
        defer { for case let packet? in waiting { AudioTap.free(packet) } }
        while true {
            let status = av_read_frame(input.context, packet)
            if status == vpipe_averror_eof() { break }
            try check(status, operation: "av_read_frame")
            let index = Int(packet.pointee.stream_index)
            guard index < outputs.count, let source = input.streams[index] else {
                av_packet_unref(packet)
                continue
            }
            let offset = av_rescale_q(shift, base.av, source.pointee.time_base)
            if packet.pointee.pts.isTime { packet.pointee.pts &-= offset }
            if packet.pointee.dts.isTime { packet.pointee.dts &-= offset }
            av_packet_rescale_ts(packet, source.pointee.time_base, outputs[index].pointee.time_base)
            packet.pointee.pos = -1
            packet.pointee.stream_index = outputs[index].pointee.index
            if let before = waiting[index] {
                try muxer.write(before)
                av_packet_move_ref(before, packet)
            } else {
                waiting[index] = av_packet_clone(packet)
                av_packet_unref(packet)
            }
        }
        for case let (index, last?) in waiting.enumerated() {
            if index < lastDurations.count, lastDurations[index] > 0 {
                let tick = outputs[index].pointee.time_base
                last.pointee.duration = Int64(
                    (lastDurations[index] * Double(tick.den) / Double(max(1, tick.num))).rounded())
            }
            try muxer.write(last)
        }
        try muxer.writeTrailer()
    }
}
