// SPDX-License-Identifier: Apache-2.0
internal import Dataflow
@preconcurrency internal import Dispatch
internal import PipelineLanguage
internal import Synchronization

/// Watches a run four times a second, keeps the book of its target, and moves it along the ladder.
///
///     timer --> pulse, processor time --> TargetMeter --> Governor --> nodes' settings; TargetEvent for the log
///                                              \--> AdmissionGate
/// - Note: Thread-safety: thread-safe; the timer's work happens on its own queue.
final class TargetKeeper: Sendable {
    private struct State {
        var meter: TargetMeter
        var governor: Governor
        var record: TargetRecord
        var last: GraphPulse?
    }

    private let state: Mutex<State>
    private let ladder: Ladder
    private let gate: AdmissionGate?
    private let machine: MachineState
    private let first: Governor.Change?
    private let timer: any DispatchSourceTimer
    private let tell = Mutex<(@Sendable (Governor.Change, String) -> Void)?>(nil)

    /// - Parameters:
    ///   - isLive: whether frames come by themselves.
    ///   - start: where the run starts; nil starts it as written.
    init(
        target: PipelineTarget, ladder: Ladder, cores: Int, isLive: Bool, start: StartingRung? = nil,
        gate: AdmissionGate?,
        machine: MachineState = MachineState()
    ) {
        let start = start ?? StartingRung()
        state = Mutex(
            State(
                meter: TargetMeter(target: target, cores: cores, isLive: isLive),
                governor: Governor(
                    target: target, rungCount: ladder.rungCount, planned: start.costs, top: start.rung),
                record: TargetRecord(rungs: (0..<ladder.rungCount).map { ladder.name(of: $0) })))
        first =
            start.rung == 0
            ? nil
            : Governor.Change(at: 0, from: 0, to: start.rung, cause: "planned: as written \(start.shortfall)")
        self.ladder = ladder
        self.gate = gate
        self.machine = machine
        timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "vpipe.target"))
    }

    deinit {
        timer.cancel()
        // A source must not be let go of before its first activation.
        timer.activate()
    }

    /// Takes the first rung and begins to watch, once, before the first frame comes.
    ///
    /// - Parameters:
    ///   - pulse: reads the graph.
    ///   - apply: puts a rung into force.
    func start(pulse: @escaping @Sendable () -> GraphPulse, apply: @escaping @Sendable (_ rung: Int) throws -> Void) {
        if let first {
            state.withLock { $0.record.note(first) }
            take(first, apply)
        }
        timer.setEventHandler { [weak self] in self?.beat(pulse(), apply) }
        let interval = DispatchTimeInterval.milliseconds(1000 / TargetMeter.beatsPerSecond)
        timer.schedule(deadline: .now() + interval, repeating: interval, leeway: .milliseconds(5))
        timer.activate()
    }

    /// Names who is told of every change of rung, on the keeper's queue.
    func onChange(_ body: @escaping @Sendable (Governor.Change, String) -> Void) { tell.withLock { $0 = body } }

    /// The book so far.
    var record: TargetRecord {
        state.withLock { state in
            var record = state.record
            record.seconds = state.meter.seconds
            return record
        }
    }

    private func beat(_ pulse: GraphPulse, _ apply: (Int) throws -> Void) {
        let sample = TargetMeter.Sample(
            pulse: pulse, cpuSeconds: ProcessUsage().cpuSeconds, machineSeconds: machine.busySeconds())
        if let change = observe(sample) { take(change, apply) }
    }

    private func take(_ change: Governor.Change, _ apply: (Int) throws -> Void) {
        var outcome = ladder.name(of: change.to)
        do { try apply(change.to) } catch { outcome += ", which could not be taken: \(error)" }
        tell.withLock { $0 }?(change, outcome)
    }

    /// Takes one look at the run; the change of rung that follows from it, already in the book.
    func observe(_ sample: TargetMeter.Sample) -> Governor.Change? {
        state.withLock { state in
            if let last = state.last, !sample.pulse.isEnding {
                state.record.spend(sample.pulse.at &- last.at, on: state.governor.rung)
                gate?.update(from: last, to: sample.pulse)
            }
            state.last = sample.pulse
            guard let reading = state.meter.observe(sample) else { return nil }
            guard var change = state.governor.observe(reading) else { return nil }
            if change.to > change.from, let heat = machine.throttling() { change.cause += "; " + heat }
            state.record.note(change)
            return change
        }
    }
}

/// What became of a target during a run.
public struct TargetRecord: Sendable {
    /// The rungs of the ladder in words; the first is the pipeline as written.
    public let rungs: [String]
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

    mutating func spend(_ time: UInt64, on rung: Int) { nanoseconds[rung] &+= time }

    /// Share of the time spent on a rung, 0...1.
    public func share(of rung: Int) -> Double {
        let total = nanoseconds.reduce(0, &+)
        return total == 0 ? 0 : Double(nanoseconds[rung]) / Double(total)
    }
}
