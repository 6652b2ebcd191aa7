// SPDX-License-Identifier: Apache-2.0
internal import Dataflow
internal import Foundation

/// Tells the service manager how the process does, by the datagrams of sd_notify(3); silent without one.
///
/// The protocol is three lines of text to a socket named in the environment, so no library is needed for it.
struct ServiceManager {
    private let address: String?
    /// Seconds between signs of life that the manager asks for, already halved; nil when it asks for none.
    let watchdogInterval: Double?

    /// Reads `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`.
    init(environment: [String: String] = ProcessInfo.processInfo.environment) {
        address = environment["NOTIFY_SOCKET"].flatMap { $0.hasPrefix("/") || $0.hasPrefix("@") ? $0 : nil }
        let isMeant = environment["WATCHDOG_PID"].map { $0 == String(getpid()) } ?? true
        let interval = environment["WATCHDOG_USEC"].flatMap { Double($0) }.map { $0 / 2e6 }
        watchdogInterval = address != nil && isMeant ? interval.flatMap { $0 > 0 ? $0 : nil } : nil
    }

    /// The pipeline runs.
    func ready() { send("READY=1\nSTATUS=running") }
    /// A file is being reloaded, `isOver` when that is done.
    func reloading(isOver: Bool) {
        guard !isOver else { return ready() }
        send("RELOADING=1\nMONOTONIC_USEC=\(MonotonicClock.system.now() / 1000)")
    }
    /// The pipeline delivers what is under way and ends.
    func stopping() { send("STOPPING=1\nSTATUS=finishing files") }
    /// A sign of life, with a line for `systemctl status`.
    func alive(_ status: String) { send("WATCHDOG=1\nSTATUS=\(status)") }

    private func send(_ message: String) {
        guard let address else { return }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var target = sockaddr_un()
        target.sun_family = sa_family_t(AF_UNIX)
        let name = Array(address.utf8)
        let room = MemoryLayout.size(ofValue: target.sun_path)
        guard name.count < room else { return }
        withUnsafeMutableBytes(of: &target.sun_path) { path in
            path.copyBytes(from: name)
            // A leading @ stands for the zero byte of an abstract socket.
            if name.first == UInt8(ascii: "@") { path[0] = 0 }
        }
        let length = socklen_t(MemoryLayout<sockaddr_un>.size - room + name.count)
        withUnsafePointer(to: &target) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                _ = Array(message.utf8).withUnsafeBytes {
                    sendto(descriptor, $0.baseAddress, $0.count, 0, address, length)
                }
            }
        }
    }
}
