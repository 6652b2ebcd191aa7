// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import CFFmpeg
internal import Glibc

/// Moves the packets of an audio tap into a muxer, interleaved with the video.
///
/// Confined to the writer's queue.
final class AudioCopy {
    private struct Track {
        var stream: UnsafeMutablePointer<AVStream>?
        /// Puts headers in order that a transport stream repeats in every packet.
        var filter: UnsafeMutablePointer<AVBSFContext>?
        var lastDts: Int64?
        var lastDuration: Int64 = 0
        var lastStep: Int64 = 0
        var lastSeconds = 0.0
        /// The packet before, which is written when the next one tells how long it lasts.
        var waiting: UnsafeMutablePointer<AVPacket>?
        var written = 0
        /// The header cannot be written before this track's first packet.
        var needsPacket = false
        /// What the headers in the packets of AAC say: object type, sampling rate, channels.
        var aac: UInt32?
    }

    /// What the place that audio goes to makes of it.
    struct Acceptance {
        /// What messages call the place.
        var name: String
        /// Whether streams of a codec fit in.
        var holds: (AVCodecID) -> Bool
        /// What is done with AAC whose headers are in its packets.
        var headers: Headers

        enum Headers {
            /// Taken as it is.
            case kept
            /// Put in order, which the stream's first packet shows how.
            case filtered
            /// Left out: the place wants them before the first packet.
            case refused
        }

        /// What a file takes.
        static func file(_ container: Container) -> Acceptance {
            Acceptance(name: container.rawValue, holds: { container.holds($0) }, headers: .filtered)
        }
    }

    let tap: AudioTap
    /// What was taken from the tap for this file when the next one began; nil while the tap is this file's alone.
    private var reserved: ArraySlice<AudioTap.Entry>?
    private var tracks: [Track] = []
    private(set) var packets = 0
    /// What happened to the sound on the way.
    private(set) var notes: [String] = []

    /// Adds the tap's streams that the place holds to `muxer`; says which it left out.
    init(_ tap: AudioTap, muxer: Muxer, into place: Acceptance, warn: (String) -> Void) throws(MediaError) {
        self.tap = tap
        for (index, source) in tap.streams.enumerated() {
            let id = source.parameters.pointee.codec_id
            guard !source.isDamaged else {
                warn(
                    "audio stream \(index + 1) (\(source.info.codec)) is left out: its header is damaged, and nobody could "
                        + "play the file")
                tracks.append(Track())
                continue
            }
            let lacksHeader = id == AV_CODEC_ID_AAC && source.parameters.pointee.extradata_size == 0
            guard place.holds(id), !(lacksHeader && place.headers == .refused) else {
                warn("audio stream \(index + 1) (\(source.info.codec)) is left out: \(place.name) cannot hold it")
                tracks.append(Track())
                continue
            }
            var track = Track()
            var parameters = UnsafePointer(source.parameters)
            if lacksHeader, place.headers == .filtered {
                track.filter = try Self.headerFilter(source)
                if let filtered = track.filter?.pointee.par_out { parameters = UnsafePointer(filtered) }
            }
            track.needsPacket = id == AV_CODEC_ID_AC3 || id == AV_CODEC_ID_EAC3 || lacksHeader
            // Kept at once, so that a failure below frees it with the others.
            tracks.append(track)
            tracks[index].stream = try muxer.addCopy(
                of: parameters, timeBase: source.timeBase, disposition: source.disposition,
                language: source.info.language)
        }
    }

    deinit {
        for entry in reserved ?? [] { AudioTap.free(entry.packet) }
        for var track in tracks {
            av_bsf_free(&track.filter)
            if let packet = track.waiting { AudioTap.free(packet) }
        }
    }

    /// Whether every stream that has to has shown a packet.
    var isReady: Bool { !tracks.contains { $0.needsPacket && $0.written == 0 } }

    /// Whether every stream carried has shown a packet.
    var hasAll: Bool { !tracks.contains { $0.stream != nil && $0.written == 0 } }

    /// How far before `start` the packets waiting begin, in seconds; at least 0.
    func lead(before start: Double) -> Double {
        var lead = 0.0
        for entry in reserved ?? [] where entry.seconds.isFinite && tracks[entry.stream].stream != nil {
            lead = max(lead, start - entry.seconds)
        }
        guard reserved == nil else { return lead }
        for (index, time) in tap.firstTimes().enumerated() where tracks[index].stream != nil {
            if let time { lead = max(lead, start - MediaTime(ticks: time, base: tap.streams[index].timeBase).seconds) }
        }
        return lead
    }

    /// Takes what starts before `seconds`, and leaves the rest of the tap to the next file.
    func seal(before seconds: Double) {
        guard reserved == nil else { return }
        var entries: ArraySlice<AudioTap.Entry> = []
        while let entry = tap.take(until: seconds.nextDown) { entries.append(entry) }
        reserved = entries
    }

    /// Whether nothing more comes for this file than is there.
    var isOver: Bool { reserved != nil || tap.hasEnded }

    private func take(until seconds: Double) -> AudioTap.Entry? {
        guard let first = reserved?.first else { return reserved == nil ? tap.take(until: seconds) : nil }
        guard first.seconds <= seconds else { return nil }
        reserved?.removeFirst()
        return first
    }

    /// Writes what starts no later than `seconds`, with `shift` ticks of `base` added to every time.
    func drain(until seconds: Double, into muxer: Muxer, shift: Int64, base: Rational) throws(MediaError) {
        while let entry = take(until: seconds) {
            guard let stream = tracks[entry.stream].stream else {
                AudioTap.free(entry.packet)
                continue
            }
            let offset = av_rescale_q(shift, base.av, stream.pointee.time_base)
            guard try prepare(entry, for: stream, offset: offset) else {
                AudioTap.free(entry.packet)
                continue
            }
            let before = tracks[entry.stream].waiting
            tracks[entry.stream].waiting = entry.packet
            guard let before else { continue }
            defer { AudioTap.free(before) }
            // Fragments are as long as the durations in them, so these have to add up to the times.
            before.pointee.duration = entry.packet.pointee.dts &- before.pointee.dts
            tracks[entry.stream].lastStep = before.pointee.duration
            try write(before, entry.stream, into: muxer)
        }
    }

    /// Writes the packets that waited for a next one.
    func finish(into muxer: Muxer) throws(MediaError) {
        for index in tracks.indices {
            guard let packet = tracks[index].waiting else { continue }
            tracks[index].waiting = nil
            defer { AudioTap.free(packet) }
            // A last packet that lasts no time would lie outside of its track.
            if packet.pointee.duration <= 0 { packet.pointee.duration = max(1, tracks[index].lastStep) }
            if let stream = tracks[index].stream {
                tracks[index].lastSeconds =
                    MediaTime(
                        ticks: packet.pointee.duration, base: Rational(stream.pointee.time_base)
                    ).seconds
            }
            try write(packet, index, into: muxer)
        }
    }

    /// Seconds the last packet of each stream carried lasts.
    var lastDurations: [Double] { tracks.filter { $0.stream != nil }.map(\.lastSeconds) }

    private func write(_ packet: UnsafeMutablePointer<AVPacket>, _ index: Int, into muxer: Muxer) throws(MediaError) {
        try muxer.write(packet)
        tracks[index].written += 1
        packets += 1
    }

    /// Filters a packet and puts its times on the output's clock; false where nothing of it is left.
    private func prepare(
        _ entry: AudioTap.Entry, for stream: UnsafeMutablePointer<AVStream>, offset: Int64
    ) throws(MediaError) -> Bool {
        let packet = entry.packet
        watchParameters(packet, entry.stream)
        let track = tracks[entry.stream]
        if let filter = track.filter {
            // A damaged packet is left out; the next may be good again.
            guard av_bsf_send_packet(filter, packet) >= 0, av_bsf_receive_packet(filter, packet) >= 0 else {
                return false
            }
        }
        av_packet_rescale_ts(packet, tap.streams[entry.stream].timeBase.av, stream.pointee.time_base)
        let expected = track.lastDts.map { $0 &+ max(1, track.lastDuration) } ?? max(0, offset)
        var dts =
            packet.pointee.dts.isTime
            ? packet.pointee.dts &+ offset
            : packet.pointee.pts.isTime ? packet.pointee.pts &+ offset : expected
        if let last = track.lastDts, dts <= last { dts = last &+ 1 }
        var pts = packet.pointee.pts.isTime ? packet.pointee.pts &+ offset : dts
        if pts < dts { pts = dts }
        packet.pointee.dts = dts
        packet.pointee.pts = pts
        packet.pointee.stream_index = stream.pointee.index
        packet.pointee.pos = -1
        tracks[entry.stream].lastDts = dts
        tracks[entry.stream].lastDuration = packet.pointee.duration
        return true
    }

    /// Notices sound that goes on with other parameters than the file's header says, which a copy cannot change.
    private func watchParameters(_ packet: UnsafeMutablePointer<AVPacket>, _ index: Int) {
        guard let stream = tracks[index].stream, stream.pointee.codecpar.pointee.codec_id == AV_CODEC_ID_AAC else {
            return
        }
        var isOther = false
        if tracks[index].filter != nil, packet.pointee.size >= 4, let data = packet.pointee.data, data[0] == 0xFF,
            data[1] & 0xF0 == 0xF0
        {
            // Of an ADTS header the bits that an MP4 file's header repeats.
            let bits = UInt32(data[2] & 0xFD) << 8 | UInt32(data[3] & 0xC0)
            isOther = tracks[index].aac.map { $0 != bits } ?? false
            tracks[index].aac = bits
        }
        var size = 0
        if let extra = av_packet_get_side_data(packet, AV_PKT_DATA_NEW_EXTRADATA, &size), tracks[index].written > 0 {
            let parameters = stream.pointee.codecpar.pointee
            isOther =
                isOther || size != Int(parameters.extradata_size) || memcmp(extra, parameters.extradata, size) != 0
        }
        guard isOther, notes.isEmpty else { return }
        let seconds = MediaTime(
            ticks: packet.pointee.pts.orZero, base: tap.streams[index].timeBase
        ).seconds
        notes.append(
            "audio stream \(index + 1) changes its sampling rate or channels at \(NumberText.decimal(seconds)) s: what follows "
                + "is copied, but players cannot decode it")
    }

    // MARK: AAC out of transport streams

    private static func headerFilter(
        _ source: AudioTap.Stream
    ) throws(MediaError) -> UnsafeMutablePointer<AVBSFContext>? {
        guard let kind = av_bsf_get_by_name("aac_adtstoasc") else { return nil }
        var fresh: UnsafeMutablePointer<AVBSFContext>?
        try check(av_bsf_alloc(kind, &fresh), operation: "av_bsf_alloc")
        guard let filter = fresh else { return nil }
        filter.pointee.time_base_in = source.timeBase.av
        var status = avcodec_parameters_copy(filter.pointee.par_in, source.parameters)
        if status >= 0 { status = av_bsf_init(filter) }
        guard status >= 0 else {
            av_bsf_free(&fresh)
            throw MediaError(status: status, operation: "av_bsf_init")
        }
        return filter
    }
}
