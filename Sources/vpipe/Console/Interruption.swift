// SPDX-License-Identifier: Apache-2.0
internal import Basics
@preconcurrency internal import Dispatch
internal import Foundation

/// Lets a command that keeps temporary folders be interrupted without leaving them behind.
///
/// - Note: Thread-safety: thread-safe; the handlers run on a queue, not in signal context.
final class Interruption: Sendable {
    private let sources: [any DispatchSourceSignal]

    /// Listens as long as it lives.
    init() {
        sources = [SIGINT, SIGTERM, SIGHUP].map { number in
            signal(number, SIG_IGN)
            return DispatchSource.makeSignalSource(signal: number, queue: .global())
        }
        for (source, number) in zip(sources, [SIGINT, SIGTERM, SIGHUP]) {
            source.setEventHandler {
                TemporaryFolder.removeAll()
                // The end that the signal means.
                signal(number, SIG_DFL)
                kill(getpid(), number)
            }
            source.resume()
        }
    }

    deinit { for source in sources { source.cancel() } }
}
