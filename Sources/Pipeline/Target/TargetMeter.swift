// SPDX-License-Identifier: Apache-2.0
internal import Dataflow
internal import PipelineLanguage

/// Turns the graph's pulses into readings for the governor and into the book of kept seconds.
///
/// Rates are frames delivered over the time in which they were captured. So 24 or 26 frames that fall into a second by
/// the luck of its edges still are 25 fps, and so are frames that come out in bursts because every fifth one waits for a
/// network; how late that makes them is the latency's part. A lost frame is missing from either.
/// - Note: Thread-safety: a value, fed by one timer.
struct TargetMeter {
    /// What was in force at one instant.
    struct Sample {
        var pulse: GraphPulse
        /// Processor time of the process so far, in seconds.
        var cpuSeconds: Double
        /// Processor time of all programs so far, in seconds; nil where the system does not say.
        var machineSeconds: Double?
    }

    /// Readings a second.
    static let beatsPerSecond = 4
    /// Seconds without a delivery after which a sink is stalled, rather than between two bursts.
    private static let stall = 0.5

    private let target: PipelineTarget
    private let cores: Double
    private let isLive: Bool
    private var samples: [Sample] = []
    private var beats = 0
    private(set) var seconds = TargetSeconds()

    /// - Parameter isLive: whether frames come by themselves; other sources give as many as are taken.
    init(target: PipelineTarget, cores: Int, isLive: Bool) {
        self.target = target
        self.cores = Double(cores)
        self.isLive = isLive
    }

    /// Takes a sample, four a second; a reading once a whole second has been seen, counted from the first delivery.
    mutating func observe(_ sample: Sample) -> TargetReading? {
        guard !sample.pulse.isEnding, !sample.pulse.sinks.isEmpty, sample.pulse.sinks.allSatisfy({ $0.items > 0 })
        else { return nil }
        samples.append(sample)
        if samples.count > Self.beatsPerSecond + 1 { samples.removeFirst() }
        guard samples.count == Self.beatsPerSecond + 1 else { return nil }
        let reading = reading(from: samples[0], to: sample, recent: samples[Self.beatsPerSecond - 1])
        if beats % Self.beatsPerSecond == 0 { count(reading) }
        beats += 1
        return reading
    }

    private mutating func count(_ reading: TargetReading) {
        let isFast = target.fps.map { reading.fps >= $0 * Governor.tolerance }
        let isPrompt = target.latencyMilliseconds.map { (reading.latencyP99 ?? .infinity) <= $0 }
        seconds.count(fps: reading.fps, isFast: isFast, isPrompt: isPrompt)
    }

    private func reading(from first: Sample, to last: Sample, recent: Sample) -> TargetReading {
        let span = max(Self.seconds(from: first.pulse.at, to: last.pulse.at), 1e-9)
        var latency = LatencyCounts()
        for (before, after) in zip(first.pulse.sinks, last.pulse.sinks) {
            latency = latency.adding(after.latency.since(before.latency))
        }
        let summary = latency.summary
        let frames = zip(first.pulse.sinks, last.pulse.sinks).map { $1.items - $0.items }.min() ?? 0
        let second = load(from: first, to: last)
        let quarter = load(from: recent, to: last)
        let fps = rate(from: first.pulse, to: last.pulse) ?? 0
        return TargetReading(
            at: Double(last.pulse.at) / 1e9, fps: fps, recentFPS: rate(from: recent.pulse, to: last.pulse) ?? fps,
            offeredFPS: isLive ? Double(last.pulse.admitted - first.pulse.admitted) / span : .infinity,
            latencyP99: summary.count > 0 ? Double(summary.p99) / 1e6 : nil,
            costPerFrame: frames > 0 ? second.own * span * 1000 / Double(frames) : nil, foreignCores: second.foreign,
            recentCores: quarter.own, recentForeignCores: quarter.foreign, cores: cores)
    }

    /// Cores that this process and all others kept busy.
    private func load(from first: Sample, to last: Sample) -> (own: Double, foreign: Double) {
        let span = max(Self.seconds(from: first.pulse.at, to: last.pulse.at), 1e-9)
        let own = last.cpuSeconds - first.cpuSeconds
        guard let before = first.machineSeconds, let after = last.machineSeconds else { return (own / span, 0) }
        return (own / span, max(0, after - before - own) / span)
    }

    /// Frames per second of the slowest sink; nil between two bursts, when no sink has anything to show yet.
    private func rate(from first: GraphPulse, to last: GraphPulse) -> Double? {
        zip(first.sinks, last.sinks).compactMap { before, after in
            let frames = Double(after.items - before.items)
            if Self.seconds(from: after.lastAt, to: last.at) > Self.stall {
                return frames / Self.seconds(from: first.at, to: last.at)
            }
            let span = Self.seconds(from: before.lastCapturedAt, to: after.lastCapturedAt)
            return span > 0 ? frames / span : nil
        }.min()
    }

    private static func seconds(from start: UInt64, to end: UInt64) -> Double {
        end > start ? Double(end - start) / 1e9 : 0
    }
}

/// The book of seconds: in how many the promises were kept.
public struct TargetSeconds: Sendable, Hashable {
    /// Whole seconds measured.
    public private(set) var measured = 0
    /// Of them, those in which the slowest sink kept the frame rate.
    public private(set) var fast = 0
    /// Of them, those whose p99 latency kept the limit.
    public private(set) var prompt = 0
    /// The lowest frame rate of a second; nil before the first.
    public private(set) var lowestFPS: Double?

    /// An empty book.
    public init() {}

    /// Counts a second; nil for a promise that was not made, which counts as kept.
    mutating func count(fps: Double, isFast: Bool?, isPrompt: Bool?) {
        measured += 1
        if isFast != false { fast += 1 }
        if isPrompt != false { prompt += 1 }
        lowestFPS = min(lowestFPS ?? fps, fps)
    }

    /// Share of the seconds that kept the frame rate, 0...1.
    public var fastShare: Double { measured == 0 ? 0 : Double(fast) / Double(measured) }
    /// Share of the seconds that kept the latency, 0...1.
    public var promptShare: Double { measured == 0 ? 0 : Double(prompt) / Double(measured) }
}
