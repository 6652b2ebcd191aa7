// SPDX-License-Identifier: Apache-2.0
@preconcurrency internal import Dispatch
internal import Glibc
internal import Pipeline

/// Writes a run's metrics to a file again and again, for node_exporter's textfile collector: figures without any port.
///
/// A reader sees a whole file at any time: each is written beside the last and renamed onto it. The last one, written by
/// `finish`, is of the finished run and stays.
/// - Note: Thread-safety: thread-safe; writes on a queue of its own. A write that fails is tried again the next time.
package final class MetricsFile: Sendable {
    /// Seconds between writes.
    static let interval = 5

    private let path: String
    private let text: @Sendable () -> String
    private let queue = DispatchQueue(label: "vpipe.metrics", qos: .utility)
    private let timer: any DispatchSourceTimer

    /// Writes the first file and goes on every few seconds.
    ///
    /// - Parameters:
    ///   - path: ends in `.prom`: the collector reads no other files.
    ///   - text: the metrics at present.
    /// - Throws: `MetricsFileError` when the first one cannot be written.
    package init(_ path: String, text: @escaping @Sendable () -> String) throws(MetricsFileError) {
        self.path = path
        self.text = text
        // Before there is a timer: one that was never activated must not be released.
        try Self.write(text(), to: path)
        timer = DispatchSource.makeTimerSource(queue: queue)
        timer.setEventHandler { [weak self] in self?.write() }
        timer.schedule(
            deadline: .now() + .seconds(Self.interval), repeating: .seconds(Self.interval), leeway: .milliseconds(500))
        timer.activate()
    }

    deinit { timer.cancel() }

    /// Writes the last file, of the finished run; what keeps it from being written, nil when it was.
    package func finish() -> MetricsFileError? {
        timer.cancel()
        return queue.sync { () -> MetricsFileError? in
            do throws(MetricsFileError) { try Self.write(text(), to: path) } catch { return error }
            return nil
        }
    }

    private func write() { try? Self.write(text(), to: path) }

    private static func write(_ text: String, to path: String) throws(MetricsFileError) {
        let temporary = "\(path).\(getpid())"
        let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o644)
        guard file >= 0 else { throw MetricsFileError(path: path, code: errno) }
        var rest = Array(text.utf8)[...]
        var code: Int32 = 0
        while !rest.isEmpty, code == 0 {
            let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count > 0 { rest = rest.dropFirst(count) } else if errno != EINTR { code = errno }
        }
        if close(file) != 0, code == 0 { code = errno }
        if code == 0, rename(temporary, path) != 0 { code = errno }
        guard code != 0 else { return }
        unlink(temporary)
        throw MetricsFileError(path: path, code: code)
    }
}

/// Why the metrics could not be written to their file.
package struct MetricsFileError: Error, CustomStringConvertible {
    /// The file.
    let path: String
    /// The system's `errno`.
    let code: Int32

    /// One line for the user.
    package var description: String { "\(path): metrics cannot be written: \(String(cString: strerror(code)))" }
}
