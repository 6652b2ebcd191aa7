// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Foundation

/// A batch's end of a worker.
///
/// Confined.
final class WorkerProcess {
    private let child: ChildProcess.Started
    private var pending = Data()
    private var isGone = false

    /// The descriptor to wait on.
    var socket: Int32 { child.socket }

    /// Starts one.
    ///
    /// - Throws: `BatchError` with the system's reason.
    init(program: String, setup: BatchMessage.Setup) throws(BatchError) {
        var reason: Int32 = 0
        guard
            let child = ChildProcess.start(
                [program, BatchWorker.argument], errors: .ours, isApart: true, reason: &reason)
        else { throw BatchError("\(program): cannot be started: \(String(cString: strerror(reason)))") }
        self.child = child
        send(BatchMessage.line(setup))
    }

    /// Hands it an item.
    func begin(_ task: BatchMessage.Task) { send(BatchMessage.line(task)) }

    /// What it says, once the socket has something; how it ended, in words, where it is gone.
    enum Heard: Equatable {
        case reports([BatchMessage.Report])
        case gone(String)
    }

    func hear() -> Heard {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(child.socket, &buffer, buffer.count, 0)
        if count < 0, errno == EINTR || errno == EAGAIN { return .reports([]) }
        guard count > 0 else { return .gone(end()) }
        pending += buffer[..<count]
        var reports: [BatchMessage.Report] = []
        while let end = pending.firstIndex(of: 10) {
            if let report = try? JSONDecoder().decode(BatchMessage.Report.self, from: Data(pending[..<end])) {
                reports.append(report)
            }
            pending = Data(pending[pending.index(after: end)...])
        }
        return .reports(reports)
    }

    /// Ends it at once, and says how it had ended by itself.
    @discardableResult
    func end(byForce: Bool = false) -> String {
        guard !isGone else { return "" }
        isGone = true
        if byForce { kill(child.process, SIGKILL) }
        close(child.socket)
        let status = ChildProcess.wait(for: child.process)
        let signal = status & 0x7F
        if signal != 0 {
            let names = [
                SIGSEGV: "SIGSEGV", SIGABRT: "SIGABRT", SIGBUS: "SIGBUS", SIGILL: "SIGILL", SIGFPE: "SIGFPE",
                SIGTRAP: "SIGTRAP", SIGKILL: "SIGKILL: out of memory, or killed by hand",
            ]
            return "its process died (\(names[signal] ?? "signal \(signal)"))"
        }
        return "its process ended with status \(status >> 8 & 0xFF)"
    }

    deinit { end(byForce: true) }

    // One that is gone is heard of by its socket.
    private func send(_ data: Data) { _ = BatchMessage.send(data, to: child.socket) }
}
