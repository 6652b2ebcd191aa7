// SPDX-License-Identifier: Apache-2.0
public import Foundation

/// A program at the other end of a connection, on this machine; killed with its owner.
public final class Peer {
    /// The program is not installed.
    public struct Missing: Error {}

    private let process = Process()

    /// Starts a program, silent, with nothing to read.
    public init(_ program: String?, _ arguments: [String]) throws {
        guard let program else { throw Missing() }
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
    }

    deinit { kill() }

    /// As a crash does it; the program has gone when this returns.
    public func kill() {
        guard process.isRunning else { return }
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// Stands still, connections open.
    public func freeze() { Foundation.kill(process.processIdentifier, SIGSTOP) }

    /// Has it end as if by Ctrl-C, what it writes whole.
    public func interrupt() { Foundation.kill(process.processIdentifier, SIGINT) }

    /// Waits for its own end, some seconds at most.
    public func wait(seconds: Double = 15) {
        let deadline = Date().addingTimeInterval(seconds)
        while process.isRunning, Date() < deadline { usleep(20_000) }
        kill()
    }

    /// The command that most tests have at the other end.
    public static let ffmpeg = find("ffmpeg")
    /// Debian's own, which its GStreamer speaks to.
    public static let python =
        FileManager.default.isExecutableFile(atPath: "/usr/bin/python3") ? "/usr/bin/python3" : nil
    /// Makes certificates.
    public static let openssl = find("openssl")

    /// Where a program is installed.
    public static func find(_ name: String) -> String? {
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/\(name)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}
