// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import CFFmpeg

/// Chooses the packets of a video tap that the frames which arrived are made of.
///
/// Packets come in decoding order, frames in that of showing. A frame lets through all packets up to its own; frames that
/// are missing take their packets with them, but only whole groups of pictures can go: what follows a gap must begin with
/// a keyframe.
///
///     packets  I0 P3 B1 B2 | I4 P7 B5 B6        frames 0 1 4 ...: P3 stays, as B1 needs it; B2 goes
///
/// Confined to the writer's queue.
final class VideoCopy {
    let tap: VideoTap
    private var lastSequence: UInt64?
    /// Time of the newest frame, in the tap's ticks.
    private var newest = Int64.min
    /// Where the frames since the last gap begin: what is shown earlier belongs to a group that was left out.
    private var first = Int64.min
    /// Packets that are still owed to frames from before a gap, and those after them that are left out.
    private var (owed, skipped) = (0, 0)
    private var lastDts: Int64?
    /// Frames left out in front of keyframes.
    private(set) var gaps = 0

    init(_ tap: VideoTap) { self.tap = tap }

    /// Takes note of a frame.
    ///
    /// - Throws: `invalidSetting` where frames before it are missing and it is no keyframe, or its packet cannot be found.
    func arrived(_ sequence: UInt64, pts: Int64, seconds: Double) throws(MediaError) {
        let follows = sequence == lastSequence.map { $0 &+ 1 } ?? 0
        lastSequence = sequence
        if !follows {
            var isKey = false
            let before = tap.count {
                guard $0.pointee.pts == pts else { return false }
                isKey = $0.pointee.flags & AV_PKT_FLAG_KEY != 0
                return true
            }
            guard before > 0, isKey else {
                throw Self.refusal(
                    "frames before the one at \(NumberText.decimal(seconds)) s did not come, and packets can be left out only "
                        + "up to a keyframe")
            }
            owed = newest == .min ? 0 : tap.count { [newest] in $0.pointee.pts <= newest }
            skipped = max(0, before - 1 - owed)
            first = pts
            gaps += newest == .min ? 0 : 1
        }
        newest = pts
    }

    /// The next packet to store, as long as there is one; the caller frees it.
    ///
    /// - Throws: `invalidSetting` for packets that no file can hold as they are.
    func next() throws(MediaError) -> UnsafeMutablePointer<AVPacket>? {
        switch tap.fault {
        case .full: throw Self.refusal("the file fell too far behind its source")
        case .brokenTimes: throw Self.refusal("the source's time line breaks, which a copy cannot mend")
        case nil: break
        }
        while true {
            let isOwed = owed > 0
            let isSkipped = !isOwed && skipped > 0
            guard
                let packet = tap.take(where: { [newest] in
                    isOwed || isSkipped || !$0.pointee.pts.isTime || $0.pointee.pts <= newest
                })
            else { return nil }
            if isOwed { owed -= 1 } else if isSkipped { skipped -= 1 }
            if isSkipped || (!isOwed && packet.pointee.pts.isTime && packet.pointee.pts < first) {
                AudioTap.free(packet)
                continue
            }
            setDecodingTime(packet)
            guard packet.pointee.pts.isTime, packet.pointee.dts.isTime,
                lastDts.map({ packet.pointee.dts > $0 }) ?? true
            else {
                AudioTap.free(packet)
                throw Self.refusal("the source's packets have no times, or times that do not increase")
            }
            lastDts = packet.pointee.dts
            return packet
        }
    }

    /// Lets through all packets, whatever frames come.
    func passAll() { newest = .max }

    /// Lets through what the last frames need of the packets that are shown after them.
    func finish() {
        owed = max(owed, tap.count { [newest] in $0.pointee.pts.isTime && $0.pointee.pts <= newest })
    }

    /// Gives the first packets of a Matroska file, which stores none, the decoding times that lead up to the others.
    private func setDecodingTime(_ packet: UnsafeMutablePointer<AVPacket>) {
        guard !packet.pointee.dts.isTime, packet.pointee.pts.isTime else { return }
        let length = max(1, packet.pointee.duration)
        let delay = Int64(tap.about.stream.pointee.codecpar.pointee.video_delay)
        packet.pointee.dts = min(
            packet.pointee.pts, lastDts.map { $0 &+ length } ?? packet.pointee.pts &- delay &* length)
    }

    private static func refusal(_ cause: String) -> MediaError {
        MediaError(
            .invalidSetting, operation: "copy",
            detail: "\(cause): name a codec in place of \"copy\", or keep frames from being dropped before the file")
    }
}
