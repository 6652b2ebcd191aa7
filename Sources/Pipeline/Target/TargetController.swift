// SPDX-License-Identifier: Apache-2.0
internal import Dataflow
internal import PipelineLanguage

/// Decides on which rung of its ladder a run stands, and records how it does against its target.
///
///     sample --> TargetMeter --> Governor --> change of rung
///           \--> AdmissionGate
/// - Note: Thread-safety: a value, confined to the run's control queue.
struct TargetController {
    private var meter: TargetMeter
    private var governor: Governor
    private var history: TargetRecord
    private var last: GraphPulse?
    private let gate: AdmissionGate?
    /// The step to the rung on which the run begins; nil when that is the pipeline as written.
    let first: Governor.Change?

    /// - Parameters:
    ///   - isLive: whether frames come by themselves.
    ///   - start: where the run starts; nil starts it as written.
    init(
        target: PipelineTarget, ladder: Ladder, cores: Int, isLive: Bool, start: StartingRung? = nil,
        gate: AdmissionGate?
    ) {
        let start = start ?? StartingRung()
        meter = TargetMeter(target: target, cores: cores, isLive: isLive)
        governor = Governor(target: target, rungCount: ladder.rungCount, planned: start.costs, top: start.rung)
        history = TargetRecord(rungs: ladder.names)
        first =
            start.rung == 0
            ? nil
            : Governor.Change(at: 0, from: 0, to: start.rung, cause: "planned: as written \(start.shortfall)")
        self.gate = gate
    }

    /// The record so far.
    var record: TargetRecord {
        var record = history
        record.seconds = meter.seconds
        return record
    }

    /// Takes one look at the run; the change of rung that follows from it, not recorded yet.
    mutating func observe(_ sample: TargetMeter.Sample) -> Governor.Change? {
        if let last, !sample.pulse.isEnding {
            history.spend(sample.pulse.at &- last.at, on: governor.rung)
            gate?.update(from: last, to: sample.pulse)
        }
        last = sample.pulse
        return meter.observe(sample).flatMap { governor.observe($0) }
    }

    /// Records a change of rung.
    mutating func note(_ change: Governor.Change) { history.note(change) }

    /// Goes on with another file, whose rungs may cost something else and be called otherwise.
    ///
    /// - Returns: the rung to stand on: the present one, or the cheapest where there are fewer now.
    mutating func reload(_ ladder: Ladder) -> Int {
        history.rename(ladder.names)
        governor.reload(rungCount: ladder.rungCount, at: last.map { Double($0.at) / 1e9 })
        return governor.rung
    }
}

extension Ladder {
    /// All rungs in words.
    fileprivate var names: [String] { (0..<rungCount).map { name(of: $0) } }
}

/// What became of a target during a run.
public struct TargetRecord: Sendable {
    /// The rungs of the ladder in words, as the file in force has them; the first is the pipeline as written.
    public private(set) var rungs: [String]
    /// Nanoseconds spent on each.
    public private(set) var nanoseconds: [UInt64]
    /// The last changes, in order, a hundred at most.
    public private(set) var changes: [Governor.Change] = []
    /// All changes, counted.
    public private(set) var changeCount = 0
    /// In how many seconds the promises were kept.
    public internal(set) var seconds = TargetSeconds()

    init(rungs: [String]) {
        self.rungs = rungs
        nanoseconds = Array(repeating: 0, count: rungs.count)
    }

    mutating func note(_ change: Governor.Change) {
        changeCount += 1
        if changes.count == 100 { changes.removeFirst() }
        changes.append(change)
    }

    /// Takes the names of another file's rungs; those that it does not have keep theirs.
    mutating func rename(_ names: [String]) {
        rungs = names + rungs.dropFirst(names.count)
        nanoseconds += Array(repeating: 0, count: rungs.count - nanoseconds.count)
    }

    mutating func spend(_ time: UInt64, on rung: Int) { nanoseconds[rung] &+= time }

    /// Share of the time spent on a rung, 0...1.
    public func share(of rung: Int) -> Double {
        let total = nanoseconds.reduce(0, &+)
        return total == 0 ? 0 : Double(nanoseconds[rung]) / Double(total)
    }
}
