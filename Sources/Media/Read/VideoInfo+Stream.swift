// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg

extension VideoInfo {
    /// Reads the headers of an opened input.
    init(
        _ context: UnsafeMutablePointer<AVFormatContext>, _ stream: UnsafeMutablePointer<AVStream>,
        orientation: Orientation
    ) {
        let parameters = stream.pointee.codecpar.pointee
        let stored = AVPixelFormat(rawValue: parameters.format)
        let name = context.pointee.iformat.map { String(cString: $0.pointee.name) } ?? "unknown"
        container = name.split(separator: ",").first.map(String.init) ?? name
        codec = String(cString: avcodec_get_name(parameters.codec_id))
        width = Int(max(0, orientation.swapsAxes ? parameters.height : parameters.width))
        height = Int(max(0, orientation.swapsAxes ? parameters.width : parameters.height))
        storedFormat = av_get_pix_fmt_name(stored).map { String(cString: $0) } ?? "unknown"
        format = PixelFormat(nearest: stored)
        if orientation.swapsAxes && format == .i422 { format = .i444 }
        let aspect = Rational(av_guess_sample_aspect_ratio(context, stream, nil))
        pixelAspect = orientation.swapsAxes && aspect.num > 0 ? Rational(aspect.den, aspect.num) : aspect
        timeBase = stream.timeBase
        let rate = Rational(av_guess_frame_rate(context, stream, nil))
        frameRate = rate.value.map { $0 < 10_000 } == true ? rate : Rational(0, 1)
        let length = context.pointee.duration
        duration = length.isTime && length > 0 ? Double(length) / 1e6 : nil
        startTime = Double(context.pointee.start_time.orZero) / 1e6
        let counted = stream.pointee.nb_frames
        if counted > 0 {
            frameCount = Int(counted)
        } else if let duration, let rate = frameRate.value, duration * rate < 1e12 {
            frameCount = Int((duration * rate).rounded())
        } else {
            frameCount = nil
        }
        self.orientation = orientation
        // Devices have no file; network streams cannot be sought and have no length.
        let isDevice = context.pointee.iformat.map { $0.pointee.flags & AVFMT_NOFILE != 0 } ?? false
        let isStill = name.hasPrefix("image2") || name == "lavfi"
        // A server that seeks by time says so of live streams, too.
        let canSeek = context.pointee.pb.map { $0.pointee.seekable & AVIO_SEEKABLE_NORMAL != 0 } ?? false
        isLive = !isStill && duration == nil && (isDevice || !canSeek)
        audio = []
        var subtitles = 0
        for case let other? in UnsafeBufferPointer(
            start: context.pointee.streams, count: Int(context.pointee.nb_streams))
        where other.pointee.codecpar.pointee.codec_type == AVMEDIA_TYPE_SUBTITLE { subtitles += 1 }
        if subtitles > 0 { unread.append("\(subtitles) subtitle stream\(subtitles == 1 ? "" : "s")") }
        let chapters = context.pointee.nb_chapters
        if chapters > 0 { unread.append("\(chapters) chapter\(chapters == 1 ? "" : "s")") }
        if av_dict_get(context.pointee.metadata, "title", nil, 0) != nil { unread.append("the title") }
    }
}
