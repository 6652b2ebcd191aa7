// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg
internal import Synchronization

/// Carries the compressed video of an input past the pipeline, to one writer that stores it as it is.
///
/// The reader puts packets in when it gives them to its decoder, the writer takes them out as frames arrive.
/// Thread-safe. Bounded by bytes: ``Fault/full`` is seen by the writer, as nothing may be missing from a copy.
public final class VideoTap: @unchecked Sendable {
    // `@unchecked Sendable`: the description never changes, everything else is under the lock.

    /// Why packets cannot be stored as they come.
    enum Fault: Sendable { case full, brokenTimes }

    private struct State: @unchecked Sendable {
        // The packets are under the tap's lock.
        /// In decoding order, from `head` on; the first `timed` of them have their times.
        var packets: [UnsafeMutablePointer<AVPacket>] = []
        var head = 0
        var timed = 0
        var bytes = 0
        var fault: Fault?
        var isClosed = false
    }

    /// What the packets are.
    let about: VideoDescription
    private let capacityBytes: Int
    private let state = Mutex(State())

    init(_ about: VideoDescription, capacityBytes: Int) {
        self.about = about
        self.capacityBytes = capacityBytes
    }

    deinit { close() }

    var timeBase: Rational { about.timeBase }

    /// FFmpeg's name of the codec.
    public var codecName: String { about.codecName }

    /// Frees what waits and takes nothing more.
    public func close() {
        state.withLock { state in
            state.isClosed = true
            for packet in state.packets[state.head...] { AudioTap.free(packet) }
            state.packets = []
            (state.head, state.timed, state.bytes) = (0, 0, 0)
        }
    }

    /// Puts a reference to `packet` in, its times moved by `shift` ticks; nil where that is told by ``release(shift:)``.
    func put(_ packet: UnsafePointer<AVPacket>, shift: Int64?) {
        guard let copy = av_packet_clone(packet) else { return state.withLock { $0.fault = .full } }
        if let shift { Self.move(copy, by: shift) }
        let size = Int(copy.pointee.size)
        let isTaken = state.withLock { state in
            guard !state.isClosed, state.fault == nil else { return false }
            guard state.bytes + size <= capacityBytes else {
                state.fault = .full
                return false
            }
            state.bytes += size
            state.packets.append(copy)
            if shift != nil { state.timed = state.packets.count }
            return true
        }
        if !isTaken { AudioTap.free(copy) }
    }

    /// Gives the packets of a new round their times.
    func release(shift: Int64) {
        state.withLock { state in
            for packet in state.packets[state.timed...] { Self.move(packet, by: shift) }
            state.timed = state.packets.count
        }
    }

    /// Says that the times of packets and frames have come apart.
    func noteBrokenTimes() { state.withLock { $0.fault = $0.fault ?? .brokenTimes } }

    /// Whether the next packet is the keyframe of the picture at `time`, so that a file can begin with it.
    package func begins(at time: MediaTime) -> Bool {
        let pts = time.base == timeBase ? time.ticks : av_rescale_q(time.ticks, time.base.av, timeBase.av)
        return state.withLock { state in
            guard state.head < state.timed else { return false }
            let packet = state.packets[state.head].pointee
            return packet.pts == pts && packet.flags & AV_PKT_FLAG_KEY != 0
        }
    }

    /// What keeps packets from being stored as they come.
    var fault: Fault? { state.withLock { $0.fault } }

    /// The next packet in decoding order where `wants` says so of it; the caller frees it.
    func take(where wants: (UnsafePointer<AVPacket>) -> Bool) -> UnsafeMutablePointer<AVPacket>? {
        state.withLock { state in
            guard state.head < state.timed, wants(state.packets[state.head]) else { return nil }
            let packet = state.packets[state.head]
            state.head += 1
            state.bytes -= Int(packet.pointee.size)
            if state.head > 64 && state.head * 2 > state.packets.count {
                state.packets.removeFirst(state.head)
                state.timed -= state.head
                state.head = 0
            }
            return packet
        }
    }

    /// How many of the waiting packets come before the last one that fits; 0 where none does.
    func count(through fits: (UnsafePointer<AVPacket>) -> Bool) -> Int {
        state.withLock { state in
            let last = state.packets[state.head..<state.timed].lastIndex { fits($0) }
            return last.map { $0 - state.head + 1 } ?? 0
        }
    }

    private static func move(_ packet: UnsafeMutablePointer<AVPacket>, by shift: Int64) {
        if packet.pointee.pts.isTime { packet.pointee.pts &+= shift }
        if packet.pointee.dts.isTime { packet.pointee.dts &+= shift }
    }
}
