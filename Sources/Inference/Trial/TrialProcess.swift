// SPDX-License-Identifier: Apache-2.0
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
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else { return .notStarted(reason(errno)) }
        let (ours, theirs) = (ends[0], ends[1])
        defer { close(ours) }
        _ = fcntl(ours, F_SETFD, FD_CLOEXEC)
        let (process, status) = start(arguments, theirs)
        close(theirs)
        guard status == 0 else { return .notStarted(reason(status)) }
        let deadline = ContinuousClock.now + .seconds(seconds)
        let answer = converse(ours, input, until: deadline)
        if answer == nil { kill(process, SIGKILL) }
        var result: Int32 = 0
        while waitpid(process, &result, 0) < 0, errno == EINTR {}
        guard let answer else { return .overdue }
        if result & 0x7F != 0 { return .signal(result & 0x7F, said: answer) }
        return answer.isEmpty ? .silent : .said(answer)
    }

    private static func reason(_ code: Int32) -> String { String(cString: strerror(code)) }

    /// Starts the program with one socket as its input and output, and nobody to hear its complaints.
    private static func start(_ arguments: [String], _ socket: Int32) -> (process: pid_t, status: Int32) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, socket, 0)
        posix_spawn_file_actions_adddup2(&actions, socket, 1)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // What this process ignores or blocks, the other must not.
        var (none, all) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var words = arguments.map { strdup($0) } + [nil]
        // A crash that is expected needs no backtrace, which takes seconds.
        var variables = environment() + [strdup("SWIFT_BACKTRACE=enable=no"), nil]
        defer { for text in words + variables { free(text) } }
        var process: pid_t = 0
        let status = posix_spawn(&process, arguments[0], &actions, &attributes, &words, &variables)
        return (process, status)
    }

    private static func environment() -> [UnsafeMutablePointer<CChar>?] {
        var result: [UnsafeMutablePointer<CChar>?] = []
        var place = environ
        while let text = place.pointee {
            if strncmp(text, "SWIFT_BACKTRACE=", 16) != 0 { result.append(strdup(text)) }
            place += 1
        }
        return result
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
