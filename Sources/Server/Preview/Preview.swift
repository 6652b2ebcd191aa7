// SPDX-License-Identifier: Apache-2.0
internal import Dataflow
@preconcurrency internal import Dispatch
package import Pipeline
internal import PipelineLanguage
internal import Synchronization

/// A running pipeline as a page in the browser shows it: pictures with results, the graph with its figures, what happened, and
/// the settings that can be changed.
///
/// It does not keep the run alive.
/// - Note: Thread-safety: thread-safe.
package final class Preview: @unchecked Sendable {
    // Invariant of @unchecked Sendable: `run` is set in `init`; the rest is immutable, has locks or is atomic, but for `drawn`,
    // which the server's thread alone writes.

    /// How pictures are made.
    package struct Style: Sendable {
        /// Pixels of the longest side at most.
        package var size = 960
        /// Pictures per second at most.
        package var fps = 15.0
        /// JPEG quality, 1...100.
        package var quality = 75

        /// The usual.
        package init() {}
    }

    private struct Shared {
        var viewers: [ObjectIdentifier: Viewer] = [:]
        var state: (serial: UInt64, bytes: [UInt8])?
        var meter = RunMeter()
        /// Samples of the last minutes, one a second, ready to be sent.
        var history: [String] = []
        var events: [String] = []
        var lastUsage: (at: UInt64, cpu: Double)?
        var beats = 0
        var skippedByGone: UInt64 = 0
        var problems: [String] = []
    }

    /// How many samples and events a new viewer gets.
    private static let historyLength = 300
    private static let eventsKept = 100

    let views: [PreviewView]
    private weak var run: PipelineRun?
    private let shared = Mutex(Shared())
    private let server = ServerLink()
    private let queue = DispatchQueue(label: "vpipe.preview", qos: .utility)
    private let changes = DispatchQueue(label: "vpipe.preview.set", qos: .utility)
    private let timer: any DispatchSourceTimer
    private let sent = Atomic<UInt64>(0)
    private let drawn = LatencyHistogram()
    private let startedAt = MonotonicClock.system.now()

    /// Looks at what some nodes emit; of the whole run by default, at every node that feeds a sink.
    package init(_ run: PipelineRun, nodes: [String]? = nil, style: Style = Style()) {
        self.run = run
        let link = server
        let names = nodes ?? Self.viewed(run.pipeline)
        views = names.prefix(Int(UInt8.max)).enumerated().map { index, name in
            PreviewView(
                name, index: index, style: .init(size: style.size, fps: style.fps, quality: style.quality),
                tap: { [weak run] body in run?.tap(name, body) }, onPicture: { link.wake() })
        }
        timer = DispatchSource.makeTimerSource(queue: queue)
        run.onEvent { [weak self] in self?.note($0) }
        run.onLadderChange { [weak self] change, rung in self?.note(change, rung) }
        timer.setEventHandler { [weak self] in self?.beat() }
        timer.schedule(deadline: .now() + 0.25, repeating: 0.25, leeway: .milliseconds(20))
        timer.activate()
    }

    deinit { timer.cancel() }

    /// The nodes that feed a sink, in the order of the graph: what comes out of the pipeline.
    ///
    /// Raw pictures of a sensitive source are not among them.
    static func viewed(_ pipeline: ValidatedPipeline) -> [String] {
        let raw = pipeline.nodesWithRawPictures
        let feeding = pipeline.nodes.filter { $0.contract.category == .sink }.flatMap(\.inputs)
            .filter { $0.fromPortIndex == 0 }.map(\.from)
        return pipeline.nodes.map(\.id).filter { feeding.contains($0) && !raw.contains($0) }
    }

    /// Sets what has the server ask viewers for their next message.
    func connect(_ wake: @escaping @Sendable () -> Void) { server.set(wake) }

    // MARK: Viewers

    /// Lets a viewer in: it first gets the graph, what happened, and the last minutes.
    func join() -> Viewer {
        let viewer = Viewer(self)
        if let run { viewer.post(Array(PreviewGraph.text(run.pipeline, views: views).utf8)) }
        let past = shared.withLock { shared in
            shared.viewers[ObjectIdentifier(viewer)] = viewer
            let (events, samples) = (shared.events.joined(separator: ","), shared.history.joined(separator: ","))
            return #"{"type":"past","events":[\#(events)],"samples":[\#(samples)]}"#
        }
        viewer.post(Array(past.utf8))
        return viewer
    }

    func leave(_ viewer: Viewer) {
        shared.withLock {
            $0.viewers[ObjectIdentifier(viewer)] = nil
            $0.skippedByGone += viewer.skipped
        }
    }

    /// The newest state, unless it has been seen.
    func state(after serial: UInt64) -> (serial: UInt64, bytes: [UInt8])? {
        shared.withLock { $0.state }.flatMap { $0.serial == serial ? nil : $0 }
    }

    func countSent() { sent.wrappingAdd(1, ordering: .relaxed) }

    func countDrawn(handedAt: UInt64) {
        let now = MonotonicClock.system.now()
        drawn.record(nanoseconds: now > handedAt ? now - handedAt : 0)
    }

    /// A page reports a fault of its own; the first few are kept.
    func note(problem: String) {
        shared.withLock { if $0.problems.count < 8 { $0.problems.append(String(problem.prefix(200))) } }
    }

    /// What it has done so far.
    package var figures: PreviewFigures {
        let (viewers, gone, problems) = shared.withLock { (Array($0.viewers.values), $0.skippedByGone, $0.problems) }
        return PreviewFigures(
            viewers: viewers.count,
            views: views.map { .init(name: $0.name, encoded: $0.encoded.load(ordering: .relaxed)) },
            sent: sent.load(ordering: .relaxed),
            skipped: viewers.reduce(gone) { $0 + $1.skipped }, drawn: drawn.summary,
            problems: views.compactMap(\.fault) + problems.map { "a page reports: \($0)" })
    }

    // MARK: Changes

    /// Puts a new value of a parameter into force, through the controller, as a reload would.
    func set(_ parameter: String, of node: String, to value: JSONDocument, for viewer: Viewer) {
        changes.async { [self, weak viewer] in
            guard let run else { return }
            let text = if case .string(let text) = value { text } else { value.compact }
            let answer = run.change(parameter, of: node, to: text, by: "preview")
            broadcastGraph()
            viewer?.post(
                Array(
                    JSONDocument.object([
                        ("type", "set"), ("node", .string(node)), ("parameter", .string(parameter)),
                        ("ok", .boolean(answer.isDone)), ("text", .string(answer.text)),
                    ]).compact.utf8))
            server.wake()
        }
    }

    private func broadcastGraph() {
        guard let run else { return }
        post(PreviewGraph.text(run.pipeline, views: views))
    }

    private func post(_ text: String) {
        let bytes = Array(text.utf8)
        for viewer in shared.withLock({ Array($0.viewers.values) }) { viewer.post(bytes) }
        server.wake()
    }

    // MARK: Events

    private func note(_ event: RunEvent) {
        note(kind: event.kind.rawValue, node: event.node, text: event.message, count: event.count)
    }

    private func note(_ change: Governor.Change, _ rung: String) {
        note(kind: "rung", node: "", text: "rung \(change.from) -> \(change.to) (\(rung)): \(change.cause)", count: 1)
    }

    private func note(kind: String, node: String, text: String, count: UInt64) {
        let seconds = Double(MonotonicClock.system.now() &- startedAt) / 1e9
        let event = JSONDocument.object([
            ("t", .number((seconds * 100).rounded() / 100)), ("kind", .string(kind)), ("node", .string(node)),
            ("text", .string(text)), ("count", .integer(Int(clamping: count))),
        ]).compact
        shared.withLock {
            if $0.events.count == Self.eventsKept { $0.events.removeFirst() }
            $0.events.append(event)
        }
        post(#"{"type":"event","event":\#(event)}"#)
    }

    // MARK: State

    /// Four times a second while somebody looks; once a second otherwise, for the history.
    private func beat() {
        let (isDue, isSample) = shared.withLock { shared in
            shared.beats += 1
            let isSample = shared.beats % 4 == 0
            return (isSample || !shared.viewers.isEmpty, isSample)
        }
        guard isDue, let run else { return }
        let figures = run.figures()
        let mine = self.figures
        shared.withLock { shared in
            guard let reading = shared.meter.observe(figures.report) else { return }
            let cores = share(of: figures.usage.cpuSeconds, &shared.lastUsage)
            let state = PreviewState(
                figures: figures, reading: reading, preview: mine, cores: cores,
                seconds: Double(MonotonicClock.system.now() &- startedAt) / 1e9)
            if isSample {
                if shared.history.count == Self.historyLength { shared.history.removeFirst() }
                shared.history.append(state.sample)
            }
            shared.state = ((shared.state?.serial ?? 0) + 1, Array(state.text(isSample: isSample).utf8))
        }
        server.wake()
    }

    /// Processor cores in use since the last call.
    private func share(of cpuSeconds: Double, _ last: inout (at: UInt64, cpu: Double)?) -> Double {
        let now = MonotonicClock.system.now()
        defer { last = (now, cpuSeconds) }
        guard let last, now > last.at else { return 0 }
        return max(0, cpuSeconds - last.cpu) / (Double(now - last.at) / 1e9)
    }
}

/// How a preview has its server ask viewers for their next message.
private final class ServerLink: Sendable {
    private let call = Mutex<(@Sendable () -> Void)?>(nil)

    func set(_ wake: @escaping @Sendable () -> Void) { call.withLock { $0 = wake } }

    func wake() { call.withLock { $0 }?() }
}
