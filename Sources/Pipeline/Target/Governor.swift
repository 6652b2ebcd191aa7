// SPDX-License-Identifier: Apache-2.0
internal import Basics
public import PipelineLanguage

/// How a run does against its target, over about the last second.
public struct TargetReading: Sendable, Hashable {
    /// When, in seconds on any steady clock.
    public var at: Double
    /// Frames per second of the slowest sink, over the last second.
    public var fps: Double
    /// The same over its last quarter.
    public var recentFPS: Double
    /// Frames per second that came to the door, those turned away among them; infinite where the source waits for us.
    public var offeredFPS: Double
    /// From capture to delivery in milliseconds, over the last second; nil when nothing was delivered.
    public var latencyP99: Double?
    /// Processor time of this process per delivered frame, in core-milliseconds; nil when nothing was delivered.
    public var costPerFrame: Double?
    /// Cores that other programs kept busy.
    public var foreignCores: Double
    /// Cores this run kept busy over the second's last quarter.
    public var recentCores: Double
    /// Cores that other programs kept busy over the second's last quarter.
    public var recentForeignCores: Double
    /// Cores the run may count on.
    public var cores: Double

    /// Makes a reading by hand, for tests.
    public init(
        at: Double, fps: Double, recentFPS: Double? = nil, offeredFPS: Double, latencyP99: Double? = nil,
        costPerFrame: Double? = nil, foreignCores: Double = 0, recentCores: Double = 0,
        recentForeignCores: Double = 0, cores: Double = 2
    ) {
        self.at = at
        self.fps = fps
        self.recentFPS = recentFPS ?? fps
        self.offeredFPS = offeredFPS
        self.latencyP99 = latencyP99
        self.costPerFrame = costPerFrame
        self.foreignCores = foreignCores
        self.recentCores = recentCores
        self.recentForeignCores = recentForeignCores
        self.cores = cores
    }
}

/// Decides which rung of the ladder a run stands on.
///
/// Rung 0 is the pipeline as written; every rung below is cheaper.
///
///     readings --> missed twice in a row, or the next second will miss --> down, as far as the costs say
///              --> kept for a while, and the dearer rung fits what the cores have left --> up by one
/// What a rung costs is what was measured on it in this run; before that, what the plan measured, in proportion.
///
/// It never changes within five seconds of the last change. An upward step that had to be taken back doubles the time
/// before the next try, up to five minutes, so that a load which comes and goes does not make it swing.
/// - Note: Thread-safety: a value; the clock is that of the readings.
public struct Governor: Sendable {
    /// A change of rung and why.
    public struct Change: Sendable, Hashable {
        /// When, on the readings' clock in seconds.
        public let at: Double
        /// The rung left.
        public let from: Int
        /// The rung taken.
        public let to: Int
        /// What made it necessary or possible, in words.
        public internal(set) var cause: String
    }

    /// Seconds between two changes at least.
    static let dwell = 5.0
    /// Share of the wanted frame rate below which a reading counts as missed.
    package static let tolerance = 0.98
    /// Share of the cores a forecast may fill when going up.
    package static let headroom = 0.85
    /// Share of the cores above which they count as full; the kernel counts in hundredths of a second.
    static let full = 0.94
    /// Share of what the run gets that a step down may need while other programs take more and more.
    static let caution = 0.75
    /// How much dearer the next rung up is taken to be until it has been measured.
    static let unknownStep = 1.5
    /// An upward step taken back within this time failed.
    static let trial = 15.0
    private static let patience = 5.0...300.0

    /// The rung in force.
    public private(set) var rung: Int
    private let target: PipelineTarget
    private var rungCount: Int
    /// Core-milliseconds per frame by rung, smoothed; nil until measured there.
    private(set) var costs: [Double?]
    /// The same as the plan found them; empty when there is none.
    private var planned: [Double]
    /// The dearest rung that is ever taken.
    private var top: Int
    private var lastChange: Double?
    /// When the last step up was taken, until it has proved itself or failed.
    private var trialSince: Double?
    private var missesInARow = 0
    private var keptSince: Double?
    private var wait = Governor.patience.lowerBound

    /// Starts on rung `top` of `rungCount`, and never takes a dearer one.
    ///
    /// - Parameters:
    ///   - target: what is promised.
    ///   - rungCount: rungs of the ladder, 1 at least.
    ///   - planned: core-milliseconds per frame by rung, or nothing.
    ///   - top: the first rung that was found to hold with the machine for itself.
    public init(target: PipelineTarget, rungCount: Int, planned: [Double] = [], top: Int = 0) {
        precondition(rungCount >= 1 && (planned.isEmpty || planned.count == rungCount) && top < rungCount)
        self.target = target
        self.rungCount = rungCount
        self.planned = planned
        self.top = top
        rung = top
        costs = Array(repeating: nil, count: rungCount)
    }

    /// Takes a reading; tells when the rung changes.
    public mutating func observe(_ reading: TargetReading) -> Change? {
        learn(reading)
        let miss = missed(reading)
        missesInARow = miss == nil ? 0 : missesInARow + 1
        if miss != nil { keptSince = nil } else if keptSince == nil { keptSince = reading.at }
        if let up = trialSince, reading.at - up > Self.trial * 4 {
            wait = Self.patience.lowerBound
            trialSince = nil
        }
        if let lastChange, reading.at - lastChange < Self.dwell { return nil }
        if let miss { return missesInARow >= 2 ? stepDown(reading, miss) : nil }
        return stepUp(reading)
    }

    /// Goes on with a ladder whose rungs may cost something else: what was measured and planned is void.
    ///
    /// A change like any other: the next one is five seconds away.
    mutating func reload(rungCount: Int, at: Double?) {
        precondition(rungCount >= 1)
        self.rungCount = rungCount
        rung = min(rung, rungCount - 1)
        top = 0
        planned = []
        costs = Array(repeating: nil, count: rungCount)
        lastChange = at ?? lastChange
        trialSince = nil
        missesInARow = 0
        keptSince = nil
    }

    // MARK: Judging

    /// Core-milliseconds a second that the run gets of cores that others fill with it; nil while there is room.
    private static func obtained(_ reading: TargetReading) -> Double? {
        let (own, foreign) = (reading.recentCores, reading.recentForeignCores)
        return foreign >= 0.25 && own + foreign >= reading.cores * full ? own * 1000 : nil
    }

    /// The frame rate to hold: no more than the source gives.
    private func wanted(_ reading: TargetReading) -> Double? { target.fps.map { min($0, reading.offeredFPS) } }

    /// What a reading or its forecast misses, in words; nil when all is kept.
    private func missed(_ reading: TargetReading) -> String? {
        if let wanted = wanted(reading), wanted > 0 {
            if reading.fps < wanted * Self.tolerance {
                return "\(Self.text(reading.fps)) of \(Self.text(wanted)) fps"
            }
            // The next second goes as its last quarter went; a quarter is coarse, so only a clear fall counts.
            if reading.recentFPS < wanted * 0.8 {
                return "frame rate falling to \(Self.text(reading.recentFPS)) of \(Self.text(wanted)) fps"
            }
            // Frames already under way still come out in time; those that come in now will not.
            if let obtained = Self.obtained(reading), let cost = costs[rung], obtained < wanted * cost * 0.9 {
                return "the cores are full: room for \(Self.text(obtained / cost)) of \(Self.text(wanted)) fps"
            }
        }
        if let limit = target.latencyMilliseconds, let p99 = reading.latencyP99, p99 > limit {
            return "latency p99 \(Self.text(p99)) of \(Self.text(limit)) ms"
        }
        return nil
    }

    /// Keeps what a frame costs on the present rung, once a change has had its second to show.
    private mutating func learn(_ reading: TargetReading) {
        guard let cost = reading.costPerFrame, cost > 0, reading.at - (lastChange ?? -.infinity) > 1.25 else { return }
        costs[rung] = costs[rung].map { $0 * 0.8 + cost * 0.2 } ?? cost
    }

    /// What a frame would cost on another rung, given what it costs on this one; nil when nothing is known of it.
    private func estimate(_ other: Int, from cost: Double) -> Double? {
        if let own = costs[other] { return own }
        guard !planned.isEmpty, planned[rung] > 0 else { return nil }
        return cost * planned[other] / planned[rung]
    }

    // MARK: Stepping

    private mutating func stepDown(_ reading: TargetReading, _ miss: String) -> Change? {
        guard rung + 1 < rungCount else { return nil }
        var next = rung + 1
        // What the run gets while it wants more is all that it can have.
        if let cost = reading.costPerFrame, let wanted = wanted(reading) {
            let obtained =
                min(reading.fps * cost, Self.obtained(reading) ?? .infinity)
                * (reading.foreignCores < 0.1 ? 1 : Self.caution)
            while next + 1 < rungCount, let below = estimate(next, from: cost), wanted * below > obtained { next += 1 }
        }
        if let up = trialSince, reading.at - up < Self.trial { wait = min(wait * 2, Self.patience.upperBound) }
        trialSince = nil
        return change(to: next, at: reading.at, miss + Self.load(reading))
    }

    private mutating func stepUp(_ reading: TargetReading) -> Change? {
        guard rung > top, let keptSince, reading.at - keptSince >= wait,
            reading.at - (lastChange ?? -.infinity) >= wait, let cost = costs[rung] ?? reading.costPerFrame
        else { return nil }
        let dearer = estimate(rung - 1, from: cost) ?? cost * Self.unknownStep
        let needed = (wanted(reading) ?? reading.fps) * dearer / 1000
        let available = max(0, reading.cores - reading.foreignCores)
        guard needed <= available * Self.headroom else { return nil }
        trialSince = reading.at
        return change(
            to: rung - 1, at: reading.at,
            "kept for \(Self.text(reading.at - keptSince)) s; the step needs \(Self.text(needed)) of "
                + "\(Self.text(available)) free cores")
    }

    private mutating func change(to next: Int, at: Double, _ cause: String) -> Change {
        let change = Change(at: at, from: rung, to: next, cause: cause)
        rung = next
        lastChange = at
        missesInARow = 0
        keptSince = nil
        return change
    }

    private static func load(_ reading: TargetReading) -> String {
        reading.foreignCores < 0.1
            ? "" : "; other programs use \(text(reading.foreignCores)) of \(text(reading.cores)) cores"
    }

    private static func text(_ value: Double) -> String { NumberText.decimal(value, places: 1) }
}
