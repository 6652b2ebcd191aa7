// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Glibc

/// What tells one content of a file, a folder or a device from another without reading it: names, sizes and times.
enum ContentIdentity {
    /// The identity of what `location` names: a file, a folder, a device, or a pattern such as `shots/*.png`, which stands for
    /// its folder.
    ///
    /// - Returns: nil where there is nothing, such as for an address on the network.
    static func of(_ location: String) -> String? {
        var status = stat()
        guard stat(location, &status) == 0 else {
            let folder = URL(fileURLWithPath: location).deletingLastPathComponent().path
            return location.contains { "*?[%".contains($0) } ? contents(of: folder) : nil
        }
        switch status.st_mode & S_IFMT {
        case S_IFDIR: return contents(of: location)
        case S_IFREG: return "\(status.st_size) bytes, \(time(of: status))"
        default: return deviceName(URL(fileURLWithPath: location).resolvingSymlinksInPath().lastPathComponent)
        }
    }

    /// What lies in a folder, not in the folders below it.
    private static func contents(of folder: String) -> String? {
        var status = stat()
        guard stat(folder, &status) == 0, let names = try? FileManager.default.contentsOfDirectory(atPath: folder)
        else {
            return nil
        }
        var bytes = 0
        var newest = time(of: status)
        for name in names where stat(folder + "/" + name, &status) == 0 {
            bytes += Int(status.st_size)
            newest = max(newest, time(of: status))
        }
        return "\(names.count) files, \(bytes) bytes, \(newest)"
    }

    /// Another camera may stand behind the same device node.
    private static func deviceName(_ node: String) -> String? {
        let text = try? String(contentsOfFile: "/sys/class/video4linux/\(node)/name", encoding: .utf8)
        return text?.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// When the content was last changed, in nanoseconds.
    private static func time(of status: stat) -> Int { status.st_mtim.tv_sec * 1_000_000_000 + status.st_mtim.tv_nsec }
}
