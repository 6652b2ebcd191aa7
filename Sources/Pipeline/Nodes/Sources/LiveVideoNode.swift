// SPDX-License-Identifier: Apache-2.0
internal import Dataflow
internal import Media

/// `video` on a live stream of the network, which comes back when it was away.
final class LiveVideoNode: SourceNode, ReportingNode, InterruptibleSource, AudioSource, PacketSource,
    MeasuredSource
{
    private let reader: LiveReader
    private let frames: LiveFrames
    private let isBlanked: Bool
    private var outages: OutageReporter
    private var isDescribed = false
    /// The graph was full, and the pictures that waited since are old.
    private var hadNoRoom = false

    init(_ reader: LiveReader, source: String, gate: AdmissionGate?, events: EventBox, isBlanked: Bool) {
        self.reader = reader
        self.isBlanked = isBlanked
        outages = OutageReporter(source, events)
        frames = LiveFrames(source: source, frameRate: reader.info?.frameRate ?? Rational(0, 1), gate: gate)
        frames.prepareBlank(StreamFault.absent.words, width: 640, height: 360)
    }

    func start(_ link: StageLink) throws { try reader.start() }

    func produce(to output: Output) throws -> Production {
        if hadNoRoom { reader.skipToNewest() }
        hadNoRoom = false
        let event = try reader.next()
        outages.follow(reader.turns, reader.statistics.outages)
        switch event {
        case .ended: return .ended
        case .picture(let shot):
            if !isDescribed { frames.frameRate = reader.info?.frameRate }
            isDescribed = true
            return settle(frames.picture(shot.picture, capturedAt: shot.capturedAt, time: shot.time, to: output))
        case .noSignal(let fault):
            guard isBlanked, let shape = reader.shape else { return .more }
            return settle(
                try frames.noSignal(
                    fault.words, width: shape.width, height: shape.height, time: reader.present, to: output))
        }
    }

    private func settle(_ production: Production) -> Production {
        if case .waiting = production { hadNoRoom = true }
        return production
    }

    func interrupt() { reader.interrupt() }

    func stop() {
        reader.interrupt()
        reader.join()
    }

    func makeAudioTap() throws -> AudioTap? { try reader.makeAudioTap() }

    func makePacketRing(capacityBytes: Int) throws -> PacketRing {
        try reader.makePacketRing(capacityBytes: capacityBytes)
    }

    var expectedFrames: Int? { nil }

    var frameRate: Rational? { frames.frameRate }

    var notes: [String] { reader.statistics.notes + frames.notes }
}
