// SPDX-License-Identifier: Apache-2.0
@preconcurrency internal import Dispatch
internal import Foundation
internal import Pipeline
internal import Synchronization

/// Turns SIGINT, SIGTERM and, of a terminal that closes, SIGHUP into a stop, and a second one into an abort.
///
/// It listens before there is a run: a signal that comes while networks are compiled ends the run before its first frame.
/// - Note: Thread-safety: thread-safe; the handlers run on a queue, not in signal context.
final class StopSignals: Sendable {
    private let sources: [any DispatchSourceSignal]
    private let count = Atomic<Int>(0)
    private let run = Mutex<PipelineRun?>(nil)

    /// Whether a stop was asked for.
    var isStopping: Bool { count.load(ordering: .relaxed) > 0 }

    /// Acts on the signals that have come and will come.
    func begin(_ run: PipelineRun) {
        self.run.withLock { $0 = run }
        if isStopping { run.stop() }
    }

    /// Listens as long as it lives.
    ///
    /// - Parameter stopsAtHangUp: whether SIGHUP is a stop, too; else it is left to others.
    init(isInteractive: Bool, stopsAtHangUp: Bool, log: LogFormat, manager: ServiceManager) {
        sources = ([SIGINT, SIGTERM] + (stopsAtHangUp ? [SIGHUP] : [])).map { number in
            signal(number, SIG_IGN)
            return DispatchSource.makeSignalSource(signal: number, queue: .global())
        }
        for source in sources {
            source.setEventHandler { [weak self] in
                guard let self else { return }
                let run = run.withLock { $0 }
                switch count.wrappingAdd(1, ordering: .relaxed).newValue {
                case 1:
                    // First: whoever reads what is said below may take his time.
                    run?.stop()
                    manager.stopping()
                    // A terminal has just shown ^C, or holds a line of status.
                    if isInteractive, log == .text { Console.line(to: .errors) }
                    let again = isInteractive ? "press again to abort" : "a second signal aborts"
                    log.say("stopping", "stopping: delivering what is under way; \(again)")
                case 2:
                    if let run { run.abort() } else { _exit(ExitStatus.failed.rawValue) }
                // Whoever presses a third time wants out whatever happens.
                case let times where times > 2: _exit(ExitStatus.failed.rawValue)
                default: break
                }
            }
            source.resume()
        }
    }

    deinit { for source in sources { source.cancel() } }
}
