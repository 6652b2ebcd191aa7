// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Foundation
internal import PipelineLanguage

/// What the kernel says about the machine's load and heat, from files under `/proc` and `/sys`.
///
/// Every file may be absent (containers, boards without sensors); what is not known is nil.
/// Sources: proc(5); Documentation/ABI/testing/sysfs-class-thermal and sysfs-devices-system-cpu of the kernel.
package struct MachineState: Sendable {
    private let root: String

    /// - Parameter root: "" for this machine; tests give a folder of their own.
    package init(root: String = "") { self.root = root }

    /// Processor time of all programs so far, in seconds; nil where it cannot be read.
    package func busySeconds() -> Double? {
        // cpu  user nice system idle iowait irq softirq steal ... in ticks of 1/100 s
        guard let line = read("/proc/stat")?.split(separator: "\n").first else { return nil }
        let ticks = line.split(separator: " ").dropFirst().compactMap { Double($0) }
        guard line.hasPrefix("cpu "), ticks.count >= 7 else { return nil }
        return (ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6]) / 100
    }

    /// Why the processor runs below its speed, in words; nil where nothing says that it does.
    package func throttling() -> String? {
        guard let (share, policy) = slowestClock(), share < 0.8, let (celsius, zone) = hottestOverTrip() else {
            return nil
        }
        return "the processor is throttled: \(zone) at \(NumberText.decimal(celsius, places: 0)) degrees, \(policy) at "
            + "\(Int((share * 100).rounded())) % of its clock"
    }

    /// The lowest present clock as a share of the highest possible one.
    private func slowestClock() -> (share: Double, name: String)? {
        var lowest: (share: Double, name: String)?
        for name in names("/sys/devices/system/cpu/cpufreq") where name.hasPrefix("policy") {
            let folder = "/sys/devices/system/cpu/cpufreq/\(name)"
            guard let now = number("\(folder)/scaling_cur_freq"), let top = number("\(folder)/cpuinfo_max_freq"),
                top > 0
            else { continue }
            if now / top < lowest?.share ?? .infinity { lowest = (now / top, name) }
        }
        return lowest
    }

    /// The zone furthest above (or within 2 degrees of) its passive or hot trip point.
    private func hottestOverTrip() -> (celsius: Double, zone: String)? {
        var hottest: (celsius: Double, zone: String)?
        for name in names("/sys/class/thermal") where name.hasPrefix("thermal_zone") {
            let folder = "/sys/class/thermal/\(name)"
            guard let milli = number("\(folder)/temp") else { continue }
            let trips = (0..<12).compactMap { index -> Double? in
                guard
                    let type = read("\(folder)/trip_point_\(index)_type")?.trimmingCharacters(
                        in: .whitespacesAndNewlines),
                    ["passive", "hot"].contains(type)
                else { return nil }
                return number("\(folder)/trip_point_\(index)_temp")
            }
            guard let trip = trips.min(), milli >= trip - 2000, milli / 1000 > hottest?.celsius ?? -.infinity else {
                continue
            }
            let type = read("\(folder)/type")?.trimmingCharacters(in: .whitespacesAndNewlines)
            hottest = (milli / 1000, type ?? name)
        }
        return hottest
    }

    private func read(_ path: String) -> String? { try? String(contentsOfFile: root + path, encoding: .utf8) }

    private func number(_ path: String) -> Double? {
        read(path).flatMap { Double($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    }

    private func names(_ path: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: root + path)) ?? []).sorted()
    }
}
