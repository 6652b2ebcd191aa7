// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Dataflow
@preconcurrency internal import Dispatch
internal import PipelineLanguage

/// Owns what is in force in a run: one whole accepted file, on one rung of its ladder; also its events and its end.
///
///     reload --> prepare (a queue of its own, may take seconds) --+
///     four times a second: sample --> governor --> rung ----------+--> control queue: commit at a frame boundary
///                          report --> news --> events -- event queue --> listeners
///
/// One reload is prepared at a time, later ones wait for it. Rungs are changed at once, also meanwhile: by what was
/// prepared with the file in force. A reload takes effect on the rung that is in force when it is ready.
/// - Note: Thread-safety: thread-safe. Listeners are called on the event queue, one at a time; they may ask for anything
///   but wait for the end of the run.
final class RunController: @unchecked Sendable {
    // Invariant of @unchecked Sendable: all `var` are touched on `queue` only; `prepare` of nodes is called on
    // `preparations` only, once `init` is over.

    private let queue = DispatchQueue(label: "vpipe.control")
    /// Where nodes prepare their changes.
    private let preparations = DispatchQueue(label: "vpipe.prepare")
    /// Where the kernel's files are read, so that nobody else waits for them.
    private let sampling = DispatchQueue(label: "vpipe.sample")
    private let delivery = DispatchQueue(label: "vpipe.events", qos: .utility)

    private let graph: Graph
    private let nodes: [String: AnyObject]
    private let machine = MachineState()
    private let heat: @Sendable () -> String?
    private let box: EventBox
    private var clockSteps = ClockSteps()

    private var inForce: PreparedSettings
    private var rung = 0
    private var target: TargetController?
    private var news = ReportNews()
    private var listeners = Listeners()
    private var timer: (any DispatchSourceTimer)?
    private var phase = Phase.built
    private var changed: [String] = []

    private enum Phase { case built, running, ended }

    private struct Listeners {
        var events: [@Sendable (RunEvent) -> Void] = []
        var rungs: [@Sendable (Governor.Change, String) -> Void] = []
        var ends: [@Sendable () -> Void] = []
    }

    /// Prepares every rung of the ladder.
    ///
    /// - Parameter heat: says why the processor is slow, if it is throttled; may take its time.
    /// - Throws: `PreparedSettings.Failure`.
    init(
        _ pipeline: ValidatedPipeline, nodes: [String: AnyObject], graph: Graph, target: TargetController? = nil,
        events: EventBox, heat: @escaping @Sendable () -> String? = { MachineState().throttling() }
    ) throws {
        self.nodes = nodes
        self.graph = graph
        self.target = target
        self.heat = heat
        box = events
        inForce = try PreparedSettings(pipeline) { try Self.prepare(nodes[$0], $1) }
    }

    deinit { timer?.cancel() }

    // MARK: What is in force

    /// The file in force.
    var pipeline: ValidatedPipeline { queue.sync { inForce.pipeline } }

    /// The record of the target so far; nil where there is none.
    var targetRecord: TargetRecord? { queue.sync { target?.record } }

    /// The rung in force.
    var rungInForce: Int { queue.sync { rung } }

    /// The last changes made by hand, in words, a hundred at most.
    var changes: [String] { queue.sync { changed } }

    /// Whether the control queue does what it is asked within so many seconds.
    func answers(within seconds: Double) -> Bool {
        let done = DispatchSemaphore(value: 0)
        queue.async { done.signal() }
        return done.wait(timeout: .now() + seconds) == .success
    }

    /// Whether the run is looked at four times a second.
    var isWatching: Bool { queue.sync { timer != nil } }

    /// Puts a rung of the ladder into force.
    func take(rung: Int) { queue.sync { commit(inForce, on: rung) } }

    /// Puts what a changed file says into force, all of it or, when something needs a restart, nothing.
    ///
    /// - Parameter author: where a change made by hand came through, which is told as an event and kept for the report.
    /// - Returns: what changed, one line each.
    /// - Throws: `ReloadError`.
    func reload(_ new: ValidatedPipeline, by author: String? = nil) throws(ReloadError) -> [String] {
        try preparations.sync { () -> Result<[String], ReloadError> in
            // Nobody else puts another file into force: reloads come one after the other.
            let old = queue.sync { inForce }
            do {
                let changes = try Reload(from: old.pipeline, to: new)
                let next = try PreparedSettings(new, changed: changes.nodes, since: old) {
                    try Self.prepare(nodes[$0], $1)
                }
                let isInForce = queue.sync {
                    let isInForce = commit(next)
                    if isInForce, let author { tell(of: changes.lines, by: author) }
                    return isInForce
                }
                return isInForce
                    ? .success(changes.lines) : .failure(ReloadError(failures: ["the run is over"]))
            } catch let error as ReloadError {
                return .failure(error)
            } catch let failure as PreparedSettings.Failure {
                return .failure(
                    ReloadError(
                        failures: failure.causes.map { "nodes.\($0.node): \($0.cause)" },
                        of: failure.causes.map(\.node)))
            } catch {
                return .failure(ReloadError(failures: ["\(error)"]))
            }
        }.get()
    }

    /// Puts another file into force, on the present rung; false when it is too late.
    ///
    /// On the control queue.
    private func commit(_ next: PreparedSettings) -> Bool {
        guard phase != .ended else { return false }
        commit(next, on: target?.reload(next.pipeline.ladder) ?? min(rung, next.pipeline.ladder.rungCount - 1))
        return true
    }

    private func commit(_ next: PreparedSettings, on rung: Int) {
        let changes = next.changes(on: rung, since: inForce, on: self.rung)
        (inForce, self.rung) = (next, rung)
        guard !changes.isEmpty else { return }
        let generation = graph.generation + 1
        for change in changes { change.commit(from: generation) }
        graph.advanceGeneration()
    }

    private static func prepare(_ node: AnyObject?, _ settings: Settings) throws -> PreparedChange {
        guard let node = node as? any AdjustableNode else { throw OutputError("cannot change while running") }
        return try node.prepare(settings)
    }

    // MARK: Who is told

    /// Adds a listener for losses and faults, and for the end of the run.
    func listen(_ tell: @escaping @Sendable (RunEvent) -> Void, atEnd end: (@Sendable () -> Void)? = nil) {
        queue.sync {
            listeners.events.append(tell)
            guard let end else { return }
            if phase == .ended { delivery.async(execute: end) } else { listeners.ends.append(end) }
        }
    }

    /// Adds a listener for changes of rung: the change, and the rung taken in words.
    func listenToRungs(_ tell: @escaping @Sendable (Governor.Change, String) -> Void) {
        queue.sync { listeners.rungs.append(tell) }
    }

    // MARK: From start to end

    /// Takes the first rung, starts the graph, and watches it from then on; a start that fails leaves nothing behind.
    func start() throws {
        try queue.sync {
            if let first = target?.first, phase == .built { take(first) }
            try graph.start()
            phase = .running
            let timer = DispatchSource.makeTimerSource(queue: sampling)
            timer.setEventHandler { [weak self] in self?.sample() }
            let interval = DispatchTimeInterval.milliseconds(1000 / TargetMeter.beatsPerSecond)
            timer.schedule(deadline: .now() + interval, repeating: interval, leeway: .milliseconds(5))
            timer.activate()
            self.timer = timer
        }
    }

    /// Has all that happened been told, once the graph has ended; returns when it has been.
    func finish(_ report: RunReport) {
        // A sample, or the cause of a change, that is under way.
        sampling.sync {}
        queue.sync { end(report) }
        delivery.sync {}
    }

    /// On the sampling queue.
    private func sample() {
        let cpuSeconds = ProcessUsage().cpuSeconds
        let machineSeconds = machine.busySeconds()
        queue.async { [self] in
            guard phase == .running else { return }
            if let step = clockSteps.look(monotonic: MonotonicClock.system.now()) {
                let seconds = NumberText.decimal(abs(step), places: 1)
                box.post(
                    RunEvent(.clock, of: "clock", "was set \(step > 0 ? "forward" : "back") by \(seconds) s"))
            }
            if let report = graph.waitUntilFinished(nanoseconds: 0) { return end(report) }
            let sample = TargetMeter.Sample(
                pulse: graph.pulse(), cpuSeconds: cpuSeconds, machineSeconds: machineSeconds)
            if let change = target?.observe(sample) { take(change) }
            if !listeners.events.isEmpty { tell(of: graph.snapshot()) }
        }
    }

    private func take(_ change: Governor.Change) {
        commit(inForce, on: change.to)
        let name = inForce.pipeline.ladder.name(of: change.to)
        guard change.to > change.from, phase == .running else { return record(change, name) }
        // It takes some fifty files to find out whether the processor is too hot: the step does not wait for them.
        sampling.async { [self] in
            var change = change
            if let heat = heat() { change.cause += "; " + heat }
            queue.async { [self, change] in record(change, name) }
        }
    }

    private func record(_ change: Governor.Change, _ name: String) {
        target?.note(change)
        delivery.async { [tell = listeners.rungs] in for tell in tell { tell(change, name) } }
    }

    private func tell(of report: RunReport, isLast: Bool = false) {
        for event in news.events(in: report) { box.post(event) }
        let events = box.take(isLast: isLast)
        guard !events.isEmpty else { return }
        delivery.async { [tell = listeners.events] in
            for event in events { for tell in tell { tell(event) } }
        }
    }

    /// Tells of changes made by hand, each by itself: `lines` are `node.parameter: old -> new`.
    private func tell(of lines: [String], by author: String) {
        for line in lines {
            if changed.count == 100 { changed.removeFirst() }
            changed.append("\(line) (\(author))")
            let parts = line.split(separator: ".", maxSplits: 1).map(String.init)
            let event = RunEvent(.changed, of: parts[0], (parts.count > 1 ? parts[1] : "") + " (\(author))")
            delivery.async { [tell = listeners.events] in for tell in tell { tell(event) } }
        }
    }

    private func end(_ report: RunReport) {
        guard phase == .running else { return }
        phase = .ended
        timer?.cancel()
        timer = nil
        tell(of: report, isLast: true)
        delivery.async { [ends = listeners.ends] in for end in ends { end() } }
        listeners = Listeners()
    }
}
