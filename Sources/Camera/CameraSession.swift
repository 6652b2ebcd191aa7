// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import CV4L2
internal import Media

/// One connection to a camera, from opening it to the first fault.
///
/// Confined.
final class CameraSession {
    /// What one wait came to.
    enum Reading {
        case picture(Picture, capturedAt: UInt64)
        case woken
    }

    /// Waits longer than this for a first picture are normal: USB cameras take their time to start.
    private static let startNanoseconds: UInt64 = 5_000_000_000

    let device: VideoDevice
    let width: Int
    let height: Int
    /// Frames per second, nil where the driver does not say.
    let rate: Double?
    let mode: String
    let compromise: String?
    /// What was asked of the driver, to ask for it again.
    let choice: CameraChoice
    private let stream: CaptureStream
    private let pictures: CapturePictures
    private let stallNanoseconds: UInt64
    private let takesNewest: Bool
    /// Filled buffers that were taken from the driver and not yet read, oldest first.
    private var waiting: [CaptureStream.Captured] = []
    /// Whether the driver ran short of buffers and the reader has not caught up since.
    private var isBehind = false
    private var lastSequence: UInt32?
    private var lastGoodAt: UInt64
    private var hasDelivered = false
    private(set) var copied = 0
    private(set) var converted = 0

    /// Opens, sets up and starts; `known` is what the same settings came to the last time.
    init(_ settings: Camera.Settings, known: CameraChoice?, system: VideoSystem) throws(CameraError) {
        let device = try VideoDevice(CameraList.path(of: settings.device), system: system)
        guard device.canCapture, device.canStream else {
            // A loopback device with exclusive_caps=1 cannot capture until somebody writes to it.
            throw device.canOutput || device.driver == "v4l2 loopback"
                ? CameraError(.absent, "no program feeds this loopback device")
                : CameraError(.unsuited, "is no camera: the device cannot stream pictures")
        }
        if let input = settings.input { try device.select(input: input) }
        if let standard = settings.standard { try device.select(standard: standard) }
        if let timings = settings.timings { try device.select(timings: timings) }
        let wish = CameraWish(
            size: settings.size, rate: settings.rate, format: settings.format, isExact: settings.isExact)
        let (layout, format, rate, choice) = try device.negotiate(wish, known: known)
        try device.apply(settings.controls)
        device.watchSource()
        pictures = try CapturePictures(layout, format: format)
        takesNewest = settings.takesNewest && pictures.standAlone
        stream = try CaptureStream(device, planes: Int(layout.planes), count: settings.buffers)
        waiting.reserveCapacity(stream.buffers.count)
        guard pictures.fits(stream.buffers) else {
            throw CameraError(.refused, "the driver's buffers are smaller than its pictures")
        }
        self.device = device
        self.choice = choice
        width = Int(layout.width)
        height = Int(layout.height)
        self.rate = rate
        compromise = wish.lacking(Int(layout.width), Int(layout.height), rate)
        mode =
            "\(device.card), \(format.code) \(layout.width)x\(layout.height)"
            + (rate.map { " at \(NumberText.decimal($0)) fps" } ?? "")
        // Slow cameras are not stalled: five frames may fail to come.
        stallNanoseconds = max(settings.stallNanoseconds, rate.map { UInt64(5e9 / max($0, 0.01)) } ?? 0)
        lastGoodAt = system.now()
    }

    /// The next picture, or the word that the wait is over.
    ///
    /// A fault ends the session.
    func read(wake: Int32, _ statistics: inout CameraStatistics) throws(CameraError) -> Reading {
        let system = device.system
        while true {
            try stream.queueReturned()
            if let captured = try nextFilled(&statistics) {
                if let reading = try take(captured, &statistics) { return reading }
                try checkForStall(system.now())
                continue
            }
            let now = system.now()
            let patience = hasDelivered ? stallNanoseconds : max(stallNanoseconds, Self.startNanoseconds)
            let deadline = lastGoodAt &+ patience
            let left = deadline > now ? deadline &- now : 0
            let readiness = left == 0 ? [] : system.wait(device.descriptor, wake, left)
            if readiness.contains(.woken) { return .woken }
            if readiness.contains(.event), device.takeSourceChange() {
                throw CameraError(.changed, "the signal at the input changed its size or rate")
            }
            if readiness.contains(.broken) {
                // Taking a buffer says what is wrong; a device that has none and no error to tell is broken as well.
                guard let captured = try nextFilled(&statistics) else {
                    throw CameraError(.inputOutput, "the driver reports an error while waiting")
                }
                if let reading = try take(captured, &statistics) { return reading }
            }
            try checkForStall(system.now())
        }
    }

    /// Gives back unread what the driver has filled so far, uncounted: nobody was there to take it.
    func skipToPresent() throws(CameraError) {
        for captured in waiting { try stream.queue(captured.index) }
        waiting.removeAll(keepingCapacity: true)
        while let captured = try stream.dequeue() { try stream.queue(captured.index) }
        lastSequence = nil
        lastGoodAt = device.system.now()
    }

    /// The next filled buffer; nil while there is none.
    ///
    /// The newest, where that was asked for. So too where pictures come faster than they are converted: left in the
    /// driver they would be late by all its buffers, and it would drop others for want of one.
    private func nextFilled(_ statistics: inout CameraStatistics) throws(CameraError) -> CaptureStream.Captured? {
        guard takesNewest || pictures.areMade && pictures.standAlone else { return try stream.dequeue() }
        while let filled = try stream.dequeue() { waiting.append(filled) }
        guard !waiting.isEmpty else {
            isBehind = false
            return nil
        }
        if stream.queued < stream.floor { isBehind = true }
        while takesNewest || isBehind, waiting.count > 1 {
            let passed = waiting.removeFirst()
            count(passed.sequence, &statistics)
            statistics.overtaken += 1
            try stream.queue(passed.index)
        }
        return waiting.removeFirst()
    }

    private func checkForStall(_ now: UInt64) throws(CameraError) {
        let patience = hasDelivered ? stallNanoseconds : max(stallNanoseconds, Self.startNanoseconds)
        guard now &- lastGoodAt >= patience, now > lastGoodAt else { return }
        throw CameraError(
            .stalled, "no usable picture for \(NumberText.decimal(Double(now &- lastGoodAt) / 1e9)) s")
    }

    private func take(
        _ captured: CaptureStream.Captured, _ statistics: inout CameraStatistics
    ) throws(CameraError) -> Reading? {
        count(captured.sequence, &statistics)
        if captured.isDamaged {
            statistics.damaged += 1
            try stream.queue(captured.index)
            return nil
        }
        let outcome = try pictures.picture(of: captured, from: stream)
        statistics.copied += pictures.copied - copied
        copied = pictures.copied
        statistics.converted += pictures.converted - converted
        converted = pictures.converted
        switch outcome {
        case .none(.short): statistics.short += 1
        case .none(.undecodable): statistics.undecodable += 1
        case .picture(let picture, let capturedAt):
            statistics.frames += 1
            hasDelivered = true
            let now = device.system.now()
            lastGoodAt = now
            // A little ahead: the driver stamps the planned end of the frame. Seconds off: another clock, whatever the
            // flags say (v4l2loopback leaves them open).
            if capturedAt < now &+ 1_000_000_000, now < capturedAt &+ 10_000_000_000 {
                return .picture(picture, capturedAt: min(capturedAt, now))
            }
            statistics.restamped += 1
            return .picture(picture, capturedAt: now)
        }
        return nil
    }

    /// Counts the gap before a frame.
    ///
    /// Numbers wrap at 32 bits; drivers that number nothing give none.
    private func count(_ sequence: UInt32, _ statistics: inout CameraStatistics) {
        defer { lastSequence = sequence }
        statistics.numbered += 1
        guard let lastSequence else { return }
        let step = sequence &- lastSequence
        guard step > 1, step < 1 << 31 else { return }
        statistics.driverDrops += Int(step) - 1
        statistics.numbered += Int(step) - 1
    }
}
