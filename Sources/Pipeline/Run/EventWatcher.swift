// SPDX-License-Identifier: Apache-2.0
internal import Dataflow
@preconcurrency internal import Dispatch
internal import Synchronization

/// Tells a run's events as they happen, from a queue of its own.
///
///     nodes: lost, returned, flawed --post--> EventBox --+
///                                                        +-- four times a second --> tell
///     books: frames dropped, nodes failed --difference---+
///
/// - Note: Thread-safety: thread-safe.
final class EventWatcher: Sendable {
    private struct Loss: Hashable {
        let place: String
        let cause: DropCause
    }

    private struct Known {
        var drops: [Loss: UInt64] = [:]
        var failures: Set<String> = []
    }

    private let box: EventBox
    private let timer: any DispatchSourceTimer
    private let known = Mutex(Known())

    /// Begins to watch.
    ///
    /// - Parameters:
    ///   - look: reads the graph's books.
    ///   - tell: called on the watcher's queue.
    init(_ box: EventBox, look: @escaping @Sendable () -> RunReport, tell: @escaping @Sendable (RunEvent) -> Void) {
        self.box = box
        timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "vpipe.events", qos: .utility))
        timer.setEventHandler { [weak self] in
            guard let self else { return }
            for event in self.events(in: look()) { tell(event) }
        }
        timer.schedule(deadline: .now() + .milliseconds(250), repeating: .milliseconds(250), leeway: .milliseconds(50))
        timer.activate()
    }

    deinit { timer.cancel() }

    /// What is to be told after a look at the books.
    func events(in report: RunReport) -> [RunEvent] {
        let news = known.withLock { known in
            let drops = report.sources.flatMap(\.drops).compactMap { drop -> RunEvent? in
                let loss = Loss(place: drop.place, cause: drop.cause)
                let before = known.drops.updateValue(drop.count, forKey: loss) ?? 0
                // Frames that were ended on purpose are no loss.
                guard drop.count > before, !drop.cause.isWanted else { return nil }
                return RunEvent(.dropped, of: drop.place, drop.cause.name, count: drop.count - before)
            }
            let failures = report.failures.filter { known.failures.insert($0.node).inserted }
            return drops + failures.map { RunEvent(.failed, of: $0.node, $0.message) }
        }
        for event in news { box.post(event) }
        return box.take()
    }
}

extension DropCause {
    /// Whether it is what the pipeline asks for rather than a loss.
    fileprivate var isWanted: Bool { self == .filtered || self == .rateLimited || self == .aborted }
}
