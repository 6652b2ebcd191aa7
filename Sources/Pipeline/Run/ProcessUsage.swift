// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Glibc

/// What the process has used so far.
public struct ProcessUsage: Sendable {
    /// Processor time of all threads, user and system, in seconds.
    public let cpuSeconds: Double
    /// Largest resident memory, in bytes.
    public let peakBytes: Int

    /// Asks the system.
    public init() {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) * 1e-6 }
        cpuSeconds = seconds(usage.ru_utime) + seconds(usage.ru_stime)
        peakBytes = usage.ru_maxrss * 1024
    }

    /// Resident memory at present, in bytes; 0 where the system does not say.
    public var residentBytes: Int {
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return 0 }
        let fields = text.split(separator: " ")
        return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))) : 0
    }

    /// Open file descriptors at present; 0 where the system does not say.
    public var openFiles: Int {
        // The folder itself is open while it is read.
        max(0, ((try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd"))?.count ?? 1) - 1)
    }

    /// When the process started, in seconds since 1970.
    public static let startTime: Double = {
        let now = Date().timeIntervalSince1970
        // Field 22 counts ticks from the start of the machine; the name in field 2 may hold spaces.
        guard let text = try? String(contentsOfFile: "/proc/self/stat", encoding: .utf8),
            let uptime = try? String(contentsOfFile: "/proc/uptime", encoding: .utf8).split(separator: " ").first,
            let end = text.lastIndex(of: ")"), let up = Double(uptime)
        else { return now }
        let fields = text[end...].split(separator: " ")
        guard fields.count > 20, let ticks = Double(fields[20]) else { return now }
        return now - up + ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }()
}
