// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import CFFmpeg
internal import Glibc

/// A writer from its first picture on: encoder or copied packets, muxer and audio.
///
/// Confined to the writer's queue.
final class WriterSession {
    /// Nil once it has encoded everything, as it holds more memory than all the rest, and where packets are copied.
    private var encoder: VideoEncoder?
    private var copy: VideoCopy?
    private let isCopy: Bool
    private let encoderName: String
    private let muxer: Muxer
    private let container: Container
    private let stream: UnsafeMutablePointer<AVStream>
    private let audio: AudioCopy?
    private let packet: UnsafeMutablePointer<AVPacket>
    /// The packet before, which is written when the next one tells how long it lasts.
    private let waiting: UnsafeMutablePointer<AVPacket>
    private var hasWaiting = false
    /// Ticks that FFmpeg lets a frame of mp4 last, with room for rounding.
    static let longestStep = Int64(Int32.max) - 2
    /// The longest gap in the file, in ticks of its stream; 0 where none is longer than a frame can last.
    private var longestGap: Int64 = 0
    private let shaper: PictureShaper?
    /// The base of the pictures' times and the encoder's, which differ only for encoders with a coarse clock.
    private let inputBase: Rational
    private let base: Rational
    private let nominalDuration: Int64
    private var clock: FragmentClock
    /// Ticks added to every time, so that a fragmented file needs none below zero; nil until the first packet.
    private var shift: Int64?
    private var lastPts: Int64?
    private var end = 0.0
    /// Seconds the last packet lasts.
    private var lastDuration = 0.0
    /// Durations of the frames inside the encoder, by presentation time: a ring, as many as an encoder holds back.
    private var durations = [(pts: Int64, duration: Int64)](repeating: (.min, 0), count: 256)
    private var counts = WriterStatistics()
    /// What `counts` were when the file was last whole.
    private var whole = WriterStatistics()
    /// What the times of the file count from, in ticks of `base`.
    private let origin: Int64
    private let metadata: [String: String]

    /// - Parameters:
    ///   - first: the first picture; nil only where packets are copied.
    ///   - start: the time of the file's zero, on the clock of the pictures.
    init(
        file: OutputFile, container: Container, codec: VideoCodec, encoderName: String, settings: WriterSettings,
        first: Picture?, base inputBase: Rational, start: MediaTime?, createdAt: WallTime?, tap: AudioTap?,
        copying copied: VideoTap?
    ) throws(MediaError) {
        metadata = createdAt.map { ["creation_time": $0.rfc3339] } ?? [:]
        self.container = container
        self.encoderName = encoderName
        guard inputBase.num > 0, inputBase.den > 0 else {
            throw MediaError(.invalidSetting, operation: "write", detail: "the time base \(inputBase) is not a time")
        }
        self.inputBase = inputBase
        base = encoderName == "mpeg4" && copied == nil ? Self.coarse(inputBase, rate: settings.frameRate) : inputBase
        let base = base
        origin = start.map { $0.base == base ? $0.ticks : av_rescale_q($0.ticks, $0.base.av, base.av) } ?? 0
        let perFrame = settings.frameRate.value.map { 1 / $0 } ?? 0.04
        nominalDuration = Int64(max(1, min(1e9, perFrame * Double(base.den) / Double(base.num))))
        clock = FragmentClock(interval: settings.fragmentSeconds)
        muxer = try Muxer(container, file: file)
        copy = copied.map { VideoCopy($0) }
        isCopy = copied != nil
        if let copied {
            shaper = nil
            stream = try muxer.addCopy(of: copied)
        } else {
            guard let first else { preconditionFailure("an encoder is opened for a picture") }
            let shaper = try PictureShaper(first, codec: codec, encoder: encoderName, format: settings.format)
            self.shaper = shaper
            let encoder = try VideoEncoder(
                codec, name: encoderName, shape: shaper.shape, settings: settings, timeBase: base,
                needsGlobalHeader: muxer.needsGlobalHeader)
            self.encoder = encoder
            stream = try muxer.addStream(timeBase: base)
            try check(
                avcodec_parameters_from_context(stream.pointee.codecpar, encoder.context),
                operation: "avcodec_parameters_from_context")
            stream.pointee.sample_aspect_ratio = encoder.context.pointee.sample_aspect_ratio
            if settings.frameRate.value != nil {
                stream.pointee.avg_frame_rate = settings.frameRate.av
                stream.pointee.r_frame_rate = settings.frameRate.av
            }
        }
        // HEVC in mp4 under the tag that every player knows.
        if container.isFragmented, stream.pointee.codecpar.pointee.codec_id == AV_CODEC_ID_HEVC {
            stream.pointee.codecpar.pointee.codec_tag = 0x3163_7668  // "hvc1"
        }
        var warnings: [String] = []
        if let tap {
            audio = try AudioCopy(tap, muxer: muxer, into: .file(container)) { warnings.append($0) }
        } else {
            audio = nil
        }
        counts.warnings = warnings
        if let warning = shaper?.warning { counts.warnings.append(warning) }
        guard let packet = av_packet_alloc() else {
            throw MediaError(status: vpipe_averror(ENOMEM), operation: "writer")
        }
        guard let waiting = av_packet_alloc() else {
            AudioTap.free(packet)
            throw MediaError(status: vpipe_averror(ENOMEM), operation: "writer")
        }
        self.packet = packet
        self.waiting = waiting
    }

    deinit {
        AudioTap.free(packet)
        AudioTap.free(waiting)
    }

    /// Adds what this session did to `total`.
    func report(_ total: inout WriterStatistics) {
        total.frames = counts.frames
        total.wholePackets = whole.packets
        total.packets = counts.packets
        total.videoBytes = counts.videoBytes
        total.repairedTimestamps = counts.repairedTimestamps
        total.fragments = counts.fragments
        total.rescaled = shaper?.rescaled ?? 0
        total.gaps = counts.gaps + (copy?.gaps ?? 0)
        total.audioPackets = audio?.packets ?? 0
        total.warnings =
            counts.warnings + (audio?.notes ?? [])
            + total.warnings.filter {
                !counts.warnings.contains($0) && audio?.notes.contains($0) != true
            }
    }

    /// What the file holds up to where it is whole, once the rest is cut off.
    func reportWhole(_ total: inout WriterStatistics) {
        total.packets = whole.packets
        total.videoBytes = whole.videoBytes
        total.audioPackets = whole.audioPackets
    }

    /// Remembers that the file is whole up to here, but for packets that are counted and not written yet.
    private func noteWhole(but packets: Int = 0, _ bytes: Int = 0) {
        whole.packets = counts.packets - packets
        whole.videoBytes = counts.videoBytes - bytes
        whole.audioPackets = audio?.packets ?? 0
    }

    /// Bytes of video so far, with an estimate of what the encoder still holds.
    var expectedBytes: Int {
        counts.packets > 0 ? counts.videoBytes / counts.packets * counts.frames : 0
    }

    /// Ends what the file takes of the source's packets at `seconds` of the pictures' clock; the next file goes on there.
    func seal(before seconds: Double) throws(MediaError) {
        copy?.finish()
        try drainCopy()
        counts.gaps += copy?.gaps ?? 0
        copy = nil
        audio?.seal(before: seconds)
    }

    func write(_ picture: Picture, pts time: MediaTime, duration: MediaTime) throws(MediaError) {
        var pts = rescale(time) &- origin
        if let lastPts, pts <= lastPts {
            pts = lastPts &+ 1
            counts.repairedTimestamps += 1
        }
        lastPts = pts
        let length = duration.ticks > 0 ? max(1, rescale(duration)) : nominalDuration
        durations[counts.frames % durations.count] = (pts, length)
        end = MediaTime(ticks: pts &+ length, base: base).seconds
        if let encoder, let shaper { try encoder.send(try shaper.shaped(picture), pts: pts) }
        counts.frames += 1
        try drainEncoder()
    }

    /// Stores the source's packets up to a frame.
    ///
    /// - Throws: `invalidSetting` where packets cannot be stored as they are.
    func copy(_ sequence: UInt64, pts time: MediaTime, duration: MediaTime) throws(MediaError) {
        let pts = rescale(time)
        end = MediaTime(ticks: pts &- origin &+ max(1, rescale(duration)), base: base).seconds
        try copy?.arrived(sequence, pts: pts, seconds: time.seconds)
        counts.frames += 1
        try drainCopy()
    }

    /// Stores every packet that waits in the source's tap.
    ///
    /// - Throws: as ``copy(_:pts:duration:)``.
    func copyWaiting() throws(MediaError) {
        copy?.passAll()
        try drainCopy()
        counts.frames = counts.packets
    }

    func finish() throws(MediaError) {
        try encoder?.send(nil, pts: 0)
        try drainEncoder()
        encoder = nil
        copy?.finish()
        try drainCopy()
        if hasWaiting {
            lastDuration =
                MediaTime(
                    ticks: waiting.pointee.duration, base: Rational(stream.pointee.time_base)
                ).seconds
            try muxer.write(waiting)
        }
        hasWaiting = false
        guard isCopy || counts.packets == counts.frames else {
            throw MediaError(
                .failed, operation: "encoder",
                detail: "\(encoderName) made \(counts.packets) frames of \(counts.frames)")
        }
        // A source that was stopped has audio beyond its last picture; one that ended keeps all of it.
        if let audio, let shift {
            try audio.drain(
                until: audio.isOver ? .infinity : end + offset, into: muxer, shift: shift &- origin, base: base)
            try audio.finish(into: muxer)
        }
        try muxer.writeTrailer()
        counts.fragments += 1
        noteWhole()
    }

    /// The file's zero in seconds of the pictures' clock.
    private var offset: Double { MediaTime(ticks: origin, base: base).seconds }

    func finalise(_ file: OutputFile, _ container: Container) throws(MediaError) {
        try Finaliser.finalise(
            file, container: container, shift: shift ?? 0, base: base, video: stream, longestGap: longestGap,
            lastDurations: [lastDuration] + (audio?.lastDurations ?? []), metadata: metadata)
    }

    private func drainEncoder() throws(MediaError) {
        while try encoder?.receive(into: packet) ?? false {
            let pts = packet.pointee.pts
            packet.pointee.duration = durations.first { $0.pts == pts }?.duration ?? nominalDuration
            try take()
        }
    }

    private func drainCopy() throws(MediaError) {
        while let next = try copy?.next() {
            av_packet_move_ref(packet, next)
            AudioTap.free(next)
            packet.pointee.pos = -1
            packet.pointee.pts &-= origin
            packet.pointee.dts &-= origin
            try take()
        }
    }

    /// Has `packet`, whose times count in `base`, follow the one that waits.
    private func take() throws(MediaError) {
        if shift == nil { try begin(with: packet) }
        guard let shift else { preconditionFailure("begun above") }
        let isKey = packet.pointee.flags & AV_PKT_FLAG_KEY != 0
        counts.packets += 1
        counts.videoBytes += Int(packet.pointee.size)
        let time = MediaTime(ticks: packet.pointee.dts, base: base).seconds
        packet.pointee.pts &+= shift
        packet.pointee.dts &+= shift
        av_packet_rescale_ts(packet, base.av, stream.pointee.time_base)
        packet.pointee.stream_index = stream.pointee.index
        if hasWaiting {
            // In mp4 a frame lasts, in decoding order, until the next one, also across fragments.
            let gap = packet.pointee.dts &- waiting.pointee.dts
            let isBreak = container.isFragmented && gap > Self.longestStep
            if container.isFragmented, !isBreak { waiting.pointee.duration = max(0, gap) }
            let end = MediaTime(
                ticks: waiting.pointee.dts &+ waiting.pointee.duration, base: Rational(stream.pointee.time_base)
            ).seconds
            try muxer.write(waiting)
            if isBreak {
                longestGap = max(longestGap, gap)
                try leap(after: end, shift)
            }
        }
        try audio?.drain(until: time + offset, into: muxer, shift: shift &- origin, base: base)
        let isReady = audio.map { $0.hasAll || (time > 1 && $0.isReady) } ?? true
        if clock.cutsBefore(time, isKey: isKey, isReady: isReady) {
            try muxer.cut()
            counts.fragments += 1
            noteWhole(but: 1, Int(packet.pointee.size))
        }
        av_packet_move_ref(waiting, packet)
        hasWaiting = true
    }

    /// Goes on in a new fragment behind a gap that is longer than a frame of mp4 can last.
    ///
    /// `end` is the time of the output at which the gap begins.
    private func leap(after end: Double, _ shift: Int64) throws(MediaError) {
        if let audio {
            let until = end - MediaTime(ticks: shift, base: base).seconds
            try audio.drain(until: until + offset, into: muxer, shift: shift &- origin, base: base)
            try audio.finish(into: muxer)
        }
        try muxer.cut()
        muxer.breakTime()
        counts.fragments += 1
    }

    /// Writes the header, once the first packet tells how far below zero decoding times begin.
    private func begin(with first: UnsafePointer<AVPacket>) throws(MediaError) {
        var options: [String: String] = [:]
        if container.isFragmented {
            var lead = audio?.lead(before: offset) ?? 0
            // Sound of a live source may come after the picture that begins its file.
            if audio != nil, origin != 0 { lead = max(lead, 0.5) }
            let leadTicks = Int64((lead * Double(base.den) / Double(base.num)).rounded(.up))
            shift = max(0, -first.pointee.dts.orZero, leadTicks)
            options["movflags"] = "+frag_custom+delay_moov+default_base_moof+frag_discont"
            options["use_editlist"] = "0"
            muxer.context.pointee.avoid_negative_ts = 0
        } else {
            shift = 0
            options["cluster_time_limit"] = "2000"
        }
        muxer.describe(metadata)
        try muxer.writeHeader(options)
    }

    private func rescale(_ time: MediaTime) -> Int64 {
        time.base == base ? time.ticks : av_rescale_q(time.ticks, time.base.av, base.av)
    }

    /// MPEG-4 part 2 counts in at most 65535 ticks a second.
    static func coarse(_ base: Rational, rate: Rational) -> Rational {
        if base.den <= 65535 { return base }
        return rate.value != nil && rate.num <= 65535 ? Rational(rate.den, rate.num) : Rational(1, 60_000)
    }
}
