// SPDX-License-Identifier: Apache-2.0
internal import Foundation

/// Programs that some tests compare with.
public enum Tool {
    /// Path of `ffmpeg`; nil where it is not installed.
    public static let ffmpeg = find("ffmpeg")
    /// Path of `ffprobe`; nil where it is not installed.
    public static let ffprobe = find("ffprobe")
    /// Path of `promtool`; nil where it is not installed.
    public static let promtool = find("promtool")
    /// Whether `ffmpeg` and `ffprobe` are installed.
    public static let hasFFmpeg = ffmpeg != nil && ffprobe != nil

    /// Where a program lies; nil where it is not installed.
    public static func find(_ name: String) -> String? {
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/\(name)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// Runs a program; its status and what it printed on the standard output.
    @discardableResult
    public static func run(_ program: String?, _ arguments: [String]) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program ?? "/nonexistent")
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: data, as: UTF8.self))
    }

    /// One value of a stream, as ffprobe prints it.
    public static func probe(_ path: String, stream: String = "v:0", _ entries: String, count: Bool = false) throws
        -> [String]
    {
        let result = try run(
            ffprobe,
            ["-v", "quiet", "-select_streams", stream] + (count ? ["-count_frames"] : [])
                + ["-show_entries", entries, "-of", "csv=p=0", path])
        return result.output.split(separator: "\n").map { $0.trimmingCharacters(in: CharacterSet(charactersIn: ", ")) }
    }
}
