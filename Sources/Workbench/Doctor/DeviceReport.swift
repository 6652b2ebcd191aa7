// SPDX-License-Identifier: Apache-2.0
internal import Foundation
public import Camera
internal import Media

/// The machine's video devices, for people and for programs; the substance of `vpipe devices`.
public struct DeviceReport {
    /// What was found, in the order of the nodes' numbers.
    public let devices: [CameraDescription]

    /// Looks at all devices, or at one named by its node or a stable name.
    public init(device: String? = nil) {
        devices = CameraList.devices().filter { found in
            guard let device else { return true }
            return found.path == device || "/dev/\(device)" == found.path
                || found.stableNames.contains { $0 == device || $0.hasSuffix("/\(device)") }
        }
    }

    /// A report of devices that are known already.
    public init(_ devices: [CameraDescription]) { self.devices = devices }

    /// Whether there is none.
    public var isEmpty: Bool { devices.isEmpty }

    /// A list of objects.
    public func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(devices), as: UTF8.self) + "\n"
    }

    /// A paragraph for each device; `all` adds what vpipe does not read and the words of menus.
    public func lines(all: Bool = false) -> [String] {
        if devices.isEmpty { return ["no video devices (/dev/video*)"] }
        return devices.flatMap { describe($0, all: all) }
    }

    private func describe(_ device: CameraDescription, all: Bool) -> [String] {
        let roles = [device.isCamera ? "camera" : nil, device.isOutput ? "takes pictures (camera-out)" : nil]
        var lines = ["\(device.path)  \(device.name)"]
        if let problem = device.problem { return lines + ["  \(problem)", ""] }
        lines[0] += "  (\(device.driver), \(device.bus)): " + roles.compactMap { $0 }.joined(separator: ", ")
        lines += device.stableNames.map { "  also \($0)" }
        if device.inputs.count > 1 {
            lines.append("  inputs: " + device.inputs.enumerated().map { "\($0) \($1)" }.joined(separator: ", "))
        }
        if !device.standards.isEmpty { lines.append("  standards: " + device.standards.joined(separator: ", ")) }
        lines += formats(device.formats.filter { all || $0.isReadable })
        let unread = device.formats.filter { !$0.isReadable }.count
        if unread > 0, !all { lines.append("  and \(unread) formats that vpipe does not read") }
        let controls = device.controls.filter { all || !$0.isReadOnly }
        if !controls.isEmpty { lines.append("  controls") }
        lines += controls.map { "    " + text($0, all: all) }
        return lines + [""]
    }

    /// Formats with the same sizes share a line.
    private func formats(_ formats: [CameraFormat]) -> [String] {
        var groups: [(codes: [String], sizes: [CameraFormat.Size])] = []
        for format in formats {
            if let index = groups.firstIndex(where: { $0.sizes == format.sizes }) {
                groups[index].codes.append(format.code)
            } else {
                groups.append(([format.code], format.sizes))
            }
        }
        return groups.flatMap { group in
            ["  \(group.codes.joined(separator: " "))"] + group.sizes.map { "    \($0)" }
        }
    }

    /// The longest menu that is shown whole.
    private static let menuLimit = 12

    private func text(_ control: CameraControl, all: Bool) -> String {
        let value = control.value.map { " = \($0)" } ?? ""
        switch control.kind {
        case .button: return "\(control.name): button"
        case .boolean:
            return "\(control.name)\(control.value.map { $0 == 0 ? " = false" : " = true" } ?? ""): true, false"
        case .menu:
            var words = control.choices.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
            if words.count > Self.menuLimit, !all {
                words = words.prefix(Self.menuLimit) + ["and \(words.count - Self.menuLimit) more"]
            }
            return "\(control.name)\(value): \(words.joined(separator: ", "))"
        case .integer, .bitmask:
            let step = control.step > 1 ? " in steps of \(control.step)" : ""
            return "\(control.name)\(value): \(control.minimum) to \(control.maximum)\(step)"
        }
    }
}
