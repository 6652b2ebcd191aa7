// SPDX-License-Identifier: Apache-2.0
@preconcurrency internal import Dispatch
internal import Synchronization

/// A graph of nodes, ready to run once.
///
/// Built by `GraphBuilder`.
///
///     built --start()--> running --sources end, or stop()--> draining --> finished
///                           \------------ abort() -----------------------/
///
/// A running graph keeps itself alive until it has finished.
/// - Note: Thread-safety: every method may be called from any thread.
public final class Graph: @unchecked Sendable {
    // Invariant of @unchecked Sendable: all properties are immutable after init; the stages guard their own state.

    /// The graph's name.
    public let name: String
    /// Edges whose capacity was raised so that no join can starve, in words; empty when none was.
    public let adjustments: [String]
    let stages: [Stage]
    let edges: [Edge]
    let ledgers: [Ledger]
    let sourceNames: [String]
    let control: GraphControl
    private let isStarted = Atomic<Bool>(false)

    init(
        name: String, adjustments: [String], stages: [Stage], edges: [Edge], ledgers: [Ledger], sourceNames: [String],
        control: GraphControl
    ) {
        self.name = name
        self.adjustments = adjustments
        self.stages = stages
        self.edges = edges
        self.ledgers = ledgers
        self.sourceNames = sourceNames
        self.control = control
    }

    /// Starts every node, sinks first and sources last, then lets them run.
    ///
    /// - Throws: `GraphError.Code.startFailed` when a node's `start` threw; those already started have been stopped.
    ///   `GraphError.Code.alreadyStarted` the second time.
    public func start() throws(GraphError) {
        guard !isStarted.exchange(true, ordering: .sequentiallyConsistent) else {
            throw GraphError(code: .alreadyStarted, detail: "graph \(name) runs once")
        }
        // `stages` is in topological order, sources first.
        var started: [Stage] = []
        for stage in stages.reversed() {
            do {
                try stage.start()
                started.append(stage)
            } catch {
                for earlier in started.reversed() { earlier.unstart() }
                throw GraphError(code: .startFailed, detail: "node \(stage.name): \(error)")
            }
        }
        control.begin(stages: stages.count, sinks: stages.count { $0.frames.isSink })
        for stage in stages.reversed() { stage.launch() }
    }

    /// Ends the sources; everything in flight is delivered.
    public func stop() { control.stop() }

    /// Drops everything in flight, with the cause `aborted`.
    public func abort() {
        control.abort()
        for stage in stages { stage.wakeup.poke() }
    }

    /// Whether `stop` or `abort` was called, by the user or because no sink was left.
    public var isStopping: Bool { control.isStopping }

    /// Waits until every stage has ended.
    ///
    /// Not for asynchronous code, which has `finish()`.
    @discardableResult
    public func waitUntilFinished() -> RunReport {
        control.finished.wait()
        return report()
    }

    /// Waits until every stage has ended, or `nanoseconds` have passed: then nil.
    public func waitUntilFinished(nanoseconds: UInt64) -> RunReport? {
        let limit = Int(clamping: nanoseconds)
        guard control.finished.wait(timeout: .now() + .nanoseconds(limit)) == .success else { return nil }
        return report()
    }

    /// Waits until every stage has ended.
    public func finish() async -> RunReport {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            control.finished.notify(queue: .global()) { continuation.resume() }
        }
        return report()
    }

    /// Has `body` called, on a queue of Dispatch's, when every stage has ended; once the graph was started.
    public func whenFinished(_ body: @escaping @Sendable () -> Void) {
        control.finished.notify(queue: .global(), execute: body)
    }

    /// Shows every item that a node emits from now on to `body`, which is no part of the graph; false when it wants no more.
    ///
    /// `body` is called in the node's stage, one call at a time, in the order of emission, and delays the node for as long as
    /// it takes.
    /// - Returns: false when there is no such node.
    @discardableResult
    public func observe(
        _ node: String, _ body: @escaping @Sendable (_ item: Item, _ port: Int) -> Bool
    ) -> Bool {
        guard let stage = stages.first(where: { $0.name == node }) else { return false }
        stage.output.tap.add(body)
        return true
    }

    /// The figures so far, while the graph runs; cheap enough for a status line.
    public func snapshot() -> RunReport { report() }

    /// What became of a frame.
    ///
    /// - Returns: nil when there is no such source, or the frame never came or came too long ago.
    public func fate(ofFrame sequence: UInt64, source: String) -> FrameFate? {
        guard let index = sourceNames.firstIndex(of: source) else { return nil }
        switch ledgers[index].fate(of: sequence) {
        case nil: return nil
        case .inFlight: return .inFlight
        case .dropped(let place, let cause): return .dropped(at: placeName(place), cause: cause)
        case .delivered(let place?, let cause?): return .deliveredPartly(missedAt: placeName(place), cause: cause)
        case .delivered: return .delivered
        }
    }

    /// The name of a stage or an edge.
    func placeName(_ place: Int) -> String {
        if place < stages.count { return stages[place].name }
        return place - stages.count < edges.count ? edges[place - stages.count].name : "?"
    }
}

/// How a frame ended.
public enum FrameFate: Sendable, Hashable {
    /// It is still in flight.
    case inFlight
    /// Every sink it was meant for took it.
    case delivered
    /// At least one sink took it, but it was dropped on another way.
    case deliveredPartly(missedAt: String, cause: DropCause)
    /// No sink took it.
    case dropped(at: String, cause: DropCause)
}
