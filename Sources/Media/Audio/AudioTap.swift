// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg
internal import Synchronization

/// Carries the compressed audio of an input past the pipeline, to one writer.
///
/// The reader puts packets in, the writer takes them out as its video advances. Thread-safe. Bounded by bytes: packets
/// that find it full are dropped and counted, which happens only when nobody takes any.
public final class AudioTap: @unchecked Sendable {
    // `@unchecked Sendable`: the parameters never change, everything else is under the lock.

    /// One audio stream as the input describes it.
    ///
    /// Owns its parameters.
    final class Stream {
        let parameters: UnsafeMutablePointer<AVCodecParameters>
        let timeBase: Rational
        let info: AudioStreamInfo
        let disposition: Int32
        /// Whether the codec's header is damaged: a file with it is refused as a whole by those who play it.
        let isDamaged: Bool

        init(_ stream: UnsafeMutablePointer<AVStream>) throws(MediaError) {
            var fresh = avcodec_parameters_alloc()
            guard let parameters = fresh else { throw MediaError(status: vpipe_averror(12), operation: "audio") }
            let status = avcodec_parameters_copy(parameters, stream.pointee.codecpar)
            guard status >= 0 else {
                avcodec_parameters_free(&fresh)
                throw MediaError(status: status, operation: "avcodec_parameters_copy")
            }
            self.parameters = parameters
            timeBase = stream.timeBase
            disposition = stream.pointee.disposition
            info = AudioStreamInfo(stream)
            isDamaged = Self.isDamaged(parameters)
        }

        /// Has the codec's own decoder look at its header; what no decoder here knows is believed.
        private static func isDamaged(_ parameters: UnsafePointer<AVCodecParameters>) -> Bool {
            guard parameters.pointee.extradata_size > 0, let decoder = avcodec_find_decoder(parameters.pointee.codec_id)
            else { return false }
            var fresh = avcodec_alloc_context3(decoder)
            guard let context = fresh else { return false }
            defer { avcodec_free_context(&fresh) }
            guard avcodec_parameters_to_context(context, parameters) >= 0 else { return false }
            return avcodec_open2(context, decoder, nil) == vpipe_averror_invalid_data()
        }

        deinit {
            var parameters: UnsafeMutablePointer<AVCodecParameters>? = parameters
            avcodec_parameters_free(&parameters)
        }
    }

    /// A packet on its way; `stream` is an index into the tap's streams.
    ///
    /// Whoever takes it frees it. `@unchecked Sendable`: the packet has one owner at a time.
    struct Entry: @unchecked Sendable {
        let packet: UnsafeMutablePointer<AVPacket>
        let stream: Int
        let seconds: Double
    }

    private struct State: Sendable {
        var entries: [Entry?] = []
        var head = 0
        var bytes = 0
        var dropped = 0
        var isClosed = false
        var hasEnded = false
    }

    let streams: [Stream]
    private let capacityBytes: Int
    private let state = Mutex(State())

    init(_ streams: [Stream], capacityBytes: Int) {
        self.streams = streams
        self.capacityBytes = capacityBytes
    }

    deinit { close() }

    /// The streams carried.
    public var info: [AudioStreamInfo] { streams.map(\.info) }

    /// Packets dropped because the tap was full.
    public var droppedPackets: Int { state.withLock { $0.dropped } }

    /// Bytes waiting.
    public var pendingBytes: Int { state.withLock { $0.bytes } }

    /// Whether the reader has come to the end of its input.
    var hasEnded: Bool { state.withLock { $0.hasEnded } }

    /// Frees what waits and takes nothing more.
    public func close() {
        state.withLock { state in
            state.isClosed = true
            for case let entry? in state.entries[state.head...] { Self.free(entry.packet) }
            state.entries = []
            state.head = 0
            state.bytes = 0
        }
    }

    /// Puts a reference to `packet` in, its times moved by `shift` ticks; both count in ticks of `base`.
    func put(_ packet: UnsafePointer<AVPacket>, stream: Int, shift: Int64, base: Rational) {
        guard let copy = av_packet_clone(packet) else { return }
        if copy.pointee.pts.isTime { copy.pointee.pts &+= shift }
        if copy.pointee.dts.isTime { copy.pointee.dts &+= shift }
        // A later connection may count in other ticks than the first.
        if base != streams[stream].timeBase { av_packet_rescale_ts(copy, base.av, streams[stream].timeBase.av) }
        let time = copy.pointee.dts.isTime ? copy.pointee.dts : copy.pointee.pts
        // A packet without any time goes out with the next video.
        let seconds = time.isTime ? MediaTime(ticks: time, base: streams[stream].timeBase).seconds : -Double.infinity
        let entry = Entry(packet: copy, stream: stream, seconds: seconds)
        let size = Int(copy.pointee.size)
        let isTaken = state.withLock { state in
            guard !state.isClosed, state.bytes + size <= capacityBytes else {
                if !state.isClosed { state.dropped += 1 }
                return false
            }
            state.bytes += size
            state.entries.append(entry)
            return true
        }
        if !isTaken { Self.free(copy) }
    }

    /// Says that no more will come.
    func end() { state.withLock { $0.hasEnded = true } }

    /// The next packet that starts no later than `seconds`; the caller frees it.
    func take(until seconds: Double) -> Entry? {
        state.withLock { state in
            guard state.head < state.entries.count, let entry = state.entries[state.head], entry.seconds <= seconds
            else { return nil }
            state.entries[state.head] = nil
            state.head += 1
            state.bytes -= Int(entry.packet.pointee.size)
            if state.head > 64 && state.head * 2 > state.entries.count {
                state.entries.removeFirst(state.head)
                state.head = 0
            }
            return entry
        }
    }

    /// Drops what starts before `seconds`.
    package func discard(until seconds: Double) {
        while let entry = take(until: seconds) { Self.free(entry.packet) }
    }

    /// The first time waiting in each stream, in ticks of that stream; nil where nothing waits.
    func firstTimes() -> [Int64?] {
        state.withLock { state in
            var times = [Int64?](repeating: nil, count: streams.count)
            for case let entry? in state.entries[state.head...] where times[entry.stream] == nil {
                let packet = entry.packet.pointee
                if packet.dts.isTime {
                    times[entry.stream] = packet.dts
                } else if packet.pts.isTime {
                    times[entry.stream] = packet.pts
                }
            }
            return times
        }
    }

    static func free(_ packet: UnsafeMutablePointer<AVPacket>) {
        var packet: UnsafeMutablePointer<AVPacket>? = packet
        av_packet_free(&packet)
    }
}

extension AudioStreamInfo {
    init(_ stream: UnsafeMutablePointer<AVStream>) {
        let parameters = stream.pointee.codecpar.pointee
        codec = String(cString: avcodec_get_name(parameters.codec_id))
        sampleRate = Int(parameters.sample_rate)
        language =
            av_dict_get(stream.pointee.metadata, "language", nil, 0).map { String(cString: $0.pointee.value) } ?? ""
    }
}
