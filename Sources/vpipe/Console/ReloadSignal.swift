// SPDX-License-Identifier: Apache-2.0
@preconcurrency internal import Dispatch
internal import Foundation
internal import Pipeline
internal import PipelineLanguage
internal import Synchronization

/// Reloads the pipeline file at SIGHUP; a file with errors changes nothing.
///
/// It listens before there is a run: a signal that comes while networks are compiled is acted on when the run begins.
/// - Note: Thread-safety: thread-safe; the handler runs on a queue, not in signal context.
final class ReloadSignal: Sendable {
    private enum State {
        /// There is no run yet; `isDue` when a signal has come.
        case waiting(isDue: Bool)
        case running(PipelineRun)
        case over
    }

    private let queue = DispatchQueue(label: "vpipe.reload")
    private let source: any DispatchSourceSignal
    private let state = Mutex(State.waiting(isDue: false))
    private let file: PipelineArguments
    private let log: LogFormat
    private let manager: ServiceManager

    /// Listens as long as it lives.
    init(_ file: PipelineArguments, log: LogFormat, manager: ServiceManager) {
        self.file = file
        self.log = log
        self.manager = manager
        signal(SIGHUP, SIG_IGN)
        source = DispatchSource.makeSignalSource(signal: SIGHUP, queue: queue)
        source.setEventHandler { [weak self] in self?.act() }
        source.resume()
    }

    deinit { source.cancel() }

    /// Acts on the signals that have come and will come.
    func begin(_ run: PipelineRun) {
        let isDue = state.withLock { state in
            defer { state = .running(run) }
            if case .waiting(isDue: true) = state { return true }
            return false
        }
        if isDue { queue.async { self.act() } }
    }

    /// Says nothing any more.
    func end() { state.withLock { $0 = .over } }

    private func act() {
        let run = state.withLock { state -> PipelineRun? in
            switch state {
            case .waiting: state = .waiting(isDue: true)
            case .running(let run): return run
            case .over: break
            }
            return nil
        }
        guard let run else { return }
        manager.reloading(isOver: false)
        // Whoever moves files away says so by this signal.
        run.reopenFiles()
        let messages = reload(run)
        state.withLock { state in
            guard case .running = state else { return }
            for message in messages { log.say("reload", lines: message) }
        }
        manager.reloading(isOver: true)
    }

    /// What came of it, each message in one or more lines.
    private func reload(_ run: PipelineRun) -> [[String]] {
        do {
            let pipeline = try PipelineFile(path: file.pipeline)
                .validated(against: Installation.registry.contracts, overrides: file.overrides)
            return run.reloadWhatCanBe(pipeline).lines.map { [$0] }
        } catch {
            return error.diagnostics.map(\.lines) + [["nothing was reloaded: the file has errors"]]
        }
    }
}
