// SPDX-License-Identifier: Apache-2.0
@preconcurrency internal import Dispatch
internal import Foundation
internal import Synchronization

/// Hears SIGINT, SIGTERM and SIGHUP, so that a command stops in order and then ends as the signal means.
///
/// - Note: Thread-safety: thread-safe; the handler runs on a queue, not in signal context.
final class DeferredSignals: Sendable {
    private let sources: [any DispatchSourceSignal]
    private static let received = Atomic<Int32>(0)

    /// Whether a signal has come.
    var isReceived: Bool { Self.received.load(ordering: .relaxed) != 0 }

    /// Listens as long as it lives, and calls `body` at each signal.
    init(_ body: @escaping @Sendable () -> Void = {}) {
        sources = [SIGINT, SIGTERM, SIGHUP].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                Self.received.store(number, ordering: .relaxed)
                body()
            }
            source.resume()
            return source
        }
    }

    /// Ends the process as the last signal would have.
    func end() {
        for source in sources { source.cancel() }
        let number = isReceived ? Self.received.load(ordering: .relaxed) : SIGTERM
        signal(number, SIG_DFL)
        kill(getpid(), number)
    }
}
