// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// One video device and what it can do.
public struct CameraDescription: Sendable, Hashable, Encodable {
    /// The device node.
    public var path: String
    /// Names that stay the same when devices are plugged in another order.
    public var stableNames: [String]
    /// The device's name for people.
    public var name: String
    /// The kernel's driver.
    public var driver: String
    /// Where it is plugged in.
    public var bus: String
    /// Whether pictures come from it.
    public var isCamera: Bool
    /// Whether pictures can be given to it.
    public var isOutput: Bool
    /// What it captures.
    public var formats: [CameraFormat]
    /// Its inputs' names; most cameras have one.
    public var inputs: [String]
    /// Television standards of the present input.
    public var standards: [String]
    /// Its controls.
    public var controls: [CameraControl]
    /// Why nothing more is known; nil when all is.
    public var problem: String?
}

/// The video devices of the machine.
public enum CameraList {
    /// Every video node that captures or takes pictures, by number; nodes for metadata alone are left out.
    public static func devices() -> [CameraDescription] { devices(system: .live) }

    static func devices(system: VideoSystem) -> [CameraDescription] {
        let numbers = names(in: "/dev").compactMap { name in
            name.hasPrefix("video") ? Int(name.dropFirst("video".count)) : nil
        }
        let stable = stableNames()
        return numbers.sorted().compactMap { describe("/dev/video\($0)", stable: stable, system: system) }
    }

    /// One device; nil for a node that has no pictures.
    static func describe(
        _ path: String, stable: [String: [String]] = [:], system: VideoSystem
    ) -> CameraDescription? {
        var result = CameraDescription(
            path: path, stableNames: stable[path] ?? [], name: "", driver: "", bus: "", isCamera: false,
            isOutput: false, formats: [], inputs: [], standards: [], controls: [], problem: nil)
        do throws(CameraError) {
            let device = try VideoDevice(path, system: system)
            guard device.canCapture || device.canOutput else { return nil }
            result.name = device.card
            result.driver = device.driver
            result.bus = device.bus
            result.isCamera = device.canCapture
            result.isOutput = device.canOutput
            if device.canCapture {
                result.formats = device.formats()
                result.inputs = device.inputs
                result.standards = device.standards
            }
            result.controls = device.controls
        } catch {
            result.problem = error.detail
        }
        return result
    }

    /// The node that a pipeline's `device` means: a path as it is, a bare name where udev keeps stable ones.
    static func path(of device: String) -> String {
        if device.contains("/") { return device }
        for folder in stableFolders where access("\(folder)/\(device)", F_OK) == 0 { return "\(folder)/\(device)" }
        return access("/dev/\(device)", F_OK) == 0 ? "/dev/\(device)" : "\(stableFolders[0])/\(device)"
    }

    private static let stableFolders = ["/dev/v4l/by-id", "/dev/v4l/by-path"]

    /// Stable names by the node they lead to.
    private static func stableNames() -> [String: [String]] {
        var result: [String: [String]] = [:]
        for folder in stableFolders {
            for name in names(in: folder) {
                guard let target = realpath("\(folder)/\(name)", nil) else { continue }
                result[String(cString: target), default: []].append("\(folder)/\(name)")
                free(target)
            }
        }
        return result
    }

    private static func names(in folder: String) -> [String] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var result: [String] = []
        while let entry = readdir(stream) {
            let name = VideoDevice.text(of: entry.pointee.d_name)
            if !name.hasPrefix(".") { result.append(name) }
        }
        return result.sorted()
    }
}
