// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg

/// Moves the packets of an audio tap into a muxer, interleaved with the video. Confined to the writer's queue.
final class AudioCopy {
    private struct Track {
        var stream: UnsafeMutablePointer<AVStream>?
        var lastDts: Int64?
        var lastDuration: Int64 = 0
        /// The header cannot be written before this track's first packet.
        var needsPacket: Bool
    }

    let tap: AudioTap
    private var tracks: [Track] = []
    private(set) var packets = 0

    /// Adds the tap's streams that `container` holds to `muxer`; says which it left out.
    init(_ tap: AudioTap, muxer: Muxer, container: Container, warn: (String) -> Void) throws(MediaError) {
        self.tap = tap
        for (index, source) in tap.streams.enumerated() {
            let id = source.parameters.pointee.codec_id
            guard container.holds(id) else {
                warn(
                    "audio stream \(index + 1) (\(source.info.codec)) is left out: \(container.rawValue) cannot hold it")
                tracks.append(Track(needsPacket: false))
                continue
            }
            let stream = try muxer.addCopy(
                of: source.parameters, timeBase: source.timeBase, disposition: source.disposition,
                language: source.info.language)
            let hasHeader = source.parameters.pointee.extradata_size > 0
            tracks.append(
                Track(
                    stream: stream,
                    needsPacket: id == AV_CODEC_ID_AC3 || id == AV_CODEC_ID_EAC3 || (id == AV_CODEC_ID_AAC && !hasHeader)))
        }
    }

    /// Whether every stream that has to has shown a packet.
    var isReady: Bool { !tracks.contains { $0.needsPacket && $0.lastDts == nil } }

    /// Whether every stream carried has shown a packet.
    var hasAll: Bool { !tracks.contains { $0.stream != nil && $0.lastDts == nil } }

    /// How far before zero the packets waiting begin, in seconds; at least 0.
    var lead: Double {
        var lead = 0.0
        for (index, time) in tap.firstTimes().enumerated() where tracks[index].stream != nil {
            if let time { lead = max(lead, -MediaTime(ticks: time, base: tap.streams[index].timeBase).seconds) }
        }
        return lead
    }

    /// Writes what starts no later than `seconds`, with `shift` seconds of `base` added to every time.
    func drain(until seconds: Double, into muxer: Muxer, shift: Int64, base: Rational) throws(MediaError) {
        while let entry = tap.take(until: seconds) {
            defer { AudioTap.free(entry.packet) }
            guard let stream = tracks[entry.stream].stream else { continue }
            let packet = entry.packet
            av_packet_rescale_ts(packet, tap.streams[entry.stream].timeBase.av, stream.pointee.time_base)
            let offset = av_rescale_q(shift, base.av, stream.pointee.time_base)
            let track = tracks[entry.stream]
            let expected = track.lastDts.map { $0 &+ max(1, track.lastDuration) } ?? offset
            var dts = packet.pointee.dts.isTime ? packet.pointee.dts &+ offset
                : packet.pointee.pts.isTime ? packet.pointee.pts &+ offset : expected
            if let last = track.lastDts, dts <= last { dts = last &+ 1 }
            var pts = packet.pointee.pts.isTime ? packet.pointee.pts &+ offset : dts
            if pts < dts { pts = dts }
            packet.pointee.dts = dts
            packet.pointee.pts = pts
            // Times rounded to a coarse tick must not make one fragment reach into the next: mp4 would move that.
            let tick = av_rescale_q(1, tap.streams[entry.stream].timeBase.av, stream.pointee.time_base)
            if tick > 1, packet.pointee.duration > tick { packet.pointee.duration -= tick }
            packet.pointee.stream_index = stream.pointee.index
            packet.pointee.pos = -1
            tracks[entry.stream].lastDts = dts
            tracks[entry.stream].lastDuration = packet.pointee.duration
            try muxer.write(packet)
            packets += 1
        }
    }
}
