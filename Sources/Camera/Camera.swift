// SPDX-License-Identifier: Apache-2.0
public import Media
internal import Synchronization

/// A V4L2 camera that comes back: opened, set up, read, and opened again after every loss.
///
///     connect --> streaming --fault--> lost --wait, try again--> streaming
///                                       \--`giveUpNanoseconds` over--> throws
///
/// Confined to one queue, but for `interrupt`. Pictures may outlive the camera and the device.
public final class Camera {
    /// What to open and how.
    ///
    /// What is nil is left to the device.
    public struct Settings: Sendable {
        /// A device node, or a name in `/dev/v4l/by-id` or `by-path`.
        public var device: String
        /// Width and height.
        public var size: (width: Int, height: Int)?
        /// Frames per second.
        public var rate: Double?
        /// Stored format.
        public var format: FourCC?
        /// Whether the nearest size, rate and format are not good enough.
        public var isExact = false
        /// Number or name of the input.
        public var input: String?
        /// Name of the television standard, or `auto`.
        public var standard: String?
        /// Digital timings, `1280x720@60`, or `auto`.
        public var timings: String?
        /// Controls by name; set again at every return.
        public var controls: [String: CameraControlValue] = [:]
        /// Driver's buffers, 2 to 32.
        public var buffers = 6
        /// Nanoseconds without a usable picture that count as a loss; five frames at least.
        public var stallNanoseconds: UInt64 = 2_000_000_000
        /// Nanoseconds before the first attempt to come back.
        public var firstRetryNanoseconds: UInt64 = 100_000_000
        /// The longest wait between attempts, in nanoseconds.
        public var longestRetryNanoseconds: UInt64 = 1_000_000_000
        /// Nanoseconds of absence after which reading fails; nil never gives up.
        public var giveUpNanoseconds: UInt64?
        /// Whether `next` says that there is no signal once a frame interval, rather than after each attempt.
        public var pacesNoSignal = false
        /// Whether of the pictures that wait in the driver only the newest is read, where each stands for itself.
        public var takesNewest = false

        /// The defaults for a device.
        public init(device: String) { self.device = device }
    }

    /// One picture and when it was taken.
    public struct Shot: Sendable {
        /// The image.
        public let picture: Picture
        /// The kernel's stamp: monotonic nanoseconds.
        public let capturedAt: UInt64
    }

    /// What `next` has to say.
    public enum Event: Sendable {
        /// A picture.
        case picture(Shot)
        /// The camera is away, for this reason; said at the pace that `Settings.pacesNoSignal` sets.
        case noSignal(CameraFault)
        /// `interrupt` was called.
        case interrupted
    }

    private enum State {
        case streaming(CameraSession)
        case lost(CameraFault, since: UInt64, retryAt: UInt64)
    }

    private let settings: Settings
    private let system: VideoSystem
    private let wake: WakeEvent
    private let isInterrupted = Atomic<Bool>(false)
    private var state: State
    private var schedule: RetrySchedule
    private var pace: NoSignalPace
    /// What was agreed last: it spares the enumeration of all formats on return.
    private var choice: CameraChoice?

    /// Counts so far.
    public private(set) var statistics = CameraStatistics()
    /// Size of the pictures; the wish until the camera was there.
    public private(set) var size: (width: Int, height: Int)
    /// Frames per second; the wish, or the usual, until the camera was there.
    public private(set) var rate: Double

    /// Makes a camera that is not there yet.
    public convenience init(_ settings: Settings) { self.init(settings, system: .live) }

    init(_ settings: Settings, system: VideoSystem) {
        self.settings = settings
        self.system = system
        wake = WakeEvent()
        let now = system.now()
        schedule = RetrySchedule(
            first: settings.firstRetryNanoseconds, longest: settings.longestRetryNanoseconds, seed: now)
        pace = NoSignalPace(startingAt: now)
        state = .lost(.absent, since: now, retryAt: now)
        size = settings.size ?? CameraWish.usualSize
        rate = settings.rate ?? CameraWish.usualRate
    }

    /// Opens the camera now.
    ///
    /// A device that another program is just leaving gets `patience` nanoseconds.
    ///
    /// - Throws: a sentence that names the device and what to do.
    public func connect(patience: UInt64 = 1_500_000_000) throws(MediaError) {
        let deadline = system.now() &+ patience
        while true {
            do throws(CameraError) {
                try open()
                return
            } catch {
                let retryAt = schedule.failed(at: system.now())
                guard [.busy, .refused, .inputOutput].contains(error.fault), retryAt < deadline, !isStopped else {
                    throw error.of(settings.device)
                }
                pause(until: retryAt)
            }
        }
    }

    /// Leaves out what was taken since `connect`: the first picture read after this is of the present.
    public func skipToPresent() {
        guard case .streaming(let session) = state else { return }
        do throws(CameraError) { try session.skipToPresent() } catch { lose(error) }
    }

    /// Ends `next`, now and later.
    ///
    /// Thread-safe.
    public func interrupt() {
        isInterrupted.store(true, ordering: .releasing)
        wake.raise()
    }

    /// The next event; waits for it.
    ///
    /// A loss is survived here, counted by name.
    ///
    /// - Throws: the last fault, once it has lasted too long.
    public func next() throws(MediaError) -> Event {
        while !isStopped {
            switch state {
            case .streaming(let session):
                do throws(CameraError) {
                    if case .picture(let picture, let capturedAt) = try session.read(
                        wake: wake.descriptor, &statistics)
                    {
                        statistics.outages.returned(at: system.now())
                        return .picture(Shot(picture: picture, capturedAt: capturedAt))
                    }
                } catch {
                    lose(error)
                }
            case .lost(let fault, let since, let retryAt):
                if let event = try waitForReturn(fault, since, retryAt) { return event }
            }
        }
        return .interrupted
    }

    private var isStopped: Bool { isInterrupted.load(ordering: .acquiring) }

    // MARK: Coming and going

    private func open() throws(CameraError) {
        let session = try CameraSession(settings, known: choice, system: system)
        choice = session.choice
        size = (session.width, session.height)
        if let rate = session.rate, rate > 0 { self.rate = rate }
        statistics.mode = session.mode
        statistics.compromise = session.compromise
        schedule.succeeded(at: system.now())
        state = .streaming(session)
    }

    private func lose(_ error: CameraError) {
        let now = system.now()
        statistics.outages.lost(error.fault, error.detail, at: now)
        pace = NoSignalPace(startingAt: now)
        // The session ends with this assignment: the device is closed before it is tried again.
        state = .lost(
            error.fault, since: statistics.outages.awaySince ?? now, retryAt: schedule.failed(at: now))
    }

    private func waitForReturn(
        _ fault: CameraFault, _ since: UInt64, _ retryAt: UInt64
    ) throws(MediaError) -> Event? {
        let now = system.now()
        if now >= retryAt {
            do throws(CameraError) {
                try open()
            } catch {
                if let limit = settings.giveUpNanoseconds, system.now() &- since >= limit {
                    throw error.of(settings.device)
                }
                if !error.fault.isTransient { statistics.outages.lastLoss = error.detail }
                state = .lost(error.fault, since: since, retryAt: schedule.failed(at: system.now()))
                if !settings.pacesNoSignal { return .noSignal(error.fault) }
            }
            return nil
        }
        if settings.pacesNoSignal, pace.take(at: now, rate: rate) { return .noSignal(fault) }
        pause(until: settings.pacesNoSignal ? min(retryAt, pace.dueAt) : retryAt)
        return nil
    }

    private func pause(until instant: UInt64) {
        let now = system.now()
        if instant > now { _ = system.wait(-1, wake.descriptor, instant &- now) }
    }
}
