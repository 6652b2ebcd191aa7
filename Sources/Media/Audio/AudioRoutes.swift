// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg

/// Where the audio packets of an input go, and at what times.
///
/// Confined to the reader's queue.
///
/// Audio moves with the video's time line. Between the end of one round of a loop and the next round's first picture
/// nobody knows by how much, so that packets wait for it.
struct AudioRoutes: ~Copyable {
    private struct Route {
        /// Index of the stream in the taps.
        var stream: Int
        var base: Rational
        /// Decoding time of the last packet.
        var last: Int64?
        /// The shift of the time line that the stream is on, of how many of the video's breaks it knows, and how many of
        /// its packets have come since the video broke off.
        var shift: Int64?
        var breaks = 0
        var late = 0
    }

    /// Packets that a stream may be behind the video when that begins another time line: two seconds of most codecs.
    private static let longestTail = 100
    /// Packets that wait at most; more than any decoder holds back.
    private static let waitingLimit = 4096

    /// Whether packets with times below zero are left out.
    var startsAtZero = false
    private(set) var taps: [AudioTap] = []
    /// By index of the input's stream.
    private var routes: [Int32: Route] = [:]
    private var waiting: [UnsafeMutablePointer<AVPacket>] = []

    deinit { for packet in waiting { AudioTap.free(packet) } }

    /// A tap of all audio streams of `demuxer` that belong to `video`; nil where there are none.
    mutating func makeTap(
        of demuxer: Demuxer, beside video: UnsafeMutablePointer<AVStream>, capacityBytes: Int
    ) throws(MediaError) -> AudioTap? {
        var carried: [AudioTap.Stream] = []
        for stream in Self.audio(of: demuxer, beside: video) {
            routes[stream.pointee.index] = Route(stream: carried.count, base: stream.timeBase)
            carried.append(try AudioTap.Stream(stream))
        }
        guard !carried.isEmpty else { return nil }
        let tap = AudioTap(carried, capacityBytes: capacityBytes)
        taps.append(tap)
        return tap
    }

    /// Feeds the taps of an earlier connection: streams in the same order, as long as they are of the same kind.
    mutating func takeOver(
        _ taps: [AudioTap], of demuxer: Demuxer, beside video: UnsafeMutablePointer<AVStream>
    ) {
        self.taps = taps
        guard let streams = taps.first?.streams else { return }
        for (place, stream) in Self.audio(of: demuxer, beside: video).enumerated() where place < streams.count {
            let (old, new) = (streams[place].parameters.pointee, stream.pointee.codecpar.pointee)
            guard old.codec_id == new.codec_id, old.sample_rate == new.sample_rate else { continue }
            routes[stream.pointee.index] = Route(stream: place, base: stream.timeBase)
        }
    }

    private static func audio(
        of demuxer: Demuxer, beside video: UnsafeMutablePointer<AVStream>
    ) -> [UnsafeMutablePointer<AVStream>] {
        demuxer.audio(beside: video).filter {
            $0.pointee.codecpar.pointee.codec_id != AV_CODEC_ID_NONE
                && $0.pointee.codecpar.pointee.sample_rate > 0
        }
    }

    /// Whether packets of the input's stream `index` go anywhere.
    func wants(_ index: Int32) -> Bool { !taps.isEmpty && routes[index] != nil }

    /// Hands a packet on; `times` is the video's time line, in ticks of `base`.
    mutating func put(_ packet: UnsafePointer<AVPacket>, times: TimestampRepair, base: Rational) {
        let index = packet.pointee.stream_index
        guard wants(index) else { return }
        // Of a time line that is about to end the rest goes on; what is of the next waits for its place.
        let isOfNext = stepsBack(packet) || waiting.contains { $0.pointee.stream_index == index }
        if times.isNewRound || (times.isBreakDue && isOfNext), waiting.count < Self.waitingLimit {
            if let copy = av_packet_clone(packet) { waiting.append(copy) }
            return
        }
        hand(packet, times, base: base)
    }

    /// Whether a packet begins another time line than the one before, and the video has not done so.
    func leads(_ packet: UnsafePointer<AVPacket>, breaks: Int) -> Bool {
        stepsBack(packet) && routes[packet.pointee.stream_index]?.breaks == breaks
    }

    /// Whether a packet begins another time line than the one before.
    private func stepsBack(_ packet: UnsafePointer<AVPacket>) -> Bool {
        guard let route = routes[packet.pointee.stream_index], let last = route.last, packet.pointee.dts.isTime,
            route.base.num > 0
        else { return false }
        return packet.pointee.dts < last &- Int64(route.base.den / route.base.num) / 10
    }

    /// Forgets decoding times: the input starts over.
    mutating func startRound() { for index in routes.keys { routes[index]?.last = nil } }

    /// Hands on what waited for the video's new shift.
    mutating func release(times: TimestampRepair, base: Rational) {
        if !times.isBreakDue { flush(times, base: base) }
    }

    /// Hands on all that waits.
    mutating func flush(_ times: TimestampRepair, base: Rational) {
        guard !waiting.isEmpty else { return }
        for packet in waiting {
            hand(packet, times, base: base)
            AudioTap.free(packet)
        }
        waiting.removeAll(keepingCapacity: true)
    }

    /// Says that no more will come.
    func end() { for tap in taps { tap.end() } }

    private mutating func hand(_ packet: UnsafePointer<AVPacket>, _ times: TimestampRepair, base: Rational) {
        let index = packet.pointee.stream_index
        guard var route = routes[index] else { return }
        let dts = packet.pointee.dts
        if times.breaks > route.breaks, route.late < Self.longestTail, route.shift != nil, let last = route.last,
            dts.isTime, !stepsBack(packet), dts &- last < Int64(route.base.den / max(1, route.base.num))
        {
            // The end of the old time line, behind the beginning of the video's next.
            route.late += 1
        } else {
            (route.shift, route.breaks, route.late) = (times.shift, times.breaks, 0)
        }
        if dts.isTime { route.last = dts }
        routes[index] = route
        let ticks = av_rescale_q(route.shift ?? times.shift, base.av, route.base.av)
        let time = packet.pointee.dts.isTime ? packet.pointee.dts : packet.pointee.pts
        if startsAtZero, time.isTime, time &+ ticks < 0 { return }
        for tap in taps { tap.put(packet, stream: route.stream, shift: ticks, base: route.base) }
    }
}
