// SPDX-License-Identifier: Apache-2.0
internal import Dataflow
internal import Media
internal import Overlay

/// Lets the pictures of a live source into the graph, and those that say that it is away.
///
/// Times count in microseconds from the first picture and strictly increase. Confined to the source's queue.
final class LiveFrames {
    /// What comes out while the source is away.
    enum OnLost: String, CaseIterable, Sendable { case blank, gap }

    private static let base = Rational(1, 1_000_000)

    private let source: String
    private let gate: AdmissionGate?
    private let blank = NoSignalPicture()
    private var stream: StreamInfo
    private var blankStream: StreamInfo
    private var firstAt: UInt64?
    private var lastTime: Int64 = -1
    private var awaySince: UInt64?
    private var shape: (format: PixelFormat, color: ColorSpec?) = (.i420, nil)
    private var blanks = 0
    private var refused = 0
    private var overtaken = 0

    init(source: String, frameRate: Rational, gate: AdmissionGate?) {
        self.source = source
        self.gate = gate
        stream = StreamInfo(source: source, frameRate: frameRate, isLive: true)
        blankStream = StreamInfo(source: source, frameRate: frameRate, isLive: true, hasSignal: false)
    }

    /// Nominal frame rate; nil where unknown.
    var frameRate: Rational? {
        get { stream.frameRate.value == nil ? nil : stream.frameRate }
        set {
            guard let newValue, newValue != stream.frameRate else { return }
            stream = StreamInfo(source: source, frameRate: newValue, isLive: true)
            blankStream = StreamInfo(source: source, frameRate: newValue, isLive: true, hasSignal: false)
        }
    }

    /// Looks up fonts now rather than when the source goes.
    func prepareBlank(_ reason: String, width: Int, height: Int) {
        _ = try? blank.picture(width: width, height: height, reason: reason, seconds: 0)
    }

    /// Lets a picture in.
    ///
    /// `time` is its own in microseconds, where it has one; the instant of capture decides otherwise.
    func picture(_ picture: Picture, capturedAt: UInt64, time: Int64? = nil, to output: Output) -> Production {
        awaySince = nil
        // The connection is younger than the last picture that stood in for it.
        if let time, time <= lastTime {
            overtaken += 1
            return .more
        }
        shape = (picture.format, picture.color)
        return emit(picture, capturedAt: capturedAt, time: time, stream, to: output)
    }

    /// Lets a picture in that says why there is none.
    func noSignal(_ reason: String, width: Int, height: Int, time: Int64? = nil, to output: Output) throws -> Production
    {
        let now = output.now
        let since = awaySince ?? now
        awaySince = since
        blanks += 1
        let picture = try blank.picture(
            width: width, height: height, format: shape.format, color: shape.color, reason: reason,
            seconds: Int((now &- since) / 1_000_000_000))
        // A stream's clock may have run ahead of the world's: stand-ins keep their distance all the same.
        let interval = Int64(1e6 / (stream.frameRate.value ?? 25))
        let due = time.map { max($0, lastTime &+ interval) }
        return emit(picture, capturedAt: now, time: due, blankStream, to: output)
    }

    private func emit(
        _ picture: Picture, capturedAt: UInt64, time: Int64?, _ stream: StreamInfo, to output: Output
    ) -> Production {
        let ticket: Ticket
        switch output.admit(capturedAt: capturedAt, past: gate) {
        case .admitted(let admitted): ticket = admitted
        case .refused: return .more
        case .full:
            // A newer frame will do when there is room, and this one's buffer goes back.
            refused += 1
            return .waiting
        }
        let first = firstAt ?? capturedAt
        firstAt = first
        lastTime = max(lastTime + 1, time ?? (capturedAt > first ? Int64((capturedAt &- first) / 1000) : 0))
        let frameTime = stream.frameRate.value.map { Int64(1e6 / $0) } ?? 0
        output.emit(
            Frame(
                ticket: ticket, picture: picture, pts: MediaTime(ticks: lastTime, base: Self.base),
                duration: MediaTime(ticks: frameTime, base: Self.base), stream: stream))
        return .more
    }

    /// What the user should know.
    var notes: [String] {
        var notes: [String] = []
        if blanks > 0 { notes.append("\(blanks) frames that say there is no signal") }
        if overtaken > 0 { notes.append("\(overtaken) pictures left out: from before the last frame without signal") }
        if refused > 0 { notes.append("\(refused) frames not let in: too many were under way") }
        return notes
    }
}
