// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import PipelineLanguage

/// What pictures of a size cost, beside what there is.
enum PictureMemory {
    /// Pictures that a pipeline with an encoder may hold at a time: those that an H.264 encoder looks ahead at, and links.
    static let usualPictures = 48
    /// Without room for these no pipeline runs: one drawn on, one on its way, one in work.
    static let leastPictures = 3

    /// Bytes of a 4:2:0 picture.
    static func bytes(_ size: PixelSize) -> Int { (size.width + 63) / 64 * 64 * size.height * 3 / 2 }

    /// Bytes of memory that this process may use in all: the machine's, or what its control group is given.
    static var installed: Int {
        let machine = Int(ProcessInfo.processInfo.physicalMemory)
        let group = (try? String(contentsOfFile: "/sys/fs/cgroup/memory.max", encoding: .utf8))
            .flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
        return min(machine, group ?? machine)
    }

    /// Refuses pictures of which not even a few fit into memory, and warns of those that an encoder may have no room for.
    static func problems(_ size: PixelSize, _ parameter: String, installed: Int = installed) -> [SettingsProblem] {
        let bytes = bytes(size)
        let isHopeless = bytes * leastPictures > installed
        guard isHopeless || bytes * usualPictures > installed else { return [] }
        let megabytes = (bytes + 999_999) / 1_000_000
        let count = isHopeless ? "\(leastPictures)" : "the \(usualPictures) that a pipeline with an encoder may hold"
        return [
            SettingsProblem(
                isHopeless ? .error : .warning, parameter: parameter,
                message: "makes pictures of \(megabytes) MB each: \(count) do not fit into the "
                    + "\(installed / 1_000_000) MB of memory here",
                fix: "make them smaller")
        ]
    }
}
