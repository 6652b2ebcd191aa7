// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Glibc

/// A program that is given bytes, answers and ends.
enum TrialProcess {
    /// How it ended.
    enum Ending: Equatable {
        /// All that it printed, without the last line's end.
        case said(String)
        /// By itself, without a word.
        case silent
        case signal(Int32, said: String)
        /// Not within its time; it was killed.
        case overdue
        case notStarted(String)
    }

    /// Starts `arguments`, feeds it `input` and waits for its end, `seconds` at most.
    static func run(_ arguments: [String], input: [UInt8], seconds: Double) -> Ending {
        var reason: Int32 = 0
        guard let child = ChildProcess.start(arguments, errors: .nowhere, reason: &reason) else {
            return .notStarted(String(cString: strerror(reason)))
        }
        let (process, ours) = (child.process, child.socket)
        defer { close(ours) }
        let deadline = ContinuousClock.now + .seconds(seconds)
        let answer = converse(ours, input, until: deadline)
        if answer == nil { kill(process, SIGKILL) }
        let result = ChildProcess.wait(for: process)
        guard let answer else { return .overdue }
        if result & 0x7F != 0 { return .signal(result & 0x7F, said: answer) }
        return answer.isEmpty ? .silent : .said(answer)
    }

    /// Sends all of `input` and returns the answer; nil where time runs out.
    private static func converse(_ socket: Int32, _ input: [UInt8], until deadline: ContinuousClock.Instant) -> String?
    {
        _ = fcntl(socket, F_SETFL, O_NONBLOCK)
        var sent = 0
        var answer: [UInt8] = []
        var isClosed = input.isEmpty
        if isClosed { shutdown(socket, Int32(SHUT_WR)) }
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let left = deadline - .now
            guard left > .zero else { return nil }
            var watched = pollfd(fd: socket, events: Int16(isClosed ? POLLIN : POLLIN | POLLOUT), revents: 0)
            let milliseconds = Int32(min(60_000, left / .milliseconds(1)) + 1)
            if poll(&watched, 1, milliseconds) < 0, errno != EINTR { return "" }
            if watched.revents & Int16(POLLOUT) != 0, !isClosed {
                let count = input.withUnsafeBytes {
                    send(socket, $0.baseAddress?.advanced(by: sent), $0.count - sent, Int32(MSG_NOSIGNAL))
                }
                if count > 0 { sent += count }
                if sent == input.count || (count < 0 && errno != EAGAIN && errno != EINTR) {
                    isClosed = true
                    shutdown(socket, Int32(SHUT_WR))
                }
            }
            if watched.revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 {
                let count = recv(socket, &buffer, buffer.count, 0)
                if count < 0, errno == EAGAIN || errno == EINTR { continue }
                if count <= 0 {
                    if answer.last == UInt8(ascii: "\n") { answer.removeLast() }
                    return String(decoding: answer, as: UTF8.self)
                }
                if answer.count < 1 << 16 { answer += buffer[..<count] }
            }
        }
    }
}
