// SPDX-License-Identifier: Apache-2.0
#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// A program that is run with one end of a socket as its standard input and output.
package enum ChildProcess {
    /// What it can say on standard error.
    package enum Errors { case nowhere, ours }

    /// A process that was started, and our end of its socket, which no other child inherits.
    package struct Started {
        /// For `waitpid`.
        package let process: Int32
        /// Close it when done.
        package let socket: Int32
    }

    /// Starts a program; what this process blocks or ignores, the other does not.
    ///
    /// - Parameters:
    ///   - arguments: the program's path first.
    ///   - isApart: whether it has a process group of its own, so that a Ctrl-C in the terminal is only for this process.
    /// - Returns: nil and the system's error number in `reason` where it cannot be started.
    package static func start(
        _ arguments: [String], errors: Errors, isApart: Bool = false, reason: inout Int32
    ) -> Started? {
        var ends: [Int32] = [-1, -1]
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
            reason = errno
            return nil
        }
        let (ours, theirs) = (ends[0], ends[1])
        defer { close(theirs) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, theirs, 0)
        posix_spawn_file_actions_adddup2(&actions, theirs, 1)
        if errors == .nowhere { posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0) }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var (none, all) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | (isApart ? POSIX_SPAWN_SETPGROUP : 0)
        posix_spawnattr_setflags(&attributes, Int16(flags))
        var words = arguments.map { $0.withCString { strdup($0) } } + [nil]
        // A crash that is expected needs no backtrace, which takes seconds.
        var variables = environment() + [strdup("SWIFT_BACKTRACE=enable=no"), nil]
        defer { for text in words + variables { free(text) } }
        var process: pid_t = 0
        let status = posix_spawn(&process, arguments[0], &actions, &attributes, &words, &variables)
        guard status == 0 else {
            close(ours)
            reason = status
            return nil
        }
        return Started(process: process, socket: ours)
    }

    /// Waits for its end; the status as `waitpid` has it.
    package static func wait(for process: Int32) -> Int32 {
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        return status
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
}
